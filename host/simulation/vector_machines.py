"""Machines that carry out a whole step, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fractrain.host.backends.cosim import CosimAccelerator
from fractrain.host.backends.functional import FunctionalVectorMachine
from fractrain.host.machine.vector_machine import VectorMachine
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cosim.waveform import Waveform
from fractrain.sim.memory_model import MemoryModel

RTL, FUNCTIONAL = "rtl", "functional"
MACHINES = (RTL, FUNCTIONAL)


@dataclass(frozen=True)
class Opened:
    """``clock``: cycles of the machine's clock so far; None if it has none."""

    machine: VectorMachine
    clock: Callable[[], int] | None


@contextmanager
def opened_vector_machine(
    name: str,
    parameters: Parameters,
    memory: MemoryModel,
    say: Callable[[str], None],
    waveform: Waveform | None = None,
) -> Iterator[Opened]:
    """The machine of `MACHINES` called ``name``, closed at the end. The RTL has ``memory`` behind
    its ports, and ``waveform`` records its signals; how far it is, ``say`` is told.

    Raises `MissingToolError` without what compiles the RTL.
    """
    if name == FUNCTIONAL:
        yield Opened(FunctionalVectorMachine(parameters), None)
        return

    def watch(_: int) -> None:
        say(f"taking the step on the RTL: {accelerator.clock_cycles:,} cycles so far")

    say("compiling the RTL, unless it is cached")
    accelerator = CosimAccelerator(parameters, memory, waveform=waveform, watch=watch)
    with accelerator:
        assert accelerator.vector_machine is not None
        yield Opened(accelerator.vector_machine, lambda: accelerator.clock_cycles)
