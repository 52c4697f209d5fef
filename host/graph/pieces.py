"""Pieces: convolutions without host work between them, which a machine does in one go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from fractrain.host.graph.operations import Convolve, Operation


@dataclass(frozen=True, eq=False)
class Piece:
    """Convolutions that follow each other directly; none reads the result of another.

    A piece lives as long as its graph, so programs are kept by piece.
    """

    convolutions: tuple[Convolve, ...]

    @property
    def name(self) -> str:
        """Of its first convolution."""
        return self.convolutions[0].name


def cut(operations: Sequence[Operation]) -> Iterator[Operation | Piece]:
    """``operations`` with every longest run of convolutions as one piece."""
    for convolves, run in groupby(operations, lambda each: isinstance(each, Convolve)):
        if convolves:
            yield Piece(tuple(each for each in run if isinstance(each, Convolve)))
        else:
            yield from run
