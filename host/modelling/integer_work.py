"""The host's work for each operation of hardware mode: which kind, and on how many elements."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fractrain.host.graph import operations as ops
from fractrain.host.graph.dispatch import Dispatch
from fractrain.host.graph.operations import width
from fractrain.host.graph.tensor import OfNormalized, Tensor
from fractrain.host.modelling import integer_kinds as kinds
from fractrain.host.modelling.counting import Counting, Handler, convolve, nothing
from fractrain.host.modelling.host_kinds import Kind
from fractrain.host.modelling.integer_kinds import of_words
from fractrain.host.numerics.fast_step_math import BLOCK
from fractrain.host.numerics.quantization import CLIPPING
from fractrain.hw.contract.random_bits import WORD_PIXELS

BYTE = 8

WORK: Dispatch[Handler] = Dispatch(
    "the count of the host's work in hardware mode", "host/modelling/integer_work.py"
)
"""What each operation adds."""

# The loss and both backward passes are in the kind of the linear layer, and gradients are kept
# where they are made; what gates learn from is one number a channel, and their way back is in the
# kind of their network.
WORK.register(
    *(ops.Loss, ops.LinearBackward, ops.AddGradient, ops.AddSums, ops.NormShare, ops.LearnChoice)
)(nothing)

WORK.register(ops.Convolve)(convolve)


def _pass(counting: Counting, kind: Kind, tensor: Tensor) -> None:
    """Work on the elements of a tensor, part by part."""
    counting.add(kind, math.prod(tensor.shape), _parts(tensor.shape))


def _parts(shape: Sequence[int]) -> int:
    """Parts of a tensor [N,C,H,W] that stay in the cache."""
    images, *image = shape
    return math.ceil(images / max(1, BLOCK // math.prod(image)))


def _residual_kind(kind: Kind, counting: Counting, call: str) -> Kind:
    integers = counting.step.options.integers
    assert integers is not None
    return kind if integers.residual_bits <= BYTE else of_words(kind, "residual", call)


def _kept_kind(kind: Kind, counting: Counting, kept: Tensor, call: str) -> Kind:
    integers, bits = counting.step.options.integers, kept.bits
    assert integers is not None and isinstance(bits, OfNormalized)
    activation = counting.table[bits.slot].activation
    stored = integers.kept_format(activation, inner=bits.inner).bits
    return kind if stored <= BYTE else of_words(kind, "x̂", call)


# -- forward -------------------------------------------------------------------------------


@WORK.register(ops.Narrow)
def _narrow(counting: Counting, operation: ops.Narrow) -> None:
    _pass(counting, kinds.NARROW, operation.y)


@WORK.register(ops.Form)
def _form(counting: Counting, operation: ops.Form) -> None:
    """What there is of it; its batch norms skipped, the residual goes on as it is, without z."""
    z = operation.outputs[0]
    parts = [place for place, y in enumerate(operation.ys) if counting.exist(y)]
    for place, kept in enumerate(operation.kept):
        if place not in parts:
            counting.missing.add(kept.name)
    if not parts and operation.mask is not None:
        counting.missing.add(operation.mask.name)
    made = width(operation.bits, counting.table) if operation.a is not None else 0
    if not parts and not made:
        return
    _pass(counting, kinds.START_FORM, z)
    for place in parts:
        kind = kinds.NORMALIZE if operation.inner else kinds.NORMALIZE_END
        kept = operation.kept[place]
        _pass(counting, _kept_kind(kind, counting, kept, "c>1"), operation.ys[place])
    if operation.residual is not None and counting.exist(operation.residual):
        _pass(counting, _residual_kind(kinds.ADD_RESIDUAL, counting, "1>c"), z)
    if made:
        _pass(counting, kinds.ROUND_ACTIVATIONS, z)
    if parts and operation.r is not None:
        _pass(counting, _residual_kind(kinds.ROUND_ACTIVATIONS, counting, "c>1"), z)
    if parts:
        _pass(counting, kinds.KEEP_SIGNS, z)


@WORK.register(ops.PoolSums)
def _pool(counting: Counting, operation: ops.PoolSums) -> None:
    _pass(counting, _residual_kind(kinds.SUM_PIXELS, counting, "1>c"), operation.x)


# -- choices -------------------------------------------------------------------------------


@WORK.register(ops.ChooseEarly)
def _choose(counting: Counting, operation: ops.ChooseEarly) -> None:
    """Known before, or by a gate; its way back is in the same kind."""
    if counting.gates is not None:
        counting.add(kinds.GATE_NETWORK, counting.gates.weights_of(operation.block))


@WORK.register(ops.RecordMeans)
def _record(counting: Counting, operation: ops.RecordMeans) -> None:
    _pass(counting, _residual_kind(kinds.MEANS, counting, "1>c"), operation.x)


# -- back ----------------------------------------------------------------------------------


@WORK.register(ops.SpreadErrors)
def _spread(counting: Counting, operation: ops.SpreadErrors) -> None:
    counting.add(kinds.SPREAD, math.prod(operation.dx.shape))


@WORK.register(ops.Join)
def _join(counting: Counting, operation: ops.Join) -> None:
    e = operation.e
    for each in operation.sums:
        if counting.exist(each):
            _pass(counting, kinds.JOIN_SUMS, e)
    for each in operation.streams:
        if counting.exist(each):
            _pass(counting, kinds.JOIN_STREAM, e)
    if operation.mask is not None and counting.exist(operation.mask):
        _pass(counting, kinds.MASK_ERRORS, e)
    _pass(counting, kinds.JOIN, e)
    for kept in operation.kept:
        if counting.exist(kept):
            _pass(counting, _kept_kind(kinds.ERROR_MOMENTS, counting, kept, "1>c"), e)


@WORK.register(ops.Apply)
def _apply(counting: Counting, operation: ops.Apply) -> None:
    bits = operation.q.bits
    assert bits is not None
    kind = _kept_kind(kinds.APPLY, counting, operation.kept, "1>c")
    if width(bits, counting.table) > BYTE:
        kind = of_words(kind, "errors", "c>1")
    _pass(counting, kind, operation.q)
    images, channels, height, wide = operation.q.shape
    counters = _counters(images, channels, height * wide)
    counting.add(kinds.RANDOM, counters, _parts(operation.q.shape))


def _counters(images: int, channels: int, pixels: int) -> int:
    """Counters of the random bits of a tensor: of two channels and 32 pixels each."""
    return images * math.ceil(channels / 2) * math.ceil(pixels / WORD_PIXELS)


# -- what both modes have ------------------------------------------------------------------


@WORK.register(ops.QuantizePixels)
def _pixels(counting: Counting, operation: ops.QuantizePixels) -> None:
    bits = operation.pixels.bits
    assert bits is not None
    if width(bits, counting.table) < operation.image_bits:
        counting.add(kinds.TOP_BYTES, math.prod(operation.pixels.shape))


@WORK.register(ops.TopPlanes)
def _top_planes(counting: Counting, operation: ops.TopPlanes) -> None:
    read, stored = operation.q.bits, operation.stored.bits
    assert read is not None and stored is not None
    if width(read, counting.table) < width(stored, counting.table):
        kind = _residual_kind(kinds.TOP_BYTES, counting, "1>1")
        counting.add(kind, math.prod(operation.q.shape))


@WORK.register(ops.QuantizeWeights)
def _quantize_weights(counting: Counting, operation: ops.QuantizeWeights) -> None:
    """By the default levels, which clip narrow weights."""
    bits = operation.q.bits
    assert bits is not None
    clipped = width(bits, counting.table) in CLIPPING
    weights = math.prod(operation.x.shape)
    counting.add(kinds.DEVIATION if clipped else kinds.GREATEST_WEIGHT, weights)
    counting.add(kinds.QUANTIZE_WEIGHTS, weights)


@WORK.register(ops.Update)
def _update(counting: Counting, operation: ops.Update) -> None:
    """Of a master weight, with random bits, or of another parameter."""
    shape = operation.parameter.shape
    if operation.parameter.name not in counting.masters:
        counting.add(kinds.DESCEND, math.prod(shape))
        return
    filters, *filter_ = shape
    counting.add(kinds.UPDATE, math.prod(shape))
    counting.add(kinds.RANDOM, _counters(1, filters, math.prod(filter_)))


@WORK.register(ops.Linear)
def _linear(counting: Counting, operation: ops.Linear) -> None:
    """Its backward passes and the loss are in the same kind."""
    counting.add(kinds.LOSS, operation.x.shape[0] * math.prod(operation.weight.shape))
