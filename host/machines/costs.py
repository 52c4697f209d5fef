"""What a trace costs on a machine: time, energy and bytes, by pass and by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from functools import cached_property

from fractrain.host.machines.trace import Trace
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Pass
from fractrain.sim.machines import Figures, Machine, Work


@dataclass(frozen=True)
class Cost:
    """Of some work, modelled.

    macs : as the network has them, without the zeros that a machine may multiply
    seconds, stall_seconds : the second without multiplications, part of the first
    joules : of machine and memory
    bytes_read, bytes_written : between memory and machine
    """

    macs: float = 0.0
    seconds: float = 0.0
    stall_seconds: float = 0.0
    joules: float = 0.0
    bytes_read: float = 0.0
    bytes_written: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            *(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True))
        )

    def __mul__(self, times: float) -> Cost:
        return Cost(*(times * each for each in astuple(self)))

    @property
    def bytes_moved(self) -> float:
        """Both ways."""
        return self.bytes_read + self.bytes_written


@dataclass(frozen=True)
class TraceCost:
    """Of all steps of a trace on a machine.

    entries : by the name of a layer and the pass
    notes : what the machine's model says of its figures, each once
    """

    entries: Mapping[tuple[str, Pass], Cost]
    notes: tuple[str, ...] = ()

    @cached_property
    def total(self) -> Cost:
        return total(self.entries.values())

    def of_pass(self, pass_: Pass) -> Cost:
        """Of all layers."""
        return total(cost for (_, each), cost in self.entries.items() if each is pass_)

    def of_layer(self, name: str) -> Cost:
        """Of all passes."""
        return total(cost for (layer, _), cost in self.entries.items() if layer == name)


def total(costs: Iterable[Cost]) -> Cost:
    """Of one after the other."""
    return sum(costs, start=Cost())


def trace_cost(
    machine: Machine, trace: Trace, say: Callable[[str], None] = lambda text: None
) -> TraceCost:
    """The sum over all layers, passes and steps; a machine is asked once for each distinct work.

    Raises `ParameterError` for what the machine cannot do.
    """
    entries: dict[tuple[str, Pass], Cost] = {}
    known: dict[Work, Cost] = {}
    notes: dict[str, None] = {}
    for layer, work, steps in trace.works():
        if work not in known:
            say(f"{trace.name} on {machine.name}: {layer.name}, {work.pass_.label}")
            try:
                figures = machine.figures(work)
            except ParameterError as error:
                raise ParameterError(
                    f"{layer.name} of {trace.model} on {machine.name}", work.layer.text, str(error)
                ) from error
            known[work] = _cost(work, figures)
            notes |= dict.fromkeys(figures.notes)
        key = layer.name, work.pass_
        entries[key] = entries.get(key, Cost()) + known[work] * steps
    return TraceCost(entries, tuple(notes))


def _cost(work: Work, figures: Figures) -> Cost:
    stalled = figures.stall_cycles / figures.cycles if figures.cycles else 0.0
    return Cost(
        work.layer.macs,
        figures.seconds,
        stalled * figures.seconds,
        figures.joules,
        figures.dram_read_bits / 8,
        figures.dram_write_bits / 8,
    )
