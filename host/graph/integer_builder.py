"""The builder of the integer step: what a network emits, as the four passes of the machine.

A network calls for batch norm, additions, a rectifier, and then for activations of some bits, or
for the tensor as a residual. Here that is one operation, `Form`, which needs all of this at once:
the calls before the rectifier collect what is to be formed, those after it what of, and `complete`
makes the operation. Until then a `_Place` keeps its place in the order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fractrain.host.graph import operations as ops
from fractrain.host.graph.blocks import Block, Product, Slots
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.names import Named
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.slots import Slot
from fractrain.host.graph.tensor import BySlot, Fixed, Kind, OfNormalized, Tensor
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.numerics import MAX_ACTIVATION_BITS, MAX_CHUNK_PIXELS
from fractrain.hw.contract.precision import Operand, Pass


@dataclass
class _Normalized:
    """A batch norm that waits to be formed."""

    name: str
    y: Tensor
    scale: tuple[Tensor, Tensor]
    running: tuple[Tensor, Tensor]
    slot: int


@dataclass
class _Sum:
    """What is to be formed: batch norms, and an earlier tensor."""

    normalized: list[_Normalized]
    residual: _Rectified | None = None


@dataclass(frozen=True, eq=False)
class _Place(Operation):
    """Where a `Form` will be; it has its name and slot."""


@dataclass
class _Rectified:
    """A rectified sum, which is formed at ``place``, and who reads it: ``wanted`` as activations by
    slots, the ``stream`` as a residual."""

    name: str
    shape: tuple[int, ...]
    sum: _Sum
    place: _Place
    range_name: str
    wanted: list[tuple[Tensor, int]] = field(default_factory=list)
    stream: Tensor | None = None


MAX_NORMALIZED = 2
"""Batch norms in one sum: z has words for so many."""

STEP = (
    *(ops.QuantizePixels, ops.QuantizeWeights, ops.TopPlanes, ops.Convolve),
    *(ops.Narrow, ops.Form, ops.PoolSums, ops.Linear, ops.Loss, ops.ChooseEarly, ops.RecordMeans),
)
"""Operations of the forward half; the others are of real numbers."""


class IntegerBuilder(Builder):
    """As `Builder`, of a step in integers. ``shares``: the block that learns the share of a batch
    norm, by the name of its y.

    Raises `ParameterError` for a network that puts its layers together in another way: a batch norm
    follows each convolution; batch norms are added, with one earlier activation at most, and
    rectified.
    """

    def __init__(self, options: Any, images: tuple[int, int, int, int], *, training: bool) -> None:
        super().__init__(options, images, training=training)
        assert isinstance(options.integers, IntegerOptions)
        self.operands: dict[str, tuple[Tensor, Tensor, int]] = {}
        """Of sums: row, column, and products of a sum."""
        self.shares: dict[str, int] = {}
        self._sums: dict[str, _Sum] = {}
        self._rectified: dict[str, _Rectified] = {}
        self._choices: list[Operation] = []
        self._weights: set[str] = set()
        self._narrowed: dict[str, tuple[int, int]] = {}

    # -- convolutions ----------------------------------------------------------------------

    def weights(self, name: str, weight: Tensor, slot: int) -> Tensor:
        """As `Builder.weights`; a tensor of weights belongs to one layer."""
        if weight.name in self._weights:
            raise ParameterError(
                "weights", weight.name, "those of one layer only, in hardware mode"
            )
        self._weights.add(weight.name)
        return super().weights(name, weight, slot)

    def multiply(self, products: Sequence[Product]) -> list[Tensor]:
        """The exact sums of ``products``."""
        found = []
        for each in products:
            sums = self._convolve(each)
            self.operands[sums.name] = each.row, each.column, _depth(each)
            found.append(sums)
        return found

    # -- what is formed --------------------------------------------------------------------

    def batch_norm(
        self,
        name: str,
        x: Tensor,
        scale: tuple[Named, Named],
        running: tuple[Named, Named],
        group: int | None,
        slot: int | None = None,
    ) -> Tensor:
        """Of a convolution's sums, which are narrowed; chunks take the place of ``group``."""
        if x.name not in self.operands or slot is None:
            raise ParameterError(f"batch norm {name}", x.name, "one behind a convolution")
        name = self.name(name)
        self._check_chunk(name, x.shape)
        row, column, _ = self.operands[x.name]
        y = self.tensor(f"{name}.narrow", x.shape, Kind.NARROW, bits=Fixed(16))
        self.emit(ops.Narrow(y.name, slot, x, row, column, y, f"{name}.sums"))
        self._narrowed[y.name] = slot, len(self._narrowed)
        gamma, beta = (self.parameter(each) for each in scale)
        mean, variance = (self.statistic(each) for each in running)
        normalized = _Normalized(name, y, (gamma, beta), (mean, variance), slot)
        return self._virtual(f"{name}.y", x.shape, _Sum([normalized]))

    def _check_chunk(self, name: str, shape: Sequence[int]) -> None:
        """Refuse statistics of more pixels than their words hold."""
        assert self.options.integers is not None
        images, _, height, width = shape
        chunk = self.options.integers.chunk(images, height, width) if self.training else 1
        if chunk * height * width > MAX_CHUNK_PIXELS:
            raise ParameterError(
                f"chunk of {name}",
                f"{chunk} images of {height} x {width} pixels",
                f"at most {MAX_CHUNK_PIXELS} pixels; take smaller chunks (--chunk)",
            )

    def share(self, name: str, x: Tensor, slot: int) -> Tensor:
        """``x``, which is a batch norm; its share of the block's output is learned."""
        if self.options.learns:
            for each in self._sum_of(x, f"share {name}").normalized:
                self.shares[each.y.name] = self._block
        return x

    def add(self, name: str, x: Tensor, other: Tensor) -> Tensor:
        """Of two batch norms, or of a batch norm and what was formed before."""
        total, around = _Sum([]), []
        for each in (x, other):
            if each.name in self._rectified:
                around.append(self._rectified[each.name])
                continue
            found = self._sum_of(each, f"addition {name}")
            total.normalized += found.normalized
            around += [] if found.residual is None else [found.residual]
        if len(around) > 1 or not 1 <= len(total.normalized) <= MAX_NORMALIZED:
            given = f"{len(total.normalized)} batch norms, {len(around)} earlier activations"
            allowed = f"1..{MAX_NORMALIZED} batch norms, at most one activation, in hardware mode"
            raise ParameterError(f"addition {name}", given, allowed)
        for rectified in around:
            total.residual = rectified
            self._stream(rectified)
        return self._virtual(f"{self.name(name)}.y", x.shape, total)

    def rectify(self, name: str, x: Tensor, slot: int | None = None) -> Tensor:
        """Where `Form` will be. ``slot``: as of `Builder.rectify`; with its batch norms the
        rectifier goes, too."""
        found, name = self._sum_of(x, f"rectifier {name}"), self.name(name)
        inside = slot if found.residual is None else None
        place = _Place(f"{name}.form", inside)
        self.emit(place)
        y = self._name_of(f"{name}.y", x.shape)
        self._rectified[y.name] = _Rectified(name, x.shape, found, place, f"{name}.range")
        return y

    def measure(self, name: str, x: Tensor, running: Named, slot: int | None = None) -> Tensor:
        """The range is that of `Form`, by the name of ``running``."""
        self._rectified_of(x, name).range_name = running.name
        return x

    def activations(self, name: str, x: Tensor, extent: Tensor, slot: int) -> Tensor:
        rectified, name = self._rectified_of(x, name), self.name(name)
        bits = BySlot(slot, Operand.ACTIVATION)
        q = self.tensor(name, x.shape, Kind.ACTIVATIONS, signed=False, bits=bits)
        rectified.wanted.append((q, slot))
        return q

    def pool(self, name: str, x: Tensor) -> Tensor:
        name, stream = self.name(name), self._stream(self._rectified_of(x, name))
        y = self.tensor(f"{name}.y", x.shape[:2])
        self.emit(ops.PoolSums(name, None, stream, y))
        return y

    # -- blocks ----------------------------------------------------------------------------

    def block(self, name: str, x: Tensor, body: Callable[[Tensor, Slots], Tensor]) -> Tensor:
        """As `Builder.block`; the choice is made before the step."""
        if self._block >= 0:
            raise ParameterError("block", name, "one outside of other blocks")
        number = len(self.blocks)
        slot = Slot(0, name, self.options.precisions, number, chosen=True)
        slots = Slots(self._new_slot(slot), 0)
        self.blocks.append(Block(name, number, x, (slots,)))
        self._choices.append(ops.ChooseEarly(f"{name}.choose", None, number))
        self._names.take("operation", f"operation {name}.choose")
        if self.options.learns:
            stream = self._stream(self._rectified_of(x, name))
            self.emit(ops.RecordMeans(f"{name}.means", None, stream, number))
        self._block = number
        y = body(x, slots)
        self._block = -1
        return y

    # -- the way back ----------------------------------------------------------------------

    def add_gradient(self, parameter: Tensor, gradient: Tensor, slot: int | None) -> None:
        if gradient.kind is not Kind.SUMS:
            super().add_gradient(parameter, gradient, slot)
            return
        row, column, depth = self.operands[gradient.name]
        operands = gradient, row, column, depth
        self.emit(ops.AddSums(f"{gradient.name}.add", slot, parameter, *operands))

    def slot_of(self, y: Tensor) -> int:
        """The slot of the convolution that ``y`` narrows."""
        return self._narrowed[y.name][0]

    def number_of(self, y: Tensor) -> int:
        """The number of its errors among the tensors that are rounded at random."""
        return self._narrowed[y.name][1]

    # -- the end ---------------------------------------------------------------------------

    def complete(self) -> None:
        """Make what was formed, now that all its readers are known; choices come first."""
        for each in self.operations:
            if not isinstance(each, (*STEP, _Place)):
                allowed = "one of the integer step; --mode float has others"
                raise ParameterError(f"operation {each.name}", type(each).__name__, allowed)
        operations: list[Operation] = [*self._choices]
        waiting = {each.place: each for each in self._rectified.values()}
        for each in self.operations:
            operations += self._complete(waiting[each]) if isinstance(each, _Place) else [each]
        self.operations[:] = operations

    def _complete(self, rectified: _Rectified) -> list[Operation]:
        """The operation, and those that read further bits of its result."""
        a, others = self._activations(rectified)
        if others:
            self._stream(rectified)
        parts = rectified.sum.normalized
        inner = (
            rectified.stream is None
            and rectified.sum.residual is None
            and len(parts) == 1
            and a is not None
            and a[1] == parts[0].slot
        )
        residual = rectified.sum.residual
        form = ops.Form(
            rectified.place.name,
            rectified.place.slot,
            ys=tuple(each.y for each in parts),
            gammas=tuple(each.scale[0] for each in parts),
            betas=tuple(each.scale[1] for each in parts),
            running=tuple(each.running for each in parts),
            residual=None if residual is None else self._stream(residual),
            a=None if a is None else a[0],
            r=rectified.stream,
            mask=self._mask(rectified),
            kept=tuple(self._kept(each, inner) for each in parts) if self.training else (),
            slots=tuple(each.slot for each in parts),
            bits=Fixed(MAX_ACTIVATION_BITS) if a is None else BySlot(a[1], Operand.ACTIVATION),
            inner=inner,
            range_name=rectified.range_name,
        )
        if rectified.place in self.members:
            self.members[form] = self.members.pop(rectified.place)
        found: list[Operation] = [form]
        for q, slot in others:
            assert rectified.stream is not None
            planes = ops.TopPlanes(f"{q.name}.planes", slot, rectified.stream, q)
            if form in self.members:
                self.members[planes] = self.members[form]
            found.append(planes)
        return found

    def _activations(
        self, rectified: _Rectified
    ) -> tuple[tuple[Tensor, int] | None, list[tuple[Tensor, int]]]:
        """Those that are formed, at a chosen precision if any are; and others, which read the
        stream."""
        chosen = [each for each in rectified.wanted if self.slots[each[1]].chosen]
        first = next(iter(chosen or rectified.wanted), None)
        others = [each for each in rectified.wanted if each is not first]
        return first, others

    def _mask(self, rectified: _Rectified) -> Tensor | None:
        if not self.training:
            return None
        return self.tensor(f"{rectified.name}.mask", rectified.shape, Kind.MASK)

    def _kept(self, part: _Normalized, inner: bool) -> Tensor:
        name, bits = f"{part.name}.kept", OfNormalized(part.slot, inner)
        return self.tensor(name, part.y.shape, Kind.NORMALIZED, bits=bits)

    # -- what stands for what --------------------------------------------------------------

    def _virtual(self, name: str, shape: Sequence[int], found: _Sum) -> Tensor:
        tensor = self._name_of(name, shape)
        self._sums[tensor.name] = found
        return tensor

    def _name_of(self, name: str, shape: Sequence[int]) -> Tensor:
        """A tensor that is never in memory: it names what is going to be formed."""
        return self.tensor(name, shape)

    def _sum_of(self, x: Tensor, reader: str) -> _Sum:
        if x.name not in self._sums:
            raise ParameterError(reader, x.name, "one of batch norms, in hardware mode")
        return self._sums[x.name]

    def _rectified_of(self, x: Tensor, reader: str) -> _Rectified:
        if x.name not in self._rectified:
            raise ParameterError(reader, x.name, "one of a rectified tensor, in hardware mode")
        return self._rectified[x.name]

    def _stream(self, rectified: _Rectified) -> Tensor:
        """What was formed as a residual."""
        if rectified.stream is None:
            assert self.options.integers is not None
            bits = Fixed(self.options.integers.residual_bits)
            shape, kind = rectified.shape, Kind.ACTIVATIONS
            rectified.stream = self.tensor(
                f"{rectified.name}.r", shape, kind, signed=False, bits=bits
            )
        return rectified.stream


def _depth(product: Product) -> int:
    """The most products in one of its sums."""
    geometry, taps = product.geometry, math.prod(product.geometry.kernel)
    if product.pass_ is Pass.FORWARD:
        return geometry.channels * taps
    if product.pass_ is Pass.ERROR:
        return geometry.filters * taps
    images, _, *size = geometry.errors
    return images * math.prod(size)
