"""Machines that carry out a whole step, by name."""

from __future__ import annotations

from fractrain.host.backends.functional import FunctionalVectorMachine
from fractrain.host.compiler.whole_step import DoesNotFit
from fractrain.host.machine.vector_machine import VectorMachine
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters

RTL, FUNCTIONAL = "rtl", "functional"
MACHINES = (RTL, FUNCTIONAL)


def open_vector_machine(name: str, parameters: Parameters) -> VectorMachine:
    """The machine of `MACHINES` called ``name``.

    Raises `DoesNotFit` for parameters without a vector unit, `ParameterError` for the RTL: nothing
    drives whole steps there yet.
    """
    if parameters.vector is None:
        allowed = "one with it: a `vector:` section in its configuration"
        raise DoesNotFit("machine of a whole step", "no vector unit", allowed)
    if name == RTL:
        raise ParameterError(
            "--on", name, f"{FUNCTIONAL}: nothing drives whole steps on the RTL yet"
        )
    return FunctionalVectorMachine(parameters)
