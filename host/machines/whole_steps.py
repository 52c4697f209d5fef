"""Whole training steps of a trace on the ZC706 with a vector unit: what a run would take there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fractrain.host.graph.choice import fixed_choices, is_skip
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import StepGraph, build_step
from fractrain.host.machines.network_layers import CLASSES, blocks_of
from fractrain.host.machines.trace import EIGHT, Images, Stretch, Trace
from fractrain.host.modelling.cost_files import add_costs, cost_file, digest, read_costs
from fractrain.host.modelling.energy import joules
from fractrain.host.modelling.whole_steps import (
    WholeStepCost,
    rated_memory,
    target_memory,
    whole_step_cost,
)
from fractrain.host.networks.registry import build_network
from fractrain.host.reports.quantities import percent
from fractrain.host.reports.units import JOULES, SECONDS
from fractrain.hw.contract.parameters import WHOLE_STEP_PRESET, load_parameters
from fractrain.hw.contract.precision import Precision

SOURCES = ("host/compiler", "host/graph", "host/modelling", "hw/contract", "sim/cycles")

ABOUT = (
    "All figures are modelled, of whole steps: convolutions, batch norm, rectifiers, quantization "
    "and updates, all on the machine; the host's turns take no time. Steps whose blocks have "
    "different bits are put together from steps in which all have the same (docs/whole_step.md)."
)

NUMBERS = 5
"""Of a part, in the file: `_parts`."""
HEADS = "whole training steps", "this run", "FW8/BW8", "saved"

Say = Callable[[str], None]
Row = tuple[str, ...]


@dataclass(frozen=True)
class WholeSteps:
    """All steps of a trace: time, energy, and the share of it in which the array multiplies."""

    seconds: float
    joules: float
    busy: float


@dataclass(frozen=True)
class Part:
    """Of a step's program: the ``blocks`` whose convolutions are in it, as a range, what it takes,
    in how many cycles of it the array multiplies, bytes both ways."""

    blocks: range
    cycles: float
    busy: float
    bytes_moved: float


class WholeStepMachine:
    """Steps on the preset ``config``, with its memory, or one of so many ``gigabytes`` a second.

    A part of the program (a stage forward, some blocks on the way back) takes the mean of what it
    takes at the precisions of its blocks, each of a step in which all blocks have that precision:
    ``mean_b Σ_p share(b, p) · t(part, p)``. So a trace costs as many modelled steps as it has
    precisions, 3 to 30 s each; they are kept in a file in ``folder``, see `cost_file`.
    """

    def __init__(
        self,
        config: str = WHOLE_STEP_PRESET,
        gigabytes: float | None = None,
        folder: Path | None = None,
    ) -> None:
        self.parameters, self.name = load_parameters(config), config
        if gigabytes is None:
            self._memory, rate = target_memory(self.parameters), "ddr"
        else:
            self._memory, rate = rated_memory(self.parameters, gigabytes), f"{gigabytes:g}"
        name = f"whole-steps-{rate}-{digest(self.parameters, SOURCES)}"
        self._file = cost_file(name, folder)
        self._known = read_costs(self._file, NUMBERS, many=True)

    def trace(self, trace: Trace, say: Say = lambda text: None) -> WholeSteps:
        """Of all its steps. Layers outside the blocks are at 8 bits, shortcuts, too.

        Raises `DoesNotFit` for a network that the machine has no room for, `ParameterError` for
        bits that it does not take.
        """
        usage = trace.usage
        ways = {each for counter in usage for each in counter}
        shares: dict[Precision, np.ndarray] = {
            each: np.array([counter[each] for counter in usage]) / trace.steps for each in ways
        }
        chosen = [each for each in ways if not is_skip(each)] or [EIGHT]
        usual = max(chosen, key=lambda each: float(np.sum(shares.get(each, 0.0))))
        cycles = busy = moved = 0.0
        for precision, share in shares.items():
            say(f"{trace.name} on {self.name}: whole step at {precision}")
            for part in self._parts(trace, precision, usual, np.flatnonzero(share).tolist()):
                # what belongs to no block: as much of it as of all blocks
                weight = float(np.mean(share[part.blocks] if part.blocks else share))
                cycles += weight * part.cycles
                busy += weight * part.busy
                moved += weight * part.bytes_moved
        seconds = trace.steps * cycles / (self.parameters.clock_mhz * 1e6)
        energy = trace.steps * joules(self.parameters, cycles, busy, moved)
        return WholeSteps(seconds, energy, busy / cycles)

    def _parts(
        self, trace: Trace, precision: Precision, usual: Precision, blocks: list[int]
    ) -> list[Part]:
        """Of a step with all blocks at ``precision``; if that skips, with ``blocks`` skipped and
        the others at the ``usual`` one."""
        where = f", blocks {blocks}, others {usual}" if is_skip(precision) else ""
        images = "x".join(map(str, (trace.batch, *trace.images)))
        key = f"{trace.model} {images} at {precision}{where}"
        if key not in self._known:
            choices = [
                precision if number in blocks or not where else usual
                for number in range(trace.blocks)
            ]
            precisions = tuple(dict.fromkeys(choices))
            graph = step_graph(trace.model, trace.images, trace.batch, precisions)
            table = graph.table(fixed_choices(choices))
            cost = whole_step_cost(self.parameters, graph, table, self._memory)
            self._known[key] = [number for part in _parts(cost) for number in part]
            add_costs(self._file, {key: self._known[key]}, NUMBERS, many=True)
        numbers = np.reshape(self._known[key], (-1, NUMBERS)).tolist()
        return [Part(range(int(first), int(end)), *rest) for first, end, *rest in numbers]


def applied(trace: Trace, model: str) -> Trace:
    """The bits of ``trace`` on another network: each precision has its share of blocks and steps,
    in every block."""
    usage = sum(trace.usage, Counter())
    blocks = blocks_of(model, trace.images)
    stretches = tuple(
        Stretch(count / trace.blocks, (precision,) * blocks) for precision, count in usage.items()
    )
    return replace(trace, name=f"{trace.name}, {model}", model=model, stretches=stretches)


def savings(trace: Trace, machine: WholeStepMachine, say: Say = lambda text: None) -> list[Row]:
    """Under `HEADS`: the trace against the same steps at 8/8/8, a step's time and the time saved
    over the MACs saved."""
    chosen, baseline = machine.trace(trace, say), machine.trace(trace.at(EIGHT), say)
    name = machine.name.upper()
    rows: list[Row] = []
    for what, each, other, units in (
        (f"{name} latency, modelled", chosen.seconds, baseline.seconds, SECONDS),
        (f"{name} energy, modelled", chosen.joules, baseline.joules, JOULES),
    ):
        scale = units.scale((each, other))
        rows.append((what, scale.text(each), scale.text(other), percent(1 - each / other)))
    step = [each.seconds / trace.steps for each in (chosen, baseline)]
    scale = SECONDS.scale(step)
    rows.append(("of a step", *map(scale.text, step), ""))
    rows.append(("array busy", percent(chosen.busy), percent(baseline.busy), ""))
    macs = 1 - trace.effective_macs / trace.at(EIGHT).effective_macs
    if macs > 0:
        time = 1 - chosen.seconds / baseline.seconds
        rows.append(("time saved over MACs saved", f"{time / macs:.2f}", "", percent(macs)))
    return rows


def step_graph(
    model: str, images: Images, batch: int, precisions: tuple[Precision, ...]
) -> StepGraph:
    """A step in hardware mode of the network ``model``, whose blocks may have ``precisions``."""
    rng = np.random.default_rng(0)
    network = build_network(model, channels=images[0], classes=CLASSES, rng=rng)
    options = StepOptions(precisions, integers=IntegerOptions())
    return build_step(network, (batch, *images), options)


def _parts(cost: WholeStepCost) -> list[tuple[float, ...]]:
    """First block and end, cycles, busy cycles, bytes of each part, and of what is around them."""
    sections = cost.sections
    passes = sum(each.array for each in sections)
    found: list[tuple[float, ...]] = []
    for each in sections:
        first, end = (each.blocks[0], each.blocks[-1] + 1) if each.blocks else (0, 0)
        busy = each.array * cost.busy_cycles / passes
        found.append((first, end, each.cycles, busy, each.bytes_moved))
    around = cost.cycles - sum(each.cycles for each in sections)
    moved = cost.bytes_moved - sum(each.bytes_moved for each in sections)
    return [*found, (0, 0, around, 0.0, moved)]
