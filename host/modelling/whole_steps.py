"""What a whole training step costs on a machine with a vector unit: its program on the cycle model.

`host.modelling.step_model` adds up convolutions; here everything is in the program, and what stages
wait for one another is in its cycles. It takes 10 seconds for ResNet-38 and 128 images.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fractrain.host.compiler.whole_step import WholeStep, compile_whole_step
from fractrain.host.graph.step import StepGraph
from fractrain.host.modelling.energy import joules
from fractrain.hw.contract.commands import (
    Channel,
    Command,
    Convolve,
    Quantize,
    Stage,
    Update,
    opcode_of,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import PRECISION, Precision
from fractrain.hw.contract.values import Real

if TYPE_CHECKING:
    from fractrain.sim.cycles import Prediction
    from fractrain.sim.cycles.times import Times
    from fractrain.sim.memory_model import MemoryModel

SHARE = Real(0, 100)
STALLS = "VECTOR_STALL_READ", "VECTOR_STALL_WRITE", "VECTOR_STALL_BANK"
"""Of a command of the vector stage, while it is at work."""
BYTES = ("BYTES_READ", "BYTES_WRITTEN", "STASH_READ", "STASH_WRITTEN")


@dataclass(frozen=True)
class Section:
    """A stage of the network in one direction: ``cycles`` from its first pass to that of the next
    section; cycles of the array's passes, of the vector unit's lines and weights, of CHANNEL, and
    those in which memory, both if there are two, moves its bytes. ``waited``: cycles in which the
    program waited for its commands, by stage and opcode (`sim.cycles.critical_path`). ``blocks``:
    those whose convolutions are in it."""

    name: str
    cycles: float
    array: float
    lines: float
    channel: float
    memory: float
    bytes_moved: float
    waited: Mapping[str, float]
    blocks: tuple[int, ...]


@dataclass(frozen=True)
class WholeStepCost:
    """``sections`` add up to ``cycles``, but for the first commands and the last."""

    step: WholeStep
    prediction: Prediction
    sections: tuple[Section, ...]

    @property
    def cycles(self) -> int:
        return self.prediction.cycles

    @property
    def busy_cycles(self) -> int:
        return self.prediction.total("BUSY")

    @property
    def bytes_moved(self) -> int:
        return sum(map(self.prediction.total, BYTES))

    @property
    def seconds(self) -> float:
        return self.cycles / (self.step.parameters.clock_mhz * 1e6)

    @property
    def joules(self) -> float:
        return joules(self.step.parameters, self.cycles, self.busy_cycles, self.bytes_moved)

    @property
    def waited(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for section in self.sections:
            for name, cycles in section.waited.items():
                found[name] = found.get(name, 0.0) + cycles
        return found


def whole_step_cost(
    parameters: Parameters,
    graph: StepGraph,
    table: Sequence[Precision],
    memory: MemoryModel,
    *,
    stash: MemoryModel | None = None,
    bursts: bool = False,
) -> WholeStepCost:
    """Of ``graph`` with the precisions ``table`` of its slots; ``stash``: of a second memory, for
    the stash; ``bursts``: with every burst of memory, which takes ten times as long. The host takes
    no time.

    Raises `DoesNotFit` as `compile_whole_step` does.
    """
    from fractrain.sim.cycles import SecondMemory, predict

    step = compile_whole_step(parameters, graph)
    region = step.memory.stash_region
    second = None if stash is None else SecondMemory(region.address, stash, end=region.end)
    precisions, kept = step.tables(table)
    prediction = predict(
        parameters,
        step.commands,
        dict(enumerate(precisions)),
        memory,
        program_address=step.program_address,
        kept=dict(enumerate(kept)),
        second=second,
        fluid=not bursts,
    )
    rate = sum(each.bytes_per_cycle or float("inf") for each in (memory, stash) if each)
    return WholeStepCost(step, prediction, tuple(_sections(step, prediction, rate)))


def target_memory(parameters: Parameters) -> MemoryModel:
    """The target's memory, as measured and published figures have it."""
    from fractrain.sim.memory_model import MemoryModel

    return MemoryModel.ddr(parameters)


