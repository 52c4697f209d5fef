"""The host's work around a whole step of a machine with a vector unit (docs/whole_step.md).

Records before it, the end of the network during it, statistics and updates after it; what touches
every element of a tensor is the machine's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fractrain.host.graph import operations as ops
from fractrain.host.graph.choice import Choice
from fractrain.host.graph.dispatch import Dispatch
from fractrain.host.graph.skipping import carried_out
from fractrain.host.graph.step import StepGraph
from fractrain.host.graph.tensor import Tensor
from fractrain.host.modelling import host_kinds as shared
from fractrain.host.modelling import integer_kinds
from fractrain.host.modelling import whole_step_kinds as kinds
from fractrain.host.modelling.counting import Counting, Handler, nothing
from fractrain.host.modelling.host_kinds import HostWork
from fractrain.host.networks.gates import Gates

WORK: Dispatch[Handler] = Dispatch(
    "the count of the host's work around whole steps", "host/modelling/whole_step_work.py"
)
"""What each operation adds."""

# The machine's from end to end, or in the kind of another operation.
WORK.register(
    *(ops.Convolve, ops.QuantizePixels, ops.TopPlanes, ops.Loss, ops.LinearBackward),
    *(ops.AddGradient, ops.AddSums, ops.NormShare, ops.LearnChoice),
)(nothing)


def count_whole_step_work(
    step: StepGraph, choices: Sequence[Choice], gates: Gates | None = None
) -> HostWork:
    """Of ``step`` after these choices of its blocks; ``gates``: those that chose, if they learn.

    Raises `ParameterError` unless there is a choice for each block, and for an operation without
    declared work.
    """
    counting = Counting(step, step.table(choices), gates)
    for operation in carried_out(step.operations, counting.table, counting.missing):
        WORK.of(operation)(counting, operation)
    counting.add(shared.DATA, math.prod(step.images.shape))
    if gates is not None:
        learned = [each.value.size for each in gates.parameters()]
        counting.add(integer_kinds.DESCEND, sum(learned), len(learned))
    return counting.work


def _chunks(counting: Counting, tensor: Tensor) -> int:
    integers = counting.step.options.integers
    assert integers is not None
    images, _, height, wide = tensor.shape
    return math.ceil(images / integers.chunk(images, height, wide))


@WORK.register(ops.Narrow, ops.QuantizeWeights)
def _scale(counting: Counting, operation: ops.Narrow | ops.QuantizeWeights) -> None:
    counting.add(kinds.SCALE_RECORD, 1)


@WORK.register(ops.Form)
def _form(counting: Counting, operation: ops.Form) -> None:
    """A skipped block has a record, which nobody reads."""
    parts = [place for place, y in enumerate(operation.ys) if counting.exist(y)]
    for place, kept in enumerate(operation.kept):
        if place not in parts:
            counting.missing.add(kept.name)
    if not parts and operation.mask is not None:
        counting.missing.add(operation.mask.name)
    if operation.residual is not None and counting.exist(operation.residual):
        counting.add(kinds.SCALE_RECORD, 1)
    for place in parts:
        y = operation.ys[place]
        channels = y.shape[1]
        counting.add(kinds.NORM_RECORD, channels)
        counting.add(kinds.CHUNK_STATISTICS, channels * _chunks(counting, y))
        counting.add(kinds.RUNNING_STATISTICS, channels)


@WORK.register(ops.Join)
def _join(counting: Counting, operation: ops.Join) -> None:
    parts = sum(counting.exist(each) for each in (*operation.sums, *operation.streams))
    counting.add(kinds.SCALE_RECORD, parts)


@WORK.register(ops.Apply)
def _apply(counting: Counting, operation: ops.Apply) -> None:
    channels = operation.q.shape[1]
    counting.add(kinds.SCALE_RECORD, 1)
    counting.add(kinds.CHUNK_GRADIENTS, channels * _chunks(counting, operation.q))
    counting.add(kinds.NORM_GRADIENTS, channels)


@WORK.register(ops.Update)
def _update(counting: Counting, operation: ops.Update) -> None:
    if operation.parameter.name in counting.masters:
        counting.add(kinds.UPDATE_RECORD, 1)
    else:
        counting.add(integer_kinds.DESCEND, math.prod(operation.parameter.shape))


# -- the end of the network, and choices -----------------------------------------------------


@WORK.register(ops.PoolSums)
def _pool(counting: Counting, operation: ops.PoolSums) -> None:
    counting.add(kinds.POOLED, math.prod(operation.x.shape[:2]))


@WORK.register(ops.Linear)
def _linear(counting: Counting, operation: ops.Linear) -> None:
    """Its backward passes and the loss are in the same kind."""
    counting.add(integer_kinds.LOSS, operation.x.shape[0] * math.prod(operation.weight.shape))


@WORK.register(ops.SpreadErrors)
def _spread(counting: Counting, operation: ops.SpreadErrors) -> None:
    counting.add(kinds.POOLED_ERRORS, math.prod(operation.dx.shape[:2]))


@WORK.register(ops.RecordMeans)
def _record(counting: Counting, operation: ops.RecordMeans) -> None:
    counting.add(kinds.MEANS, math.prod(operation.x.shape[:2]))


@WORK.register(ops.ChooseEarly)
def _choose(counting: Counting, operation: ops.ChooseEarly) -> None:
    """Known before, or by a gate; its way back is in the same kind."""
    if counting.gates is not None:
        weights = counting.gates.weights_of(operation.block)
        counting.add(integer_kinds.GATE_NETWORK, weights)
