"""The builder that a network calls: it collects operations, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fractrain.host.graph import operations as ops
from fractrain.host.graph.arguments import check_channels
from fractrain.host.graph.blocks import Block, Product, Slots
from fractrain.host.graph.convolution import operand_shapes
from fractrain.host.graph.geometry import Geometry
from fractrain.host.graph.names import Named, Names
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.slots import Slot, outer_slot, slot_of_others
from fractrain.host.graph.tensor import BySlot, Fixed, Kind, Tensor
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Operand, Pass, Precision


class Builder:
    """Collects the operations of a step on ``images`` [N,C,H,W].

    Methods that a network calls emit operations, named for its layer, and return the tensor that
    they make. ``slot`` is None for what is never skipped.
    """

    outside = Slots(0, 0)
    """Of layers outside all blocks."""

    def __init__(
        self, options: StepOptions, images: tuple[int, int, int, int], *, training: bool
    ) -> None:
        self.options, self.training = options, training
        self.operations: list[Operation] = []
        self.slots = [outer_slot(options)]
        self.blocks: list[Block] = []
        self.members: dict[Operation, int] = {}
        """The block that an operation belongs to."""
        self.parameters: dict[str, Tensor] = {}
        self._scope, self._block = "", -1
        self._names = Names()
        self._late: set[str] = set()
        self._stored: dict[str, tuple[Tensor, Tensor]] = {}
        """What is stored of a tensor, and its range."""
        self._odd: dict[str, tuple[int, ...]] = {}
        self._ones: dict[int, int] = {}
        self.images = self.tensor("images", images, Kind.IMAGES, signed=False, bits=Fixed(8))

    # -- what everything is made of --------------------------------------------------------

    def emit(self, operation: Operation) -> None:
        """Append ``operation``."""
        self._names.take("operation", f"operation {operation.name}")
        self.operations.append(operation)
        if self._block >= 0:
            self.members[operation] = self._block

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        kind: Kind = Kind.REAL,
        **more: Any,
    ) -> Tensor:
        """A new tensor."""
        self._names.take("tensor", name)
        return Tensor(name, tuple(shape), kind, **more)

    def name(self, name: str) -> str:
        """What a layer's ``name`` is here: the same layer may occur on several paths."""
        return self._scope + name

    def parameter(self, parameter: Named) -> Tensor:
        """What training changes, as a tensor."""
        tensor = self._names.tensor_of(parameter, Kind.PARAMETER)
        return self.parameters.setdefault(tensor.name, tensor)

    def statistic(self, statistic: Named) -> Tensor:
        """A running statistic, as a tensor."""
        return self._names.tensor_of(statistic, Kind.STATISTIC)

    # -- quantization ----------------------------------------------------------------------

    def quantizes(self, slot: int) -> bool:
        """Whether layers of ``slot`` are quantized."""
        found = self.slots[slot]
        return found.chosen or found.beside or not self.options.real

    def pixels(self, bits: int, scale: float, running: Named | None = None) -> Tensor:
        """The images, of ``bits`` bits a pixel that are worth ``scale`` each, as activations.

        ``running``: their range, for the published numerics, which quantize them like activations.
        """
        read = min(bits, self.options.unquantized.activation)
        pixels = self.tensor(
            "pixels",
            self.images.shape,
            Kind.PIXELS,
            signed=False,
            bits=None if self.options.real else Fixed(read),
        )
        self.emit(ops.QuantizePixels("pixels", None, self.images, pixels, bits, scale))
        if not self.slots[0].beside:
            return pixels
        if running is None:
            raise ParameterError("running range of pixels", None, "a statistic, in reference mode")
        return self.activations("pixels.a", pixels, self.measure(running.name, pixels, running), 0)

    def measure(self, name: str, x: Tensor, running: Named, slot: int | None = None) -> Tensor:
        """The range that ``x`` is quantized over."""
        name, times = self.name(name), 1 if self._block >= 0 else self.options.running_paths
        extent = self.tensor(name, (), Kind.RANGE)
        self.emit(ops.MeasureRange(name, slot, x, self.statistic(running), extent, times))
        return extent

    def activations(self, name: str, x: Tensor, extent: Tensor, slot: int) -> Tensor:
        """``x`` quantized by ``slot``: unchanged if the slot does not quantize; the top planes of
        stored activations if the choice of precision was made from these."""
        if not self.quantizes(slot):
            return x
        name, bits = self.name(name), BySlot(slot, Operand.ACTIVATION)
        stored = self._store(x, extent) if x.name in self._late else None
        q = self.tensor(name, x.shape, Kind.ACTIVATIONS, signed=False, bits=bits, planes_of=stored)
        if stored is None:
            self.emit(ops.QuantizeActivations(f"{name}.quantize", slot, x, extent, q))
        else:
            self.emit(ops.TopPlanes(f"{name}.planes", slot, stored, q))
        return q

    def _store(self, x: Tensor, extent: Tensor) -> Tensor:
        if x.name not in self._stored:
            assert self.options.stored_bits is not None
            name = f"{x.name}.stored"
            q = self.tensor(
                name,
                x.shape,
                Kind.ACTIVATIONS,
                signed=False,
                bits=Fixed(self.options.stored_bits),
            )
            self.emit(ops.QuantizeActivations(f"{name}.quantize", None, x, extent, q))
            self._stored[x.name] = q, extent
        stored, known = self._stored[x.name]
        if known.name != extent.name:
            raise ParameterError(
                f"range of {x.name}", extent.name, f"{known.name}: it is stored over that range"
            )
        return stored

    def weights(self, name: str, weight: Tensor, slot: int) -> Tensor:
        """``weight`` quantized by ``slot``."""
        if not self.quantizes(slot):
            return weight
        name, odd = self.name(name), self.options.odd_weights
        q = self.tensor(name, weight.shape, Kind.WEIGHTS, bits=BySlot(slot, Operand.WEIGHT))
        self._odd[q.name] = odd
        self.emit(ops.QuantizeWeights(f"{name}.quantize", slot, weight, q, odd))
        return q

    # -- convolutions ----------------------------------------------------------------------

    def add_gradient(self, parameter: Tensor, gradient: Tensor, slot: int | None) -> None:
        """Add ``gradient`` to that of ``parameter``, on the way back."""
        self.emit(ops.AddGradient(f"{gradient.name}.add", slot, parameter, gradient))

    def loss(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and the error at the ``logits``."""
        labels = self.tensor("labels", logits.shape[:1], Kind.LABELS)
        loss, error = self.tensor("loss", ()), self.tensor("loss.error", logits.shape)
        self.emit(ops.Loss("loss", None, logits, labels, loss, error))
        return loss, error

    def complete(self) -> None:
        """After the last call of the network: nothing is left open."""

    def convolve(
        self,
        layer: str,
        a: Tensor,
        weight: Named,
        stride: int,
        padding: int,
        slot: int,
        groups: int = 1,
    ) -> Tensor:
        """The forward pass of ``a`` and ``weight`` [K,C/groups,R,S], in real numbers."""
        kernels = self.parameter(weight)
        filters, channels, height, width = kernels.shape
        check_channels(self.name(layer), a.shape[1], channels, groups)
        geometry = Geometry(
            a.shape[0],
            a.shape[1],
            filters,
            (a.shape[2], a.shape[3]),
            (height, width),
            stride,
            padding,
            groups,
        )
        w = self.weights(f"{layer}.w", kernels, slot)
        product = Product(self.name(layer), Pass.FORWARD, geometry, a, w, slot)
        (y,) = self.multiply([product])
        return y

    def multiply(self, products: Sequence[Product]) -> list[Tensor]:
        """Real results of ``products``; nothing is between their convolutions."""
        minus_ones = [self._minus_ones(each) for each in products]
        sums = [
            (self._convolve(each), None if ones is None else self._convolve(ones))
            for each, ones in zip(products, minus_ones, strict=True)
        ]
        if self.options.real:
            return [each for each, _ in sums]
        return [self._dequantize(each, *found) for each, found in zip(products, sums, strict=True)]

    def _minus_ones(self, product: Product) -> Product | None:
        """The product with a kernel of ones, where weights may be odd levels."""
        widths = self._odd.get(product.column.name, ())
        slot, geometry = self.slots[product.slot], product.geometry
        if not any(each.weight in widths for each in slot.precisions):
            return None
        if product.slot not in self._ones:
            ones = replace(slot, name=f"{slot.name}.ones", ones=widths)
            self._ones[product.slot] = self._new_slot(ones)
        number = self._ones[product.slot]
        if product.pass_ is Pass.FORWARD:
            geometry = replace(geometry, filters=1)
        else:
            geometry = replace(geometry, channels=1)
        name = f"{product.layer}.{product.pass_.label}.minus_ones"
        w = self.tensor(name, geometry.weights, Kind.WEIGHTS, bits=Fixed(1))
        self.emit(ops.MinusOnes(name, number, w))
        return replace(product, geometry=geometry, column=w, slot=number)

    def _convolve(self, product: Product) -> Tensor:
        each, ones = product, self.slots[product.slot].ones != ()
        name = f"{each.layer}.{each.pass_.label}{'.ones' if ones else ''}"
        *_, shape = operand_shapes(each.pass_, each.geometry)
        kind = Kind.REAL if self.options.real else Kind.SUMS
        sums = self.tensor(f"{name}.sums", shape, kind)
        bits = (
            each.row.bits or BySlot(each.slot, each.pass_.row),
            each.column.bits or BySlot(each.slot, each.pass_.column),
        )
        operands = each.row, each.column, sums
        self.emit(
            ops.Convolve(
                name, each.slot, each.pass_, each.geometry, *operands, bits, each.layer, ones
            )
        )
        return sums

    def _dequantize(self, product: Product, sums: Tensor, minus: Tensor | None) -> Tensor:
        name, slot = f"{product.layer}.{product.pass_.label}", product.slot
        if minus is not None:
            both = self.tensor(f"{name}.odd", sums.shape, Kind.SUMS)
            self.emit(ops.OddSums(f"{name}.odd", slot, sums, minus, both))
            sums = both
        y = self.tensor(f"{name}.y", sums.shape)
        operands = product.row, product.column
        self.emit(ops.Dequantize(f"{name}.dequantize", slot, sums, *operands, y))
        return y

    # -- around them -----------------------------------------------------------------------

    def batch_norm(
        self,
        name: str,
        x: Tensor,
        scale: tuple[Named, Named],
        running: tuple[Named, Named],
        group: int | None,
        slot: int | None = None,
    ) -> Tensor:
        """``x`` normalized; ``scale`` are γ and β, ``running`` mean and variance."""
        name = self.name(name)
        y = self.tensor(f"{name}.y", x.shape)
        gamma, beta = (self.parameter(each) for each in scale)
        mean, variance = (self.statistic(each) for each in running)
        saved = self.tensor(f"{name}.saved", x.shape, Kind.SAVED)
        tensors = x, gamma, beta, mean, variance, y, saved
        self.emit(ops.BatchNorm(name, slot, *tensors, group))
        return y

    def rectify(self, name: str, x: Tensor, slot: int | None = None) -> Tensor:
        """max(x, 0); x itself where ``slot`` is skipped."""
        name = self.name(name)
        y = self.tensor(f"{name}.y", x.shape)
        mask = self.tensor(f"{name}.mask", x.shape, Kind.MASK)
        self.emit(ops.Rectify(name, slot, x, y, mask))
        return y

    def add(self, name: str, x: Tensor, other: Tensor) -> Tensor:
        """x + other; if one of them was skipped, the other one."""
        name = self.name(name)
        y = self.tensor(f"{name}.y", x.shape)
        self.emit(ops.Add(name, None, x, other, y))
        return y

    def pool(self, name: str, x: Tensor) -> Tensor:
        """The mean over all pixels, [N,C]."""
        name = self.name(name)
        y = self.tensor(f"{name}.y", x.shape[:2])
        self.emit(ops.Pool(name, None, x, y))
        return y

    def linear(self, name: str, x: Tensor, weight: Named, bias: Named) -> Tensor:
        """[N,K] of [N,C]."""
        name, w, b = self.name(name), self.parameter(weight), self.parameter(bias)
        y = self.tensor(f"{name}.y", (x.shape[0], w.shape[0]))
        self.emit(ops.Linear(name, None, x, w, b, y))
        return y

    # -- blocks ----------------------------------------------------------------------------

    def block(self, name: str, x: Tensor, body: Callable[[Tensor, Slots], Tensor]) -> Tensor:
        """A part of the network with one choice of precision, which may depend on its input ``x``.

        ``body`` emits one path through it: from the path's input, with the path's slots.
        """
        number, several = len(self.blocks), self.options.per_sample
        if self._block >= 0:
            raise ParameterError("block", name, "one outside of other blocks")
        candidates = self.options.precisions
        paths = [(each,) for each in candidates] if several else [candidates]
        slots = tuple(self._path_slots(name, path, each) for path, each in enumerate(paths))
        self.blocks.append(Block(name, number, x, slots))
        masks = tuple(
            self.tensor(f"{name}.mask{path}", x.shape[:1], Kind.MASK)
            for path in range(len(paths))
            if several
        )
        if self.options.stored_bits is not None:
            self._late.add(x.name)
        self.emit(ops.ChoosePrecision(f"{name}.choose", None, x, number, masks))
        self._block = number
        y = self._mix(name, x, body, masks) if several else body(x, slots[0])
        self._block = -1
        return y

    def share(self, name: str, x: Tensor, slot: int) -> Tensor:
        """``x``, times the path's share of its block's output, if that is learned."""
        if not self.options.learns or self.options.per_sample:
            return x
        y = self.tensor(f"{name}.y", x.shape)
        self.emit(ops.Share(name, slot, x, y, self._block))
        return y

    def _path_slots(self, name: str, path: int, precisions: tuple[Precision, ...]) -> Slots:
        several = self.options.per_sample
        name = f"{name}.path{path}" if several else name
        chosen = Slot(0, name, precisions, len(self.blocks), path, chosen=True)
        number = self._new_slot(chosen)
        if not several and (self.options.known or not self.options.real):
            return Slots(number, self.outside.others)
        return Slots(number, self._new_slot(slot_of_others(chosen, self.options)))

    def _mix(
        self,
        name: str,
        x: Tensor,
        body: Callable[[Tensor, Slots], Tensor],
        masks: tuple[Tensor, ...],
    ) -> Tensor:
        block, total = self.blocks[-1], None
        for path, (slots, mask) in enumerate(zip(block.slots, masks, strict=True)):
            self._scope = f"path{path}."
            entered = self.tensor(self.name(f"{name}.x"), x.shape)
            self.emit(ops.TakePath(entered.name, None, x, entered))
            out = body(entered, slots)
            self._scope = ""
            mixed = self.tensor(f"{name}.mixed{path}", out.shape)
            taken = replace(self.slots[slots.others], name=f"{name}.taken{path}", taken=True)
            operands = total, out, mask, mixed
            self.emit(ops.Mix(mixed.name, None, *operands, block.number, self._new_slot(taken)))
            total = mixed
        assert total is not None
        return total

    def _new_slot(self, slot: Slot) -> int:
        self.slots.append(replace(slot, number=len(self.slots)))
        return len(self.slots) - 1
