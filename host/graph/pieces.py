"""Pieces: convolutions without host work between them, which a machine does in one go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    """``operations`` with every longest run of convolutions as one piece; one that reads the result
    of another begins a new piece."""
    run: list[Convolve] = []
    for each in operations:
        made = {convolve.result.name for convolve in run}
        if run and not (
            isinstance(each, Convolve)
            and made.isdisjoint(tensor.stored.name for tensor in each.inputs)
        ):
            yield Piece(tuple(run))
            run = []
        if isinstance(each, Convolve):
            run.append(each)
        else:
            yield each
    if run:
        yield Piece(tuple(run))
