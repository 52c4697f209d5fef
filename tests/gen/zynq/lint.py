"""Verilator as a linter of the board's design, and what it may say of generated code.

    python -m tests.gen.zynq.lint --config zc706

lints a whole machine and prints what is wrong, in minutes; the tests do so for a small one.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fractrain.gen.zynq.names import ACCELERATOR_NAME, BARE_NAME
from fractrain.gen.zynq.sources import sources
from fractrain.hw.contract.parameters import load_parameters
from fractrain.sim.cosim.toolchain import require_tools, tool_environment
from tests.gen.zynq.cell_library import empty_module, primitives

__all__ = ["Complaint", "lint"]

CELLS = "cells"
VERILATOR = (
    "verilator --lint-only -Wall -Wpedantic -Wno-fatal --default-language 1364-2001 "
    f"--top-module {BARE_NAME}"
).split()
LINE = re.compile(r"^%(Warning|Error)-?(\w*): (\w+)\.v:\d+:\d+: (.*)")

# What Amaranth's Verilog does on purpose, or its Yosys as it writes it; nothing of it is a fault.
# Amaranth itself refuses nets with two drivers, and Yosys connections of unequal widths.
STYLE = {
    "ASCRANGE": "a vector of no bits is [-1:0]",
    "CASEINCOMPLETE": "what no case assigns keeps the value assigned before the case",
    "DECLFILENAME": "many modules in one file",
    "PROCASSINIT": "registers have their initial value at their declaration",
    "SYMRSVDWORD": "a name that is a word of C++",
    "UNUSEDSIGNAL": "bits that a shared module has and this place does not need",
}
# Operands of an operator are extended as Verilog's rules say, which Amaranth relies on; a shift is
# written with all the bits that it shifts. A port with a connection of another width is neither.
WIDTHS = re.compile(
    r"(Logical operator LOGNOT|Operator (?!ASSIGN)\w+) expects"
    r"|Operator ASSIGNW expects \d+ bits on the Assign RHS, but Assign RHS's SHIFTR generates"
)
UNCONNECTED = re.compile(r"Instance has missing pin: '(\w+)'")


@dataclass(frozen=True)
class Complaint:
    """A warning or error: ``code`` is empty for a plain error."""

    code: str
    file: str
    text: str


def lint(folder: Path, files: Mapping[str, str]) -> list[Complaint]:
    """What Verilator says of the bare top in ``files`` (module name → Verilog) that is not of the
    style of generated code. All of it must be Verilog-2001, which is what a Vivado block design
    takes. Primitives are empty modules with the ports that Yosys knows."""
    require_tools()
    cells = "\n".join(empty_module(each) for each in primitives().values())
    for name, text in {CELLS: cells, **files}.items():
        (folder / f"{name}.v").write_text(text)
    result = subprocess.run(
        [*VERILATOR, *(f"{name}.v" for name in (CELLS, *files))],
        cwd=folder,
        env=tool_environment(),
        capture_output=True,
        text=True,
        timeout=1200,
    )
    found = [
        Complaint(match[2], match[3], match[4])
        for match in map(LINE.match, result.stderr.splitlines())
        if match
    ]
    assert result.returncode == 0 or found, result.stderr
    assert any(each.file == CELLS for each in found), "Verilator has not warned of empty modules"
    return [each for each in found if each.file != CELLS and not _is_style(each)]


def _is_style(complaint: Complaint) -> bool:
    if complaint.file != ACCELERATOR_NAME:
        return False
    if complaint.code in ("WIDTHEXPAND", "WIDTHTRUNC"):
        return WIDTHS.match(complaint.text) is not None
    if complaint.code == "PINMISSING":
        pin = UNCONNECTED.match(complaint.text)
        return pin is not None and _is_unused_output(pin[1])
    return complaint.code in STYLE


def _is_unused_output(pin: str) -> bool:
    """Of whichever primitive: no name is an output of one and an input of another."""
    return {each.ports[pin][0] for each in primitives().values() if pin in each.ports} == {"output"}


def main() -> int:
    """The number of complaints, printed."""
    parser = argparse.ArgumentParser(description="Lint the board's design of a machine.")
    parser.add_argument("--config", default="zc706", help="preset or YAML file (default: zc706)")
    parameters = load_parameters(parser.parse_args().config)
    files = {
        name.removesuffix(".v"): content.decode()
        for name, content in sources(parameters, bare=True).items()
    }
    with tempfile.TemporaryDirectory() as folder:
        complaints = lint(Path(folder), files)
    for each in complaints:
        print(f"{each.code} {each.file}: {each.text}")
    print(f"{len(complaints)} complaints")
    return min(len(complaints), 1)


if __name__ == "__main__":
    sys.exit(main())
