"""A memory on the chip while a program is written: what is held, what is kept, what is free.

Whatever is taken is right, as tokens follow from addresses: how it is chosen decides only how much
runs side by side.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass

from fractrain.host.compiler.whole_step.refusal import too_small

MOST_PIECES = 64
"""Free pieces beside each other, beyond which they are joined."""


class Policy(enum.Enum):
    """Which free words are taken: those that have been free for longest, as nothing waits for them,
    or the lowest, which leaves long pieces."""

    OLDEST = enum.auto()
    LOWEST = enum.auto()


@dataclass
class _Piece:
    """Words ``start`` to ``end``. ``freed``: when; None while they are held. ``key``: of what is
    still in them."""

    start: int
    end: int
    freed: int | None
    key: Hashable = None


class Arena:
    """``size`` words of the memory ``name``, counted in ``unit``, taken ``grain`` at a time."""

    def __init__(self, name: str, size: int, unit: str = "words", grain: int = 1) -> None:
        self.name, self.size, self.unit, self._grain = name, size, unit, grain
        self.policy = Policy.OLDEST
        self.step = 0
        """Where it is set, what is taken begins with a multiple of it, unless that is `small`."""
        self.most = 0
        """Words that were held at a time."""
        self._pieces = [_Piece(0, size, 0)]
        self._kept: dict[Hashable, _Piece] = {}
        self._now = self._held = 0

    def take(self, words: int, *, small: bool = False) -> int:
        """Address of ``words`` that are held from now on; `DoesNotFit` if there are none.

        Where the memory has a `step`, ``small`` parts lie as high as possible, so that long pieces
        stay whole.
        """
        words = -(-words // self._grain) * self._grain
        if self.step:
            start = self._highest(words) if small else self._on_step(words)
        else:
            found = self._choose(words)
            start = None if found is None else self._pieces[found[0]].start
        if start is None:
            raise too_small(self.name, self._held + words, self.size, self.unit)
        begin, stop = self._pieces_of(start, start + words)
        pieces = self._pieces[begin:stop]
        for each in pieces:
            self._forget(each)
        first, end = pieces[0].start, pieces[-1].end
        taken = [_Piece(start, start + words, None)]
        if first < start:
            taken.insert(0, _Piece(first, start, pieces[0].freed))
        if start + words < end:
            taken.append(_Piece(start + words, end, pieces[-1].freed))
        self._pieces[begin:stop] = taken
        self._held += words
        self.most = max(self.most, self._held)
        return start

    def give(self, address: int, key: Hashable = None) -> None:
        """What was taken at ``address`` is free, but may be found by ``key`` until it is taken."""
        piece = next(each for each in self._pieces if each.start == address)
        assert piece.freed is None
        self._now += 1
        self._held -= piece.end - piece.start
        piece.freed, piece.key = self._now, key
        if key is not None:
            self._kept[key] = piece
        if len(self._pieces) > MOST_PIECES:
            self._join()

    def find(self, key: Hashable) -> int | None:
        """Address of what is kept by ``key``; as good as given now."""
        piece = self._kept.get(key)
        if piece is None:
            return None
        self._now += 1
        piece.freed = self._now
        return piece.start

    @property
    def room(self) -> int:
        """Most words that could be taken."""
        longest = run = 0
        for each in self._pieces:
            run = 0 if each.freed is None else run + each.end - each.start
            longest = max(longest, run)
        return longest

    def _choose(self, words: int) -> tuple[int, int] | None:
        """First and last piece but one of those to take."""
        best, found = None, None
        pieces = self._pieces
        for begin, first in enumerate(pieces):
            latest, stop = -1, begin
            while stop < len(pieces) and pieces[stop].end - first.start < words:
                stop += 1
            if stop == len(pieces):
                break
            for each in pieces[begin : stop + 1]:
                if each.freed is None:
                    break
                latest = max(latest, each.freed)
            else:
                if best is None or latest < best:
                    best, found = latest, (begin, stop + 1)
                if self.policy is Policy.LOWEST:
                    break
        return found

    def _pieces_of(self, start: int, end: int) -> tuple[int, int]:
        """First and last piece but one with words from ``start`` to ``end``."""
        begin = next(n for n, each in enumerate(self._pieces) if each.end > start)
        stop = next(n for n in range(begin, len(self._pieces)) if self._pieces[n].end >= end)
        return begin, stop + 1

    def _latest(self, start: int, end: int) -> int | None:
        """When the last of these words became free; None if any is held."""
        begin, stop = self._pieces_of(start, end)
        latest = 0
        for each in self._pieces[begin:stop]:
            if each.freed is None:
                return None
            latest = max(latest, each.freed)
        return latest

    def _on_step(self, words: int) -> int | None:
        """The first of those that have been free for longest, at a multiple of the step."""
        best, found = None, None
        for start in range(0, self.size - words + 1, self.step):
            latest = self._latest(start, start + words)
            if latest is not None and (best is None or latest < best):
                best, found = latest, start
        return found

    def _highest(self, words: int) -> int | None:
        """The first of the highest that are free."""
        run = 0
        for each in reversed(self._pieces):
            run = 0 if each.freed is None else run + each.end - each.start
            if run >= words:
                return each.start + run - words
        return None

    def _forget(self, piece: _Piece) -> None:
        if piece.key is not None:
            del self._kept[piece.key]

    def _join(self) -> None:
        """Neighbours that are free, and of which nothing is kept, become one."""
        joined: list[_Piece] = []
        for each in self._pieces:
            last = joined[-1] if joined else None
            if (
                last is not None
                and last.freed is not None
                and each.freed is not None
                and last.key is each.key is None
            ):
                last.end, last.freed = each.end, max(last.freed, each.freed)
            else:
                joined.append(each)
        self._pieces = joined
