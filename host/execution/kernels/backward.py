"""Kernels of the backward operations; docstrings in `host.graph.operations` have the formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fractrain.host.execution.kernels.ghost_batches import ghost_batches
from fractrain.host.execution.kernels.register import KERNELS
from fractrain.host.execution.run import Run
from fractrain.host.graph import operations as ops


@KERNELS.register(ops.QuantizeErrors)
def _errors(run: Run, step: ops.QuantizeErrors) -> None:
    q = run.arithmetic.errors(run.value(step.x), run.bits(step.q), run.rounding)
    run.put(step.q, q)


@KERNELS.register(ops.BatchNormBackward)
def _batch_norm(run: Run, step: ops.BatchNormBackward) -> None:
    e, gamma = run.value(step.e), run.value(step.gamma)
    parts = [
        run.elementwise.normalize_backward(part, saved, gamma)
        for saved, part in zip(run.value(step.saved), ghost_batches(e, step.group), strict=True)
    ]
    errors = [each for each, _, _ in parts]
    run.put(step.dx, errors[0] if len(errors) == 1 else run.xp.concatenate(errors))
    run.put(step.dgamma, [each for _, each, _ in parts])
    run.put(step.dbeta, [each for _, _, each in parts])


@KERNELS.register(ops.RectifyBackward)
def _rectify(run: Run, step: ops.RectifyBackward) -> None:
    run.put(step.dx, run.elementwise.rectify_backward(run.value(step.e), run.value(step.mask)))


@KERNELS.register(ops.PoolBackward)
def _pool(run: Run, step: ops.PoolBackward) -> None:
    spread = run.value(step.e) / math.prod(step.dx.shape[2:])
    spread = spread.reshape(*spread.shape, 1, 1)
    run.put(step.dx, run.xp.broadcast_to(spread, step.dx.shape), lent=True)


@KERNELS.register(ops.LinearBackward)
def _linear(run: Run, step: ops.LinearBackward) -> None:
    operands = (run.value(each) for each in (step.e, step.x, step.weight))
    dweight, dbias, dx = run.arithmetic.linear_backward(*operands)
    run.put(step.dweight, dweight)
    run.put(step.dbias, dbias)
    run.put(step.dx, dx)


@KERNELS.register(ops.AddGradient)
def _add_gradient(run: Run, step: ops.AddGradient) -> None:
    gradient, parameter = run.value(step.gradient), run.parameter(step.parameter)
    for part in gradient if isinstance(gradient, list) else [gradient]:
        parameter.add_gradient(part)


# -- choices -------------------------------------------------------------------------------


@KERNELS.register(ops.ShareBackward)
def _share(run: Run, step: ops.ShareBackward) -> None:
    share, x = np.zeros(1, np.float32), run.optional(step.x)
    if x is not None:
        products = run.elementwise.inner_products(run.value(step.e), x)
        share[0] = run.elementwise.to_host(run.xp.sum(products))
    run.put(step.share, share)


@KERNELS.register(ops.MaskBackward)
def _mask(run: Run, step: ops.MaskBackward) -> None:
    products = run.elementwise.inner_products(run.value(step.e), run.value(step.x))
    run.put(step.share, run.elementwise.to_host(products))


@KERNELS.register(ops.MixBackward)
def _mix(run: Run, step: ops.MixBackward) -> None:
    run.put(step.dx, run.value(step.e) * run.value(step.mask).reshape(-1, 1, 1, 1))


@KERNELS.register(ops.ChooseBackward)
def _choose(run: Run, step: ops.ChooseBackward) -> None:
    shares: Any = [run.value(each) for each in step.shares]
    shares = np.stack(shares) if run.graph.options.per_sample else shares[0]
    run.put(step.dx, run.selector.backward(step.block, shares, step.shape, run.elementwise))
