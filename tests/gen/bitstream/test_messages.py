"""Which messages end a build, as the flow looks at the logs again when Vivado has ended."""

import pytest

from fractrain.gen.bitstream.messages import (
    FATAL_WARNINGS,
    TOLERATED,
    check_message_id,
    first_fatal,
)
from fractrain.hw.contract.errors import ParameterError

HARMLESS = [
    "INFO: [Synth 8-6157] synthesizing module",
    "WARNING: [Synth 8-3331] design has unconnected port",
    "WARNING: [Vivado 12-508] No pins matched 'x'. [/ip/other.xdc:3]",
    "CRITICAL WARNING: [Common 17-741] No write access right to the local Tcl store",
    "CRITICAL WARNING: [PSU-1] Parameter has a negative value",
    "CRITICAL WARNING: [Timing 38-282] The design failed to meet the timing requirements.",
    "CRITICAL WARNING: [Route 35-39] The design did not meet timing requirements.",
    "Command: report_drc -file CRITICAL WARNING: [Synth 8-6859]",
]


def test_harmless_lines() -> None:
    assert first_fatal(HARMLESS, []) is None


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: [Place 30-640] Place Check",
        "CRITICAL WARNING: [xilinx.com:ip:smartconnect:1.0-1] no clock",
        "WARNING: [Synth 8-4767] Trying to implement RAM 'x' in registers.",
        "WARNING: [Synth 8-3391] Unable to infer a block/distributed RAM for 'x'",
        "CRITICAL WARNING: [PSU-5] no DDR delay",
        "WARNING: [Synth 8-327] inferring latch for variable 'x'",
        "WARNING: [Vivado 12-508] No pins matched 'x'. [/somewhere/vivado.xdc:13]",
    ],
)
def test_fatal_lines(line: str) -> None:
    assert first_fatal([*HARMLESS, line + "\n", "ERROR: [Later 1-1] x"], []) == line


def test_tolerated_by_the_user() -> None:
    lines = ["CRITICAL WARNING: [Synth 8-6859] x", "CRITICAL WARNING: [PSU-5] y"]
    assert first_fatal(lines, ["Synth 8-6859"]) == lines[1]
    assert first_fatal(lines, ["Synth 8-6859", "PSU-5"]) is None


def test_ids() -> None:
    for identifier in (
        *("Synth 8-689", "PSU-1", "DRC NSTD-1", "TIMING-17", "BD 41-1356"),
        *("xilinx.com:ip:smartconnect:1.0-1", "xilinx.com:ip:processing_system7:5.5-1"),
    ):
        assert check_message_id(identifier) == identifier
    for wrong in (
        *("", "Synth", "CRITICAL WARNING", "[Synth 8-689]", "a-b", "x} {exec rm -1"),
        *(
            "xilinx.com:ip-1",
            "xilinx.com:ip:smartconnect-1",
            "a:b:c:1.0",
            "Synth 8-\N{SUPERSCRIPT TWO}",
        ),
    ):
        with pytest.raises(ParameterError, match="--tolerate: got"):
            check_message_id(wrong)


def test_own_lists_are_ids_with_reasons() -> None:
    for identifier in (*TOLERATED, *(each for each, _ in FATAL_WARNINGS)):
        assert check_message_id(identifier) == identifier
    assert all(reason for reason in TOLERATED.values())
