"""Which of Vivado's messages end a build. The Tcl applies it while it runs, `first_fatal` after.

Every critical warning and every error ends the build, even where Vivado goes on: most mean another
design than intended (an open port, a constraint that did not apply, several drivers of a net).
`TOLERATED` lists those that say nothing about the design, each with its reason; ``--tolerate`` adds
to them. Plain warnings come by the thousand and do not count, except `FATAL_WARNINGS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fractrain.gen.bitstream.constraints import VIVADO
from fractrain.hw.contract.errors import ParameterError

__all__ = ["FATAL_WARNINGS", "TOLERATED", "check_message_id", "first_fatal"]

TOLERATED = {
    "Common 17-741": "the Tcl store in the user's home cannot be written: nothing here uses it",
    # route_design and its report say so before post-route phys_opt_design, which may mend it.
    **dict.fromkeys(
        ("Route 35-39", "Timing 38-282"),
        "timing is not met before the last optimization: the slacks after it decide",
    ),
    # Many boards' presets have them (Digilent/vivado-boards, issue 20).
    **{
        f"PSU-{number}": "a DDR delay of the preset is negative: the boot loader sets up the "
        "memory, nothing of it is in the bitstream"
        for number in range(1, 5)
    },
}
"""Id of a critical warning → why it does not matter."""

FATAL_WARNINGS = (
    ("Synth 8-327", ""),  # a latch is inferred: the generator makes none
    ("Synth 8-3391", ""),  # a RAM of the style that was asked for cannot be inferred
    ("Synth 8-4767", ""),  # a RAM becomes registers
    ("Vivado 12-180", VIVADO),  # no cells matched
    ("Vivado 12-507", VIVADO),  # no nets matched
    ("Vivado 12-508", VIVADO),  # no pins matched
    ("Vivado 12-584", VIVADO),  # no ports matched
    ("Vivado 12-627", VIVADO),  # no clocks matched
)
"""Plain warnings that end the build: id, and the file that the line must name, if any. Constraints
of Vivado's own IP may name what a configuration leaves out; ours may not."""

# "Synth 8-6859", "PSU-1", "DRC NSTD-1"; of reports the rule alone: "TIMING-17"; of an IP its
# vendor, library, name and version: "xilinx.com:ip:smartconnect:1.0-1".
IDENTIFIER = re.compile(r"(\w+ )?\w+-\d+|[\w.-]+(:[\w.-]+){2}:\d+(\.\d+)*-\d+")
MESSAGE = re.compile(r"(CRITICAL WARNING|WARNING|ERROR): \[([^\]]+)\]")


def check_message_id(identifier: str) -> str:
    """``identifier``, the id of a message of Vivado; `ParameterError` if it is none."""
    if not IDENTIFIER.fullmatch(identifier) or not identifier.isascii():
        raise ParameterError(
            "--tolerate", identifier, 'an id as Vivado prints it in brackets, such as "Synth 8-689"'
        )
    return identifier


def first_fatal(lines: Iterable[str], tolerated: Sequence[str]) -> str | None:
    """The first of a log's ``lines`` that ends a build, if one does."""
    harmless = {*TOLERATED, *tolerated}
    for line in lines:
        found = MESSAGE.match(line)
        if found is None:
            continue
        severity, identifier = found.groups()
        if severity == "WARNING":
            if any(identifier == each and file in line for each, file in FATAL_WARNINGS):
                return line.rstrip()
        elif identifier not in harmless:
            return line.rstrip()
    return None
