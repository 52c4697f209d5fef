"""The window that feeds the rows of the array: nine slots of a block each.

One for each tap of a 3 x 3 kernel, so the lanes of the array are nine groups of a block's channels.
"""

from __future__ import annotations

SLOTS = 9

SLOT_COLUMNS = 3
"""Slots ``s`` with equal ``s % 3`` are written from the same variant of a block."""

QUARTERS = 4
"""Of a slot, each with its own write enable and its own source."""

GRADIENT_PAIRS = 2
"""Pairs of (tap, block of channels) that the gradient computes at once, on rows side by side."""

GRADIENT_BLOCKS = 4
"""Blocks of pixels on the lanes, in the gradient."""


def gradient_slot(pair: int, block: int) -> int:
    """The slot that holds pixel block ``block`` of ``pair`` (`Convolve`)."""
    return SLOT_COLUMNS * block + pair if block < SLOT_COLUMNS else 2 + SLOT_COLUMNS * pair
