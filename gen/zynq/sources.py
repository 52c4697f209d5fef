"""All Verilog of the board's design, for the flows that make a bitstream of it."""

from __future__ import annotations

from fractrain.gen.designs import Flavour, make_accelerator
from fractrain.gen.verilog import emit
from fractrain.gen.zynq.bare import bare_text
from fractrain.gen.zynq.interfaces import wrapper_interfaces
from fractrain.gen.zynq.names import ACCELERATOR_NAME, BARE_NAME, WRAPPER_NAME
from fractrain.gen.zynq.ps7 import PS7
from fractrain.gen.zynq.wrapper import wrapper_text
from fractrain.hw.contract.parameters import Parameters

__all__ = ["sources", "surroundings"]


def sources(
    parameters: Parameters, flavour: Flavour = Flavour.SYNTHESIS, *, bare: bool = False
) -> dict[str, bytes]:
    """File name → content, in the order in which tools must read them.

    ``fractrain_accelerator.v`` and ``fractrain_zynq.v``; the latter's module is the top of a block
    design's part; with ``bare`` also ``fractrain_zynq_bare.v``, a top of its own. The BUILD_HASH
    register shows the build hash of ``parameters``. The same parameters and sources give the same
    bytes.

    Raises `ParameterError` if no engine can have these parameters.
    """
    accelerator = emit(make_accelerator(parameters, flavour), ACCELERATOR_NAME)
    files = {ACCELERATOR_NAME: accelerator, **surroundings(parameters, bare=bare)}
    return {f"{name}.v": text.encode() for name, text in files.items()}


def surroundings(parameters: Parameters, *, bare: bool = False) -> dict[str, str]:
    """Module name → Verilog of what is around the accelerator, as `sources` has it."""
    interfaces = wrapper_interfaces(parameters)
    texts = {WRAPPER_NAME: wrapper_text(interfaces)}
    if bare:
        texts[BARE_NAME] = bare_text(interfaces, PS7)
    return texts
