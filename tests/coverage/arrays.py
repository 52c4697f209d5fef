"""Memories in generated Verilog, and whether tools take them."""

from __future__ import annotations

import re

MOST_BITS = 1_000_000
"""Vivado refuses a variable with more ([Synth 8-4556])."""

DECLARATION = re.compile(r"^\s*reg\s+(?:\[(\d+):0\]\s*)?(\S+)\s+\[(\d+):0\]\s*;", re.MULTILINE)


def arrays(verilog: str) -> dict[str, int]:
    """Bits of the largest array of each name."""
    found: dict[str, int] = {}
    for width, name, depth in DECLARATION.findall(verilog):
        bits = (int(width or 0) + 1) * (int(depth) + 1)
        found[name] = max(bits, found.get(name, 0))
    return found


def oversized(verilog: str) -> dict[str, int]:
    """Those that are too large."""
    return {name: bits for name, bits in arrays(verilog).items() if bits > MOST_BITS}
