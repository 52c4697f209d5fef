"""A field of a word: of a command, of a record."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass

from fractrain.hw.contract.window import SLOTS

GROUP_BITS = 4
NO_GROUP = (1 << GROUP_BITS) - 1
"""In the ``groups`` of a LOAD or MOVE: this half-block is not kept."""

HALF_BLOCKS = SLOTS + 1
"""Of the words that make a column word: whole words, of which one half goes nowhere."""


@dataclass(frozen=True)
class Field:
    """``width`` bits at ``offset`` of a word.

    meaning : in a few words
    signed : two's complement
    count : must be at least 1 (else `Fault.COUNT`)
    """

    width: int
    meaning: str
    signed: bool = False
    count: bool = False
    offset: int = 0

    @functools.cached_property
    def least(self) -> int:
        """The smallest number that the bits can hold."""
        return -(1 << self.width - 1) if self.signed else 0

    @functools.cached_property
    def greatest(self) -> int:
        """The largest one."""
        return self.least + (1 << self.width) - 1

    def extract(self, word: int) -> int:
        """The number in ``word``."""
        raw = word >> self.offset & ((1 << self.width) - 1)
        return raw - (1 << self.width) if raw > self.greatest else raw

    def insert(self, value: int) -> int:
        """``value`` in its place, every other bit 0."""
        return (value & ((1 << self.width) - 1)) << self.offset


def packed(offset: int, fields: Mapping[str, Field], bits: int) -> dict[str, Field]:
    """``fields`` one after the other, from bit ``offset`` on, in a word of ``bits``."""
    placed = {}
    for name, field in fields.items():
        placed[name] = dataclasses.replace(field, offset=offset)
        offset += field.width
    if offset > bits:
        raise AssertionError(f"{offset} bits do not fit into {bits}")
    return placed