def rated_memory(parameters: Parameters, gigabytes: float) -> MemoryModel:
    """The target's memory, at so many GB/s of any mix of reads and writes."""
    return replace(
        target_memory(parameters),
        bytes_per_cycle=gigabytes * 1000 / parameters.clock_mhz,
        read_efficiency=1.0,
        write_efficiency=1.0,
        mixed_efficiency=1.0,
    )


def mixed_blocks(text: str, count: int) -> list[Precision]:
    """``31.5:3,4,6+68.5:4,4,6``: precisions for ``count`` blocks, each the one that lacks most of
    its share so far, so that every part of the network has all of them."""
    shares, precisions = [], []
    for each in text.split("+"):
        share, _, precision = each.partition(":")
        shares.append(SHARE.read("--mix", share))
        precisions.append(PRECISION.read("--mix", precision))
    if abs(sum(shares) - 100) > 0.1:
        raise ParameterError("--mix", text, "shares that add up to 100 %")
    given: list[int] = []
    for place in range(1, count + 1):
        lacking = [share * place / 100 - given.count(n) for n, share in enumerate(shares)]
        given.append(lacking.index(max(lacking)))
    return [precisions[number] for number in given]


def _sections(step: WholeStep, prediction: Prediction, rate: float) -> list[Section]:
    from fractrain.sim.cycles.critical_path import critical_path

    firsts = [first for first, _ in step.sections]
    waited = [defaultdict[str, float](float) for _ in firsts]
    for part in critical_path(step.commands, prediction.times):
        place = max(bisect.bisect_right(firsts, part.command) - 1, 0)
        name = opcode_of(step.commands[part.command]).name
        waited[place][f"{part.stage.name} {name}"] += part.end - part.start
    ends = [*firsts[1:], len(step.commands)]
    ranges = [range(first, end) for first, end in zip(firsts, ends, strict=True)]
    starts = [_first_pass(prediction.times[each.start : each.stop]) for each in ranges]
    starts.append(prediction.cycles)
    found = []
    for place, (_, name) in enumerate(step.sections):
        sums = defaultdict[str, float](float)
        for number in ranges[place]:
            _add(sums, step.commands[number], prediction.times[number])
        cycles = starts[place + 1] - starts[place]
        section = Section(
            name,
            cycles,
            sums["array"],
            sums["lines"],
            sums["channel"],
            sums["bytes"] / rate,
            sums["bytes"],
            dict(waited[place]),
            _blocks(step, ranges[place]),
        )
        found.append(section)
    return found


def _blocks(step: WholeStep, numbers: range) -> tuple[int, ...]:
    slots = step.memory.network.graph.slots
    commands = (step.commands[number] for number in numbers)
    found = {slots[each.slot].block for each in commands if isinstance(each, Convolve)}
    return tuple(sorted(each for each in found if each is not None))


def _first_pass(times: Sequence[Times]) -> float:
    return min(each.started for each in times if each.started >= 0)


def _add(sums: dict[str, float], command: Command, times: Times) -> None:
    sums["bytes"] += times.bytes_moved
    if isinstance(command, Convolve) and times.started >= 0:
        stalled = times.waits.get("STALL_RESULT", 0)
        sums["array"] += round(times.worked - times.started + 1 - stalled)
    elif isinstance(command, Channel):
        sums["channel"] += round(times.waits.get("VECTOR_CHANNEL", 0))
    elif isinstance(command, Quantize | Update):
        sums["lines"] += round(times.worked - times.begun)
    elif opcode_of(command).stage is Stage.VECTOR:
        stalled = sum(times.waits.get(each, 0) for each in STALLS)
        sums["lines"] += max(0, round(times.worked - times.begun - stalled))
