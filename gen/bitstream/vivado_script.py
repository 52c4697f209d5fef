"""The batch Tcl of the Vivado flow, from the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from fractrain.gen.bitstream.constraints import VIVADO
from fractrain.gen.bitstream.messages import FATAL_WARNINGS, TOLERATED
from fractrain.gen.bitstream.strategies import STRATEGIES
from fractrain.gen.bitstream.template import fill, tcl_list
from fractrain.gen.bitstream_manifest import output_name
from fractrain.gen.zynq.names import WRAPPER_NAME
from fractrain.hw.contract.parameters import Parameters

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
    target = parameters.target
    ports, system = target.ports, target.processing_system
    settings = fill(
        _read(SETTINGS),
        SETTINGS,
        title=target.title,
        part=target.part.name,
        device=target.part.device,
        licensed=int(target.part.licensed),
        preset=system.preset,
        ps_settings=tcl_list(
            text for name, value in system.settings for text in (f"CONFIG.{name}", value)
        ),
        clock_mhz=parameters.clock_mhz,
        memory_ports=parameters.memory.ports,
        wrapper=WRAPPER_NAME,
        sources=tcl_list(sources),
        constraints=tcl_list([VIVADO]),
        registers_base=f"0x{ports.registers_address:08x}",
        gp0_range=f"0x{ports.registers_window_bytes:08x}",
        ddr_range=f"0x{target.memory.bytes:08x}",
        bit_name=output_name(target, ".bit"),
        xsa_name=output_name(target, ".xsa"),
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
