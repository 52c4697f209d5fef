"""The batch Tcl of the Vivado flow, from the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from fractrain.gen.bitstream.board import DDR_BYTES, PART
from fractrain.gen.bitstream.constraints import VIVADO
from fractrain.gen.bitstream.manifest import BIT_NAME, XSA_NAME
from fractrain.gen.bitstream.messages import FATAL_WARNINGS, TOLERATED
from fractrain.gen.bitstream.strategies import STRATEGIES
from fractrain.gen.bitstream.template import fill, tcl_list
from fractrain.gen.zynq.names import WRAPPER_NAME
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.zynq import GP0_BYTES, REGISTERS_BASE

__all__ = ["SCRIPT_NAME", "vivado_script"]

SCRIPT_NAME = "build.tcl"

SETTINGS = "settings.tcl"
PARTS = (
    *("stages.tcl", "block_design.tcl", "runs.tcl", "checks.tcl", "results.tcl", "attempts.tcl"),
    "main.tcl",
)


def vivado_script(
    parameters: Parameters,
    sources: Sequence[str],
    *,
    jobs: int,
    tolerated: Sequence[str] = (),
    attempts: int = 1,
) -> str:
    """The Tcl that makes the bitstream of ``parameters``, for Vivado's batch mode.

    sources : names of the Verilog files, which lie beside the script, as the constraints do
    jobs : runs and threads at the same time
    tolerated : ids of critical warnings that do not end the build, besides `TOLERATED`
    attempts : implementations, each by another of `STRATEGIES`
    """
    settings = fill(
        _read(SETTINGS),
        SETTINGS,
        part=PART,
        clock_mhz=parameters.clock_mhz,
        memory_ports=parameters.memory.ports,
        wrapper=WRAPPER_NAME,
        sources=tcl_list(sources),
        constraints=tcl_list([VIVADO]),
        registers_base=f"0x{REGISTERS_BASE:08x}",
        gp0_range=f"0x{GP0_BYTES:08x}",
        ddr_range=f"0x{DDR_BYTES:08x}",
        bit_name=BIT_NAME,
        xsa_name=XSA_NAME,
        jobs=jobs,
        strategies=tcl_list(STRATEGIES[:attempts]),
        tolerated=tcl_list([*TOLERATED, *tolerated]),
        fatal=tcl_list(text for each in FATAL_WARNINGS for text in each),
    )
    return "\n".join([settings, *map(_read, PARTS)])


def _read(name: str) -> str:
    return (resources.files("fractrain.gen.bitstream") / "templates" / name).read_text(
        encoding="utf-8"
    )
