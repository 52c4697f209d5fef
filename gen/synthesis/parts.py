"""The parts of a machine that can be synthesized: their Verilog, and where their operands are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from amaranth.lib import wiring

from fractrain.gen.synthesis.split import separate
from fractrain.gen.verilog import emit
from fractrain.gen.zynq.names import ACCELERATOR_NAME, BARE_NAME
from fractrain.gen.zynq.sources import surroundings
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.engine.engine import ConvolutionEngine
from fractrain.hw.mac.array import MacArray
from fractrain.hw.mac.flavour import Flavour
from fractrain.hw.zynq.accelerator import ZynqAccelerator

__all__ = ["PARTS", "Part"]

BUILD_HASH = 0x5A5A_5A5A
"""Any value gives the same area; with the real one a change of a comment would be a change."""


@dataclass(frozen=True)
class Part:
    """What is synthesized.

    top : name of its top module
    verilog : parameters → all of its Verilog
    operands : where its operand bits come from, see `measure_loads`
    resets : names of the nets that reset all of it; the figures leave their loads out
    unit : name of the module that is its vector unit, if the machine has one; "": never has one
    """

    top: str
    verilog: Callable[[Parameters], str]
    operands: tuple[str, ...]
    resets: tuple[str, ...] = ("rst",)
    unit: str = ""


def _component(top: str, make: Callable[[Parameters], wiring.Component]) -> Callable[..., str]:
    return lambda parameters: emit(make(parameters), top)


def _array(parameters: Parameters) -> wiring.Component:
    return MacArray(parameters.array, flavour=Flavour.SYNTHESIS)


def _engine(parameters: Parameters) -> wiring.Component:
    return ConvolutionEngine(parameters, flavour=Flavour.SYNTHESIS, build_hash=BUILD_HASH)


@lru_cache(maxsize=1)
def _board(parameters: Parameters) -> str:
    """The bare top with everything in it: the accelerator, the PS7 and the logic between."""
    accelerator = ZynqAccelerator(parameters, flavour=Flavour.SYNTHESIS, build_hash=BUILD_HASH)
    texts = [emit(accelerator, ACCELERATOR_NAME), *surroundings(parameters, bare=True).values()]
    return "\n".join(texts)


UNIT = f"{ACCELERATOR_NAME}__engine__unit"


def _unit(parameters: Parameters) -> str:
    """The vector unit as it is on the board, with the ports that it has there."""
    return separate(_board(parameters), UNIT)[1]


# Of the names that a net has in the hierarchy, Yosys keeps one, not always the same.
ENGINE_OPERANDS = (
    r"execute\.feeder\.(window\.)?rows",
    r"execute\.columns(\$\d+\.columns)?\[",
    r"execute\.array\.columns",
)
ENGINE_PATH = r"accelerator\.accelerator\.engine\."

PARTS = {
    "array": Part("synth_array", _component("synth_array", _array), ("rows", "columns")),
    "engine": Part(
        "synth_engine",
        _component("synth_engine", _engine),
        ENGINE_OPERANDS,
        unit="synth_engine__unit",
    ),
    "vector": Part(UNIT, _unit, ()),
    "top": Part(
        BARE_NAME,
        _board,
        tuple(ENGINE_PATH + pattern for pattern in ENGINE_OPERANDS),
        resets=("accelerator.reset",),
        unit=UNIT,
    ),
}
"""By the name that ``fractrain synth --part`` and the budgets know them by; only machines with a
vector unit have ``vector``."""
