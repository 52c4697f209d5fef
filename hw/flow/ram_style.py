"""Which RAM of the FPGA a memory becomes: every memory says so, and no tool has to guess.

Attributes for `amaranth.lib.memory.Memory`, as Vivado (UG901) and Yosys read them.
"""

from collections.abc import Mapping

__all__ = ["BLOCK", "DISTRIBUTED", "SHALLOW", "ram_style"]

BLOCK = {"ram_style": "block"}
"""Block RAM: read with the clock only, one write enable for a whole word."""
DISTRIBUTED = {"ram_style": "distributed"}
"""LUTs: the only RAM that is read without a clock. No write enables for parts of a word either:
they would turn the memory into registers."""

SHALLOW = 64
"""Words that a LUT of each bit holds: as many or fewer are not in block RAM."""


def ram_style(depth: int) -> Mapping[str, str]:
    """Of a memory of ``depth`` words that is read with the clock."""
    return DISTRIBUTED if depth <= SHALLOW else BLOCK
