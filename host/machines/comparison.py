"""Machines side by side: what traces cost on each, and what the same steps cost at FW8/BW8."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.machines.costs import Cost, TraceCost, trace_cost
from fractrain.host.machines.ours import Zc706
from fractrain.host.machines.trace import EIGHT, Trace
from fractrain.hw.contract.precision import Pass
from fractrain.sim.machines import (
    DOUBLE_PUMPED_DSP,
    PACKED_DSP,
    RECURSIVE_DSP,
    BitFusion,
    Eyeriss,
    Machine,
)


@dataclass(frozen=True)
class Contender:
    """A machine of a comparison.

    label : as tables and pictures call it
    machine : with its settings
    about : what is chosen freely in it
    """

    label: str
    machine: Machine
    about: str


def _eyeriss(height: int, width: int, clock: float) -> Contender:
    return Contender(
        f"Eyeriss {height}×{width}, {clock:g} MHz",
        Eyeriss(height, width, clock),
        "array and clock are not published; 15 pJ a DRAM bit, as Bit Fusion; memory keeps up",
    )


BIT_FUSION = Contender("Bit Fusion", BitFusion(), "the gradient as a 1×1 convolution")
EYERISS = tuple(_eyeriss(*pes, clock) for pes in ((12, 14), (16, 16)) for clock in (500.0, 200.0))
RECURSIVE = Contender(
    "recursive DSP", RECURSIVE_DSP, "a hypothesis: 4, 3, 2 products a DSP at 4×4, 4×8, 8×8 bits"
)
PACKED = Contender("packed DSP", PACKED_DSP, "4, 2, 2 products a DSP; memory keeps up")
DOUBLE_PUMPED = Contender(
    "double-pumped DSP", DOUBLE_PUMPED_DSP, "the same at 400 MHz; memory keeps up"
)
OURS_PORT = Contender("ours, array time", Zc706("port"), "ideal memory; results leave at the port")
OURS_DDR = Contender("ours, DDR", Zc706("ddr"), "the board's memory; results narrowed to 16 bits")

CONTENDERS = (BIT_FUSION, *EYERISS, RECURSIVE, PACKED, DOUBLE_PUMPED, OURS_PORT, OURS_DDR)
"""Those of `fractrain compare --machines`. Ours is the ZC706 preset."""


@dataclass(frozen=True)
class Result:
    """Of ``trace`` on a machine: its cost, and that of the same steps with all layers at 8 bits."""

    contender: Contender
    trace: Trace
    cost: TraceCost
    eight: TraceCost

    @property
    def seconds_saved(self) -> float:
        """Against FW8/BW8 on the same machine, a fraction."""
        return 1 - self.cost.total.seconds / self.eight.total.seconds

    @property
    def joules_saved(self) -> float:
        """The same of energy."""
        return 1 - self.cost.total.joules / self.eight.total.joules

    @property
    def macs_per_second(self) -> float:
        return self.cost.total.macs / self.cost.total.seconds

    @property
    def joules_per_mac(self) -> float:
        return self.cost.total.joules / self.cost.total.macs

    @property
    def intensity(self) -> float | None:
        """MACs per byte to and from memory; None where none is moved."""
        moved = self.cost.total.bytes_moved
        return self.cost.total.macs / moved if moved else None


def compare_machines(
    traces: Sequence[Trace],
    contenders: Sequence[Contender] = CONTENDERS,
    say: Callable[[str], None] = lambda text: None,
) -> list[Result]:
    """Each of ``traces`` on each machine, trace by trace.

    Raises `ParameterError` for what a machine cannot do.
    """
    return [result_of(each, trace, say) for trace in traces for each in contenders]


def result_of(
    contender: Contender, trace: Trace, say: Callable[[str], None] = lambda text: None
) -> Result:
    """One of them."""
    machine = contender.machine
    return Result(
        contender, trace, trace_cost(machine, trace, say), trace_cost(machine, trace.at(EIGHT), say)
    )


UNITS = {
    "modelled": "every figure",
    "macs": "as the network has them, in all passes of all steps",
    "seconds": "on the machine at its clock; stall_seconds of them without multiplications",
    "joules": "of machine and memory",
    "bytes_read, bytes_written": "between memory and machine",
    "fw8bw8": "the same steps with all layers at 8 bits, on the same machine",
    "saving": "fraction, 1 - value / fw8bw8",
    "effective_macs": "multiply-accumulates of 32 x 32 bits (a/32 * w/32 each)",
    "cp": "cost of the blocks in percent of 32-bit arithmetic; FW8/BW8 is 6.25",
}


def machines_document(results: Sequence[Result], *, layers: bool = True) -> dict[str, Any]:
    """All figures unrounded, by pass and, with ``layers``, by layer."""
    traces = {each.trace.name: each.trace for each in results}
    contenders = {each.contender.label: each.contender for each in results}
    return {
        "traces": [trace_entry(each) for each in traces.values()],
        "machines": [_machine_entry(each) for each in contenders.values()],
        "results": [_entry(each, layers=layers) for each in results],
        "units": UNITS,
    }


def trace_entry(trace: Trace) -> dict[str, Any]:
    """What a trace is, without its steps."""
    return {
        "name": trace.name,
        "model": trace.model,
        "images": list(trace.images),
        "batch": trace.batch,
        "steps": trace.steps,
        "cp": trace.cp,
        "effective_macs": trace.effective_macs,
        "effective_macs_fw8bw8": trace.at(EIGHT).effective_macs,
        "command": trace.command,
        "source": dict(trace.source),
    }


def _machine_entry(contender: Contender) -> dict[str, Any]:
    machine = contender.machine
    return {
        "label": contender.label,
        "machine": machine.name,
        "settings": dict(vars(machine)),
        "free_choices": contender.about,
        "peak_macs_per_second_at_8_bits": machine.peak((8, 8)),
        "memory_bytes_per_second": machine.memory_bandwidth,
    }


def _entry(result: Result, *, layers: bool) -> dict[str, Any]:
    entry = {
        "trace": result.trace.name,
        "machine": result.contender.label,
        **dataclasses.asdict(result.cost.total),
        "fw8bw8": dataclasses.asdict(result.eight.total),
        "saving": {"seconds": result.seconds_saved, "joules": result.joules_saved},
        "passes": {each.label: dataclasses.asdict(result.cost.of_pass(each)) for each in Pass},
        "notes": list(result.cost.notes),
    }
    if layers:
        found = result.cost.entries
        entry["layers"] = {
            layer.name: {
                each.label: dataclasses.asdict(found.get((layer.name, each), Cost()))
                for each in layer.passes
            }
            for layer in result.trace.layers
        }
    return entry
