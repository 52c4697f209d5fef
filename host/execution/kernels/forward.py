"""Kernels of the forward operations; docstrings in `host.graph.operations` have the formulas."""

from __future__ import annotations

from typing import Any

from fractrain.host.execution.kernels.ghost_batches import ghost_batches
from fractrain.host.execution.kernels.register import KERNELS
from fractrain.host.execution.run import Run
from fractrain.host.graph import operations as ops
from fractrain.host.graph.operations.layers import NORM_EPSILON, NORM_MOMENTUM
from fractrain.host.networks.parameter import Statistic
from fractrain.host.numerics.elementwise import elements
from fractrain.host.numerics.quantization import Array

# -- quantization --------------------------------------------------------------------------


@KERNELS.register(ops.QuantizePixels)
def _pixels(run: Run, step: ops.QuantizePixels) -> None:
    q = run.arithmetic.pixels(
        run.value(step.images), run.bits(step.pixels), step.image_bits, step.scale
    )
    run.put(step.pixels, q)


@KERNELS.register(ops.MeasureRange)
def _measure(run: Run, step: ops.MeasureRange) -> None:
    running = run.statistic(step.running)
    if not run.training and running.value is not None:
        run.put(step.extent, running.value)
        return
    batch = run.arithmetic.measure(run.value(step.x))
    if run.training:
        running.value = run.arithmetic.follow(running.value, batch, step.times)
    run.put(step.extent, batch)


@KERNELS.register(ops.QuantizeActivations)
def _activations(run: Run, step: ops.QuantizeActivations) -> None:
    x, extent = run.value(step.x), run.value(step.extent)
    run.put(step.q, run.arithmetic.activations(x, run.bits(step.q), extent))


@KERNELS.register(ops.TopPlanes)
def _top_planes(run: Run, step: ops.TopPlanes) -> None:
    bits = run.bits(step.q)
    assert bits is not None
    run.put(step.q, run.arithmetic.late(run.value(step.stored), bits))


@KERNELS.register(ops.QuantizeWeights)
def _weights(run: Run, step: ops.QuantizeWeights) -> None:
    run.put(step.q, run.arithmetic.weights(run.value(step.x), run.bits(step.q)))


@KERNELS.register(ops.MinusOnes)
def _minus_ones(run: Run, step: ops.MinusOnes) -> None:
    run.put(step.q, run.arithmetic.minus_ones(step.q.shape))


# -- convolutions --------------------------------------------------------------------------


@KERNELS.register(ops.Convolve)
def _convolve(run: Run, step: ops.Convolve) -> None:
    """Take its sums: pieces are convolved as a whole."""
    run.put(step.result, run.sums.pop(step.result.name))


@KERNELS.register(ops.OddSums)
def _odd_sums(run: Run, step: ops.OddSums) -> None:
    sums, minus = run.value(step.sums), run.optional(step.minus)
    run.put(step.result, sums if minus is None else run.arithmetic.odd_sums(sums, minus))


@KERNELS.register(ops.Dequantize)
def _dequantize(run: Run, step: ops.Dequantize) -> None:
    row, column = run.value(step.row), run.value(step.column)
    run.put(step.y, run.arithmetic.dequantize(run.own(step.sums), row, column))


# -- around the convolutions ---------------------------------------------------------------


@KERNELS.register(ops.BatchNorm)
def _batch_norm(run: Run, step: ops.BatchNorm) -> None:
    xp, x = run.xp, run.own(step.x)
    gamma, beta = run.value(step.gamma), run.value(step.beta)
    mean, variance = run.statistic(step.mean), run.statistic(step.variance)
    if not run.training:
        scale = gamma / xp.sqrt(variance.value + NORM_EPSILON)
        x *= scale
        x += beta - mean.value * scale
        run.put(step.y, x)
        return
    groups = [
        run.elementwise.normalize(part, gamma, beta, NORM_EPSILON)
        for part in ghost_batches(x, step.group)
    ]
    count = elements(x) // len(groups)
    unbiased = _mean([each.variance for each in groups]) * (count / max(1, count - 1))
    _move(mean, _mean([each.mean for each in groups]), NORM_MOMENTUM)
    _move(variance, unbiased, NORM_MOMENTUM)
    run.put(step.saved, [each.saved for each in groups])
    y = groups[0].y if len(groups) == 1 else xp.concatenate([each.y for each in groups])
    run.put(step.y, y)


def _mean(arrays: list[Array]) -> Array:
    return sum(arrays[1:], arrays[0]) / len(arrays) if len(arrays) > 1 else arrays[0]


def _move(running: Statistic, batch: Array, momentum: float) -> None:
    running.value = running.value + momentum * (batch - running.value)


@KERNELS.register(ops.Rectify)
def _rectify(run: Run, step: ops.Rectify) -> None:
    y, mask = run.elementwise.rectify(run.own(step.x))
    run.put(step.y, y)
    run.put(step.mask, mask)


@KERNELS.register(ops.Add)
def _add(run: Run, step: ops.Add) -> None:
    """In the memory of one of the two, if that is free."""
    x, other = run.optional(step.x), run.optional(step.other)
    if x is None or other is None:
        run.put(step.y, other if x is None else x)
        return
    owned = run.owns(step.x)
    if not owned and run.owns(step.other) and other.shape == x.shape:
        x, other, owned = other, x, True
    run.put(step.y, run.elementwise.add(x, other, keep=not owned))


@KERNELS.register(ops.Pool)
def _pool(run: Run, step: ops.Pool) -> None:
    run.put(step.y, run.xp.mean(run.value(step.x), axis=(2, 3)))


@KERNELS.register(ops.Linear)
def _linear(run: Run, step: ops.Linear) -> None:
    operands = (run.value(each) for each in (step.x, step.weight, step.bias))
    run.put(step.y, run.arithmetic.linear(*operands))


@KERNELS.register(ops.Loss)
def _loss(run: Run, step: ops.Loss) -> None:
    logits, labels = run.value(step.logits), run.value(step.labels)
    loss, error = run.arithmetic.loss(logits, labels)
    run.put(step.loss, loss)
    run.put(step.error, error)


# -- choices -------------------------------------------------------------------------------


@KERNELS.register(ops.ChoosePrecision)
def _choose(run: Run, step: ops.ChoosePrecision) -> None:
    choice = run.selector.choose(step.block, run.value(step.x), run.elementwise)
    run.choose(step.block, choice)
    for mask, path in zip(step.masks, choice.paths, strict=False):
        run.put(mask, path.mask)


@KERNELS.register(ops.TakePath, ops.Share)
def _same(run: Run, step: Any) -> None:
    run.put(step.y, run.value(step.x))


@KERNELS.register(ops.Mix)
def _mix(run: Run, step: ops.Mix) -> None:
    masked = run.value(step.x) * run.value(step.mask).reshape(-1, 1, 1, 1)
    total = run.optional(step.total)
    run.put(step.y, masked if total is None else total + masked)
