"""The host's work for each operation of a step of float mode: which kind, and on how many elements
(`integer_work` has hardware mode's)."""

from __future__ import annotations

import math

from fractrain.host.graph import operations as ops
from fractrain.host.graph.dispatch import Dispatch
from fractrain.host.graph.operations import Operation, width
from fractrain.host.graph.tensor import Tensor
from fractrain.host.modelling import host_kinds as kinds
from fractrain.host.modelling.counting import Counting, Handler, convolve, nothing
from fractrain.host.modelling.host_kinds import Kind

WORK: Dispatch[Handler] = Dispatch(
    "the count of the host's work", "host/modelling/operation_work.py"
)
"""What each operation adds."""


def _elements(kind: Kind, *others: Kind, of: str = "x") -> Handler:
    """Work of these kinds on each element of the operation's tensor ``of``."""

    def count(counting: Counting, operation: Operation) -> None:
        for each in (kind, *others):
            counting.add(each, math.prod(getattr(operation, of).shape))

    return count


WORK.register(ops.MeasureRange)(_elements(kinds.RANGE))
WORK.register(ops.QuantizeActivations)(_elements(kinds.QUANTIZE_ACTIVATIONS))
WORK.register(ops.QuantizeWeights)(_elements(kinds.QUANTIZE_WEIGHTS))
WORK.register(ops.QuantizeErrors)(_elements(kinds.QUANTIZE_ERRORS, kinds.RANDOM))
WORK.register(ops.Dequantize)(_elements(kinds.DEQUANTIZE, of="y"))
WORK.register(ops.Rectify)(_elements(kinds.RECTIFY))
WORK.register(ops.RectifyBackward)(_elements(kinds.RECTIFY_BACKWARD, of="e"))
WORK.register(ops.Pool)(_elements(kinds.POOL))
WORK.register(ops.Update)(_elements(kinds.OPTIMIZER, of="parameter"))

# The loss and both backward passes are in the kind of the linear layer, the error of the pool is
# the same for all its pixels, and gradients are kept where they are made.
WORK.register(
    *(ops.Loss, ops.LinearBackward, ops.PoolBackward, ops.AddGradient, ops.Share, ops.MinusOnes),
)(nothing)

WORK.register(ops.Convolve)(convolve)


@WORK.register(ops.QuantizePixels)
def _pixels(counting: Counting, operation: ops.QuantizePixels) -> None:
    bits = operation.pixels.bits
    if bits is not None and width(bits, counting.table) < operation.image_bits:
        counting.add(kinds.TOP_PLANES, math.prod(operation.pixels.shape))


@WORK.register(ops.TopPlanes)
def _top_planes(counting: Counting, operation: ops.TopPlanes) -> None:
    read, stored = operation.q.bits, operation.stored.bits
    assert read is not None and stored is not None
    if width(read, counting.table) < width(stored, counting.table):
        counting.add(kinds.TOP_PLANES, math.prod(operation.q.shape))


@WORK.register(ops.OddSums)
def _odd_sums(counting: Counting, operation: ops.OddSums) -> None:
    if counting.exist(operation.minus):
        counting.add(kinds.ODD_SUMS, math.prod(operation.sums.shape))


@WORK.register(ops.BatchNorm)
def _batch_norm(counting: Counting, operation: ops.BatchNorm) -> None:
    x, calls = operation.x, _ghost_batches(operation.x, operation.group)
    counting.add(kinds.NORMALIZE, math.prod(x.shape), calls)


@WORK.register(ops.BatchNormBackward)
def _batch_norm_backward(counting: Counting, operation: ops.BatchNormBackward) -> None:
    e, calls = operation.e, _ghost_batches(operation.e, operation.group)
    counting.add(kinds.NORMALIZE_BACKWARD, math.prod(e.shape), calls)


def _ghost_batches(x: Tensor, group: int | None) -> int:
    return 1 if group is None else math.ceil(x.shape[0] / group)


@WORK.register(ops.Add)
def _add(counting: Counting, operation: ops.Add) -> None:
    x, other = operation.x, operation.other
    if counting.exist(x, other):
        gates = not counting.from_gates.isdisjoint((x.name, other.name))
        counting.add(kinds.ADD_GATES if gates else kinds.ADD, math.prod(operation.y.shape))


@WORK.register(ops.Linear)
def _linear(counting: Counting, operation: ops.Linear) -> None:
    """Its backward passes and the loss are in the same kind."""
    counting.add(kinds.LOSS, operation.x.shape[0] * math.prod(operation.weight.shape))


@WORK.register(ops.ChoosePrecision)
def _choose(counting: Counting, operation: ops.ChoosePrecision) -> None:
    """Known before, or a gate looks at the block's input; its way back is in the same kind."""
    if counting.gates is not None:
        counting.add(kinds.POOL_GATES, math.prod(operation.x.shape))
        counting.add(kinds.GATE_NETWORK, counting.gates.weights_of(operation.block))


@WORK.register(ops.ShareBackward)
def _share_backward(counting: Counting, operation: ops.ShareBackward) -> None:
    if counting.exist(operation.x):
        counting.add(kinds.INNER_PRODUCTS, math.prod(operation.e.shape))


@WORK.register(ops.ChooseBackward)
def _choose_backward(counting: Counting, operation: ops.ChooseBackward) -> None:
    """One number for each channel, which is added to the errors next."""
    counting.from_gates.add(operation.dx.name)
