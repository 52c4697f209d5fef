"""What a builder's calls are about: blocks, their slots, and products to be emitted."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.graph.geometry import Geometry
from fractrain.host.graph.tensor import Tensor
from fractrain.hw.contract.precision import Pass


@dataclass(frozen=True)
class Slots:
    """Where layers find their precision: chosen layers in one slot, layers at a fixed precision in
    the other."""

    chosen: int
    others: int


@dataclass(frozen=True, eq=False)
class Block:
    """A part of the network with one choice of precision. ``slots``: one for each of its paths."""

    name: str
    number: int
    x: Tensor
    slots: tuple[Slots, ...]

    @property
    def channels(self) -> int:
        """Channels of its input, which the choice may read."""
        return self.x.shape[1]


@dataclass(frozen=True)
class Product:
    """One convolution of ``layer`` to be emitted."""

    layer: str
    pass_: Pass
    geometry: Geometry
    row: Tensor
    column: Tensor
    slot: int
