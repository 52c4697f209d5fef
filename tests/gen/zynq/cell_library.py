"""Vendor primitives as Yosys itself reads them, and as modules that a simulator or linter takes."""

from __future__ import annotations

import functools
import json
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fractrain.gen.synthesis.yosys import yosys_command
from fractrain.gen.tool_environment import python_environment

__all__ = ["PRIMITIVES", "Primitive", "empty_module", "primitives", "run_yosys"]

PRIMITIVES = ("PS7", "BUFG", "LUT6", "LUT6_2", "CARRY4", "MUXF7", "DSP48E1")
"""What the board's design instantiates; the memories are inferred."""


@dataclass(frozen=True)
class Primitive:
    """ports : name → (direction, width); parameters : name → default, as Verilog"""

    name: str
    ports: dict[str, tuple[str, int]]
    parameters: dict[str, str]


def run_yosys(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run ``script`` in ``folder``."""
    return subprocess.run(
        yosys_command("-q", "-p", script),
        cwd=folder,
        env=python_environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )


@functools.cache
def primitives() -> dict[str, Primitive]:
    """All of `PRIMITIVES`, from Yosys's own parser."""
    kept = " ".join(f"={name}" for name in PRIMITIVES)
    with tempfile.TemporaryDirectory() as folder:
        result = run_yosys(
            Path(folder),
            "read_verilog -lib +/xilinx/cells_sim.v +/xilinx/cells_xtra.v; "
            f"select -set kept {kept}; delete =* @kept %d; write_json cells.json",
        )
        assert result.returncode == 0, result.stdout + result.stderr
        modules = json.loads(Path(folder, "cells.json").read_text())["modules"]
    return {
        name: Primitive(
            name,
            {port: (each["direction"], len(each["bits"])) for port, each in found["ports"].items()},
            {
                key: _literal(value)
                for key, value in found.get("parameter_default_values", {}).items()
            },
        )
        for name, found in modules.items()
    }


def _literal(value: str) -> str:
    bits = value and set(value) <= set("01xz")
    return f"{len(value)}'b{value}" if bits else f'"{value.strip()}"'


def empty_module(primitive: Primitive, lines: Iterable[str] = ()) -> str:
    """A module with the ports and parameters of ``primitive``, and ``lines`` for its inside."""
    parameters = [f"parameter {name} = {value}" for name, value in primitive.parameters.items()]
    ports = [
        f"{way} wire {f'[{width - 1}:0] ' if width > 1 else ''}{port}"
        for port, (way, width) in primitive.ports.items()
    ]
    head = f" #({', '.join(parameters)})" if parameters else ""
    return "\n".join(
        [
            f"module {primitive.name}{head} (",
            "  " + ",\n  ".join(ports),
            ");",
            *lines,
            "endmodule\n",
        ]
    )
