"""Parts of a chunk forward: what the vector unit forms at a time."""

from __future__ import annotations

from dataclasses import dataclass

FORMED_PARTS = 2
"""Of a chunk, at most."""


@dataclass(frozen=True)
class Part:
    """``groups`` of channels of some ``images`` of a chunk: lines that lie one behind the other, as
    it has all groups or all images. ``last``: of its chunk."""

    groups: range
    images: range
    last: bool

    @property
    def size(self) -> int:
        """Groups of an image."""
        return len(self.groups) * len(self.images)

    def first(self, count: int) -> int:
        """Groups of an image in front of it, in a chunk of ``count`` images."""
        return count * self.groups.start + self.images.start


def parts_of(groups: int, images: int, *, whole: bool = False) -> list[Part]:
    """Of several ``groups`` of channels the first are formed while the array is at the others; of
    one, the array goes on with the first images while the others are formed. ``whole``: all groups
    at once."""
    if groups == 1:
        cuts = _cut(images, FORMED_PARTS)
        return [Part(range(1), each, each.stop == images) for each in cuts]
    cuts = _cut(groups, 1 if whole else FORMED_PARTS)
    return [Part(each, range(images), each.stop == groups) for each in cuts]


def _cut(count: int, parts: int) -> list[range]:
    size = -(-count // parts)
    return [range(first, min(first + size, count)) for first in range(0, count, size)]
