"""The constraints of the flows, from the folder ``constraints`` of the project."""

from __future__ import annotations

from importlib import resources

from fractrain.gen.bitstream.template import fill
from fractrain.hw.contract.errors import DataError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.targets.target import Target

__all__ = ["BARE_CLOCK", "VIVADO", "bare_constraints", "vivado_constraints"]

VIVADO = "vivado.xdc"
BARE_CLOCK = "bare_clock.xdc"


def vivado_constraints(target: Target) -> str:
    """What the Vivado flow reads: no clock, which the processing system's IP brings."""
    return _read(target, VIVADO)


def bare_constraints(parameters: Parameters) -> str:
    """What the open flow reads: the clock, with the period of ``parameters``."""
    return fill(
        _read(parameters.target, BARE_CLOCK),
        BARE_CLOCK,
        period_ns=f"{1000 / parameters.clock_mhz:.3f}",
    )


def _read(target: Target, name: str) -> str:
    try:
        folder = resources.files("fractrain.constraints") / target.family
        return (folder / name).read_text(encoding="utf-8")
    except (OSError, ModuleNotFoundError) as error:
        raise DataError(
            f"constraints/{target.family}/{name} is not there: install the project from its "
            "checkout (pip install -e .)"
        ) from error
