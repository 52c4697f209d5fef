"""The tensors that a program has in memory, and the stored width of their rows."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.compiler.canonical import PixelUse, Unfolded


@dataclass(frozen=True)
class PixelKey:
    """A tensor of pixels as some step reads it."""

    name: str
    use: PixelUse


@dataclass(frozen=True)
class KernelKey:
    """Weights as some step reads them."""

    name: str
    form: Unfolded | None
    filters: int
    channels: int
    taps: int


Key = PixelKey | KernelKey


class Widths:
    """Row widths of all tensors of pixels: the smallest that every step can work with."""

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels
        self._width: dict[PixelKey, int] = {}
        self._halved: set[PixelKey] = set()
        self._ratios: list[tuple[PixelKey, PixelKey, int]] = []

    def add(self, key: PixelKey, stride: int) -> None:
        """``key`` is read with ``stride``."""
        self._width.setdefault(key, key.use.stored[1])
        if stride == 2:
            self._halved.add(key)

    def tie(self, wide: PixelKey, narrow: PixelKey, ratio: int) -> None:
        """Rows of ``wide`` are ``ratio`` times as wide as those of ``narrow``."""
        self._ratios.append((wide, narrow, ratio))

    def settle(self) -> dict[PixelKey, int]:
        """The width of each."""
        before: dict[PixelKey, int] = {}
        while before != self._width:
            before = dict(self._width)
            for key, width in before.items():
                self._width[key] = self._legal(key, width)
            for wide, narrow, ratio in self._ratios:
                self._width[wide] = max(self._width[wide], ratio * self._width[narrow])
                self._width[narrow] = max(self._width[narrow], self._width[wide] // ratio)
        return self._width

    def _legal(self, key: PixelKey, width: int) -> int:
        p, halved = self._pixels, key in self._halved
        for part in (p // 4, p // 2, p):
            if width <= part and not (halved and part == p // 4):
                return part
        unit = 2 * p if halved else p
        return -(-width // unit) * unit
