"""Commands of the fetch stage for a vector unit: MOVE, RECALL, FILL, SET.

As in `commands`, docstrings are normative.
"""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract.commands.enums import Recalled, Tag
from fractrain.hw.contract.commands.field import GROUP_BITS
from fractrain.hw.contract.precision import Operand


@dataclass(frozen=True, kw_only=True)
class Headed:
    """What all commands have."""

    slot: int = 0
    operand: Operand = Operand.ACTIVATION
    partner: Operand = Operand.WEIGHT
    tag: Tag = Tag.OTHER
    wait: int = 0
    signal: int = 0


@dataclass(frozen=True, kw_only=True)
class Move(Headed):
    """Words of the plane memory into the column memory.

    As a LOAD to COLUMNS, but it reads the word

        address + d * digit_stride + r * run_stride + i

    of the plane memory for plane d of ``operand``, run r < ``runs`` and word i < ``words``: two
    half-blocks, h = 2 i and 2 i + 1, of word ``destination + d * destination_digit_stride + r *
    destination_run_stride`` of the column memory.
    """

    transposed: bool = False
    address: int = 0
    digit_stride: int = 0
    run_stride: int = 0
    runs: int = 1
    words: int = 1
    destination: int = 0
    destination_digit_stride: int = 0
    destination_run_stride: int = 0
    groups: int = 0

    def group(self, half: int) -> int:
        """Lane group of half-block ``half``, or `NO_GROUP`."""
        return self.groups >> GROUP_BITS * half & (1 << GROUP_BITS) - 1


@dataclass(frozen=True, kw_only=True)
class Recall(Headed):
    """What the way back needs, from planes in memory into the side memory.

    Plane p of block b of group g is the word

        address + word_bytes * (p * plane_stride + g * group_stride + b)

    for g < ``channel_groups``, b < ``blocks``: the most significant first, as many planes as
    ``kind`` says, signed unless it is r. Channel c of it becomes line ``destination + (g * blocks +
    b) * C + c``; the first line is even, else it is ADDRESS. The mask is plane ``mask_plane`` if
    ``masked``, else 0.
    """

    kind: Recalled
    address: int
    kept_slot: int = 0
    bits: int = 0
    masked: bool = False
    mask_plane: int = 0
    plane_stride: int = 0
    group_stride: int = 0
    channel_groups: int = 1
    blocks: int = 1
    destination: int = 0


@dataclass(frozen=True, kw_only=True)
class Fill(Headed):
    """Lines from memory into the staging memory, whatever the slot.

    A line is P numbers of 16 bits, pixel 0 first. Line i < ``lines`` of run r < ``runs`` is at

        address + 2 P * (r * run_stride + i)

    and becomes line ``destination + r * destination_run_stride + i``.
    """

    address: int
    runs: int = 1
    lines: int = 1
    run_stride: int = 0
    destination: int = 0
    destination_run_stride: int = 0


@dataclass(frozen=True, kw_only=True)
class Set(Headed):
    """Records of 16 bytes from memory into the parameter memory, whatever the slot.

    ``words`` words from ``address`` on, which is ``words * word_bytes / 16`` records, become those
    from ``destination`` on. `hw.contract.records` says what is in them.
    """

    address: int
    words: int = 1
    destination: int = 0
