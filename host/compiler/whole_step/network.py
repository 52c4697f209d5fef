"""A residual network, as a whole step on the machine takes it: layers, segments, stages.

A *segment* ends with an output that is rectified and kept for the way back: the stem, which is the
first convolution, or a residual block. A *stage* is a stem or a block with a shortcut, and the
blocks without one behind it: its outputs have one shape, so its chunks stay on the chip.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fractrain.host.graph import operations as ops
from fractrain.host.graph.geometry import Geometry
from fractrain.host.graph.step import StepGraph


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution, its batch norm, and the way back of both. ``part``: of the batch norm in its
    `Form`. ``update``: its weights' place among the parameters. The images have no ``error``."""

    slot: int
    geometry: Geometry
    quantize: ops.QuantizeWeights
    forward: ops.Convolve
    narrow: ops.Narrow
    apply: ops.Apply
    gradient: ops.Convolve
    error: ops.Convolve | None
    part: int
    update: int

    @property
    def name(self) -> str:
        return self.forward.layer

    @property
    def parameter(self) -> str:
        """The name of its weights."""
        return self.quantize.x.name


@dataclass(frozen=True, eq=False)
class Output:
    """What a segment's end makes, and the error there. ``mask_slot``: where that has bits, there is
    a mask. ``form_slot``: that of its activations, None without any. ``pooled``: whether sums of r
    are read; ``top``: whether a shortcut reads its top planes."""

    form: ops.Form
    join: ops.Join
    mask_slot: int
    form_slot: int | None
    pooled: bool
    top: bool


@dataclass(frozen=True, eq=False)
class Stem:
    """The first convolution, of images."""

    layer: Layer
    output: Output

    @property
    def layers(self) -> tuple[Layer, ...]:
        return (self.layer,)

    @property
    def last(self) -> Layer:
        """The layer of the first batch norm of its output."""
        return self.layer

    @property
    def name(self) -> str:
        return self.layer.name


@dataclass(frozen=True, eq=False)
class Block:
    """Two convolutions of ``slot``, with what is formed between them and the error there, and a
    shortcut or none."""

    slot: int
    first: Layer
    second: Layer
    shortcut: Layer | None
    inside: ops.Form
    inside_join: ops.Join
    output: Output

    @property
    def layers(self) -> tuple[Layer, ...]:
        around = () if self.shortcut is None else (self.shortcut,)
        return (self.first, self.second, *around)

    @property
    def last(self) -> Layer:
        return self.second

    @property
    def name(self) -> str:
        return self.first.name


Segment = Stem | Block


@dataclass(frozen=True, eq=False)
class NetworkStage:
    """Units one behind the other, whose outputs have one shape. ``number``: in the network."""

    number: int
    segments: tuple[Segment, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of its outputs."""
        g = self.segments[0].last.geometry
        return g.filters, *g.output

    @property
    def name(self) -> str:
        return f"stage of {self.segments[0].name}"


@dataclass(frozen=True, eq=False)
class ResidualNetwork:
    """``stages`` in order; ``pixels``: the operation that makes activations of the images;
    ``spread``: the one that makes errors behind the pooling."""

    graph: StepGraph
    stages: tuple[NetworkStage, ...]
    pixels: ops.QuantizePixels
    spread: ops.SpreadErrors

    @cached_property
    def segments(self) -> list[Segment]:
        return [segment for stage in self.stages for segment in stage.segments]

    @property
    def layers(self) -> list[Layer]:
        return [layer for segment in self.segments for layer in segment.layers]

    def before(self, segment: Segment) -> Segment:
        """The one whose output ``segment`` reads."""
        segments = self.segments
        return segments[segments.index(segment) - 1]
