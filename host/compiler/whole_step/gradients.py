"""The gradient of a layer, piece by piece: what comes from memory, what moves, what is summed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.compiler.whole_step.convolving import Convolving, Planes, plane_words
from fractrain.host.compiler.whole_step.memory_map import Stash
from fractrain.host.compiler.whole_step.network import Layer
from fractrain.host.compiler.whole_step.templates import GradientTemplate

MOVED_AHEAD = 2
"""Parts whose errors are in the column memory when the first one begins."""


@dataclass(frozen=True)
class Stashed:
    """Activations in memory: from ``plane`` of ``stash`` on, so many ``bits`` of a layer's
    ``header``."""

    stash: Stash
    plane: int
    bits: int
    header: dict[str, Any]


@dataclass
class _Piece:
    """``images`` of the chunk; ``a``: their activations, once they are on the chip."""

    images: range
    a: Planes | None


class LayerGradient:
    """Of ``layer`` with errors ``e`` of the images from ``first`` on, and activations that are
    resident or `Stashed`. Parts are pieces of the images, for each group of filters.

    `begin` brings the first ones; `finish` the others, and sums all. In between other commands of
    the fetch stage go first: it carries them out in their order.
    """

    def __init__(
        self,
        convolving: Convolving,
        layer: Layer,
        a: Planes | Stashed,
        e: Planes,
        first: int,
    ) -> None:
        self._convolving, self._chip, self._layer = convolving, convolving.chip, layer
        self._a, self._e, self._first = a, e, first
        self._pieces: list[_Piece] = []
        self._parts: list[tuple[_Piece, GradientTemplate, Planes]] = []
        self._columns: list[int] = []
        self._loaded = 0

    @property
    def is_small(self) -> bool:
        """Whether its pieces leave room for three tensors of a chunk."""
        a = self._a
        if isinstance(a, Planes):
            return False
        return self._convolving.stands_beside(a.stash.grid.layout(1, a.bits))

    def begin(self) -> None:
        """The first piece, and what moves ahead."""
        if self._pieces:
            return
        self._cut()
        self._load()
        for _ in range(MOVED_AHEAD):
            self._move()

    def _cut(self) -> None:
        e, a = self._e, self._a
        if isinstance(a, Planes):
            ranges = self._convolving.error_pieces(e.images, e.layout)
            self._pieces = [_Piece(each, a.part(each)) for each in ranges]
        else:
            image = a.stash.grid.layout(1, a.bits)
            ranges = self._convolving.pieces(image, e.images, errors=e.layout)
            self._pieces = [_Piece(each, None) for each in ranges]
        for piece in self._pieces:
            part = e.part(piece.images)
            layout = (
                a.layout
                if isinstance(a, Planes)
                else a.stash.grid.layout(len(piece.images), a.bits)
            )
            for template in self._convolving.gradient(self._layer, layout, part):
                self._parts.append((piece, template, part))

    def _load(self, *, needed: bool = False) -> None:
        """The next piece, if it comes from memory and there is room for it; `DoesNotFit` if it is
        ``needed`` now."""
        if self._loaded == len(self._pieces) or isinstance(self._a, Planes):
            return
        piece, a = self._pieces[self._loaded], self._a
        count = len(piece.images)
        words = plane_words(a.stash.grid.layout(count, a.bits))
        if not needed and self._chip.planes.room < words:
            return
        image = self._first + piece.images.start
        piece.a = self._convolving.load(a.stash, image, count, a.plane, a.bits, a.header)
        self._loaded += 1

    def _move(self, *, needed: bool = False) -> None:
        """The next errors, as `_load`."""
        if len(self._columns) < len(self._parts):
            _, template, part = self._parts[len(self._columns)]
            if needed or self._chip.columns.room >= template.words:
                self._columns.append(self._convolving.move(template, part))

    def finish(
        self,
        beats: Sequence[int],
        *,
        add: bool,
        others: Callable[[], None] | None = None,
        every: int = 1,
    ) -> None:
        """To the gradient memory, each group of filters from its own of ``beats`` on; errors and
        activations are free. ``others``: brings something else of what is to come, behind
        ``every`` few parts."""
        self.begin()
        for number, (piece, template, _) in enumerate(self._parts):
            if piece.a is None:
                self._load(needed=True)
            if len(self._columns) == number:
                self._move(needed=True)
            self._load()
            a = piece.a
            assert a is not None
            added = add or piece.images.start > 0
            self._convolving.sum(template, a, self._columns[number], beats, add=added)
            if self._ends(number) and not isinstance(self._a, Planes):
                self._chip.planes.give(a.address)
            self._move()
            if others is not None and number % every == every - 1:
                others()
        if isinstance(self._a, Planes):
            self._chip.planes.give(self._a.address)
        self._chip.planes.give(self._e.address)

    def _ends(self, number: int) -> bool:
        """Whether this part is the last of its piece."""
        parts: Sequence[tuple[_Piece, GradientTemplate, Planes]] = self._parts
        return number + 1 == len(parts) or parts[number + 1][0] is not parts[number][0]
