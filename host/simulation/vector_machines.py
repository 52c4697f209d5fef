"""Machines that carry out a whole step, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fractrain.host.backends.cosim import CosimAccelerator
from fractrain.host.backends.functional import FunctionalVectorMachine
from fractrain.host.machine.vector_machine import VectorMachine
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.memory_model import MemoryModel

RTL, FUNCTIONAL = "rtl", "functional"
MACHINES = (RTL, FUNCTIONAL)


@contextmanager
def opened_vector_machine(
    name: str, parameters: Parameters, memory: MemoryModel, say: Callable[[str], None]
) -> Iterator[VectorMachine]:
    """The machine of `MACHINES` called ``name``, closed at the end. The RTL has ``memory`` behind
    its ports; how far it is, ``say`` is told.

    Raises `MissingToolError` without what compiles the RTL.
    """
    if name == FUNCTIONAL:
        yield FunctionalVectorMachine(parameters)
        return

    def watch(_: int) -> None:
        say(f"taking the step on the RTL: {accelerator.clock_cycles:,} cycles so far")

    say("compiling the RTL, unless it is cached")
    accelerator = CosimAccelerator(parameters, memory, watch=watch)
    with accelerator:
        assert accelerator.vector_machine is not None
        yield accelerator.vector_machine
