"""Kernels of the integer step; `sim.golden.step` has the formulas.

Where a tensor has no range, its scale is made from a bound first, and its greatest magnitude
found: in a step that only measures, and of a tensor that was zero in all steps before. Where it is
zero again, it is that of the bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fractrain.host.arithmetic import chunk_sums, step_scales
from fractrain.host.arithmetic.integer_step import IntegerStep
from fractrain.host.arithmetic.step_scales import ApplyScale, FormScale, JoinScale, NarrowScale
from fractrain.host.arithmetic.step_values import Activations, Errors, GradientSums, Kept, Narrowed
from fractrain.host.execution.kernels.register import KERNELS
from fractrain.host.execution.run import Run
from fractrain.host.graph import operations as ops
from fractrain.host.graph.tensor import Tensor
from fractrain.host.numerics.quantization import Quantized
from fractrain.host.numerics.step_math import Normalization, Residual, Stream, Sums, Wanted
from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.normalized import Format
from fractrain.hw.contract.random_bits import rounding_key
from fractrain.sim.golden.step import backward, forward
from fractrain.sim.golden.step.forward import Normalizer
from fractrain.sim.golden.step.scales import clamp


def _arithmetic(run: Run) -> IntegerStep:
    assert isinstance(run.arithmetic, IntegerStep)
    return run.arithmetic


def _chunk(run: Run, tensor: Tensor) -> int:
    """Images of it that share statistics; all of them in an evaluation."""
    images, _, height, width = tensor.shape
    if not run.training:
        return images
    return _arithmetic(run).integers.chunk(images, height, width)


def _observe(run: Run, name: str, magnitude: float) -> None:
    """Note the greatest magnitude of a tensor; an evaluation leaves no trace."""
    if run.training:
        _arithmetic(run).history.observe(name, magnitude)


# -- forward -------------------------------------------------------------------------------


@KERNELS.register(ops.Narrow)
def _narrow(run: Run, step: ops.Narrow) -> None:
    arithmetic, sums = _arithmetic(run), run.value(step.sums)
    history, unit = arithmetic.history, step_scales.sums_unit(run, step.row, step.column)
    extent = history.extent(step.range_name)
    if extent is None:
        extent = arithmetic.math.peak(sums) * unit
    scale = NarrowScale.of(extent, unit)
    # nothing reads an evaluation's moments, whose words must hold all the same
    chunk = _chunk(run, step.y) if run.training else 1
    y, moments, peak = arithmetic.math.narrow(sums, scale.shift, chunk)
    _observe(run, step.range_name, scale.magnitude(peak))
    run.put(step.y, Narrowed(y, moments, scale.step))


@KERNELS.register(ops.Form)
def _form(run: Run, step: ops.Form) -> None:
    arithmetic = _arithmetic(run)
    options = arithmetic.integers
    residual: Activations | None = run.optional(step.residual)
    parts = step_scales.form_parts(run, step)
    bits = step_scales.form_bits(step, run.table)
    normalizers = {place: _normalizer(run, step, place) for place in parts}
    extent = arithmetic.history.extent(step.range_name)
    if not parts:
        assert residual is not None
        extent = residual.extent
    else:
        if extent is None:
            bound = _bound(run, step, parts, residual)
            on_bound = FormScale(bound, bits, options.residual_bits)
            peak = _form_on(run, step, normalizers, residual, on_bound).peak
            extent = on_bound.magnitude(peak) or bound
        extent *= options.activation_range[bits - 1]
    scale = FormScale(extent, bits, options.residual_bits)
    formed = _form_on(run, step, normalizers, residual, scale)
    if parts:
        _observe(run, step.range_name, scale.magnitude(formed.peak))
    _put_formed(run, step, formed, residual if not parts else None, scale)
    for place, kept in zip(parts, formed.kept, strict=step.kept != ()):
        by, y = normalizers[place], run.value(step.ys[place])
        run.put(step.kept[place], Kept(kept, _kept_form(run, step, place), by, y.step))


def _put_formed(
    run: Run, step: ops.Form, formed: Any, around: Activations | None, scale: FormScale
) -> None:
    if step.a is not None and formed.activations is not None:
        a, extent = formed.activations, scale.extent
        run.put(step.a, Activations(a, scale.activation_scale, scale.bits, extent=extent))
    if step.r is not None:
        r, bits = formed.residual, scale.residual_bits
        made = Activations(r, scale.residual_scale, bits, extent=scale.extent)
        run.put(step.r, around or made)
    if step.mask is not None and formed.mask is not None:
        run.put(step.mask, formed.mask)


def _form_on(
    run: Run,
    step: ops.Form,
    normalizers: dict[int, Normalizer],
    residual: Activations | None,
    scale: FormScale,
) -> Any:
    """z and what is made of it."""
    arithmetic = _arithmetic(run)
    normalizations = []
    for place, by in normalizers.items():
        kept = _kept_form(run, step, place)
        form = step_scales.formed_from(step, kept)
        gamma, beta = run.value(step.gammas[place]), run.value(step.betas[place])
        term = forward.term(gamma, beta, form, scale.unit)
        y = run.value(step.ys[place]).y
        normalizations.append(Normalization(y, by, term, form, kept if run.training else None))
    around = None
    if residual is not None:
        factor = scale.residual_factor(residual.scale)
        around = Residual(residual.integers, factor, scale.residual_shift)
    wanted = Wanted(
        scale.bits,
        scale.residual_bits,
        rectify=run.training and bool(normalizers),
        activations=step.a is not None and bool(run.bits(step.a)),
        stream=step.r is not None and bool(normalizers),
    )
    return arithmetic.math.form(normalizations, around, _chunk(run, step.outputs[0]), wanted)


def _kept_form(run: Run, step: ops.Form, place: int) -> Format:
    return step_scales.kept_form(step, place, run.table, _arithmetic(run).integers)


def _bound(run: Run, step: ops.Form, parts: list[int], residual: Activations | None) -> float:
    """What z never exceeds: |x̂| < 2^(4−1) where z is formed from it."""
    most = 2.0 ** (words.FORMED_RANGE_BITS - 1)
    total = 0.0 if residual is None else float(residual.scale) * ((1 << residual.bits) - 1)
    for place in parts:
        gamma, beta = run.value(step.gammas[place]), run.value(step.betas[place])
        total += float(np.max(np.abs(gamma) * most + np.abs(beta)))
    return total


def _normalizer(run: Run, step: ops.Form, place: int) -> Normalizer:
    """Of the chunks in training, else of the running statistics, which training moves."""
    narrowed: Narrowed = run.value(step.ys[place])
    mean, variance = (run.statistic(each) for each in step.running[place])
    if not run.training:
        return forward.running_normalizer(
            np.ravel(mean.value), np.ravel(variance.value), narrowed.step
        )
    found = narrowed.moments
    newest = chunk_sums.statistics(found.total, found.dispersion, found.pixels, narrowed.step)
    run.pending += list(zip((mean, variance), newest, strict=True))
    share, mixed = _arithmetic(run).integers.mixing, None
    if share:
        running = np.ravel(mean.value), np.ravel(variance.value)
        mixed = forward.mix(*running, narrowed.step, share)
    return _arithmetic(run).math.normalizer(found, mixed)


@KERNELS.register(ops.PoolSums)
def _pool(run: Run, step: ops.PoolSums) -> None:
    x: Activations = run.value(step.x)
    pixels = step.x.shape[2] * step.x.shape[3]
    run.put(step.y, chunk_sums.pooled(_arithmetic(run).math.pool(x.integers), x.scale, pixels))


# -- choices -------------------------------------------------------------------------------


@KERNELS.register(ops.ChooseEarly)
def _choose(run: Run, step: ops.ChooseEarly) -> None:
    if run.measuring:
        run.choose(step.block, run.selector.dearest())
    else:
        run.choose(step.block, run.selector.choose_early(step.block, training=run.training))


@KERNELS.register(ops.RecordMeans)
def _record(run: Run, step: ops.RecordMeans) -> None:
    if run.training:
        x: Activations = run.value(step.x)
        _, _, height, width = step.x.shape
        sums = _arithmetic(run).math.pool(x.integers)
        means = chunk_sums.channel_means(sums, x.scale, height * width)
        run.selector.record(step.block, means, measuring=run.measuring)


# -- backward ------------------------------------------------------------------------------


@KERNELS.register(ops.SpreadErrors)
def _spread(run: Run, step: ops.SpreadErrors) -> None:
    _, _, height, width = step.dx.shape
    e, k = step_scales.spread_errors(run.value(step.e), height * width)
    spread = np.ascontiguousarray(np.broadcast_to(e[:, :, None, None], step.dx.shape))
    run.put(step.dx, Errors(_arithmetic(run).math.from_host(spread), k))


@KERNELS.register(ops.Join)
def _join(run: Run, step: ops.Join) -> None:
    arithmetic, chunk = _arithmetic(run), _chunk(run, step.e)
    sums = [
        (
            run.value(tensor),
            step_scales.sums_unit(run, row, column),
            step_scales.sums_before(run, row, column, depth),
        )
        for tensor, row, column, depth in zip(
            step.sums, step.rows, step.columns, step.depths, strict=True
        )
        if run.optional(tensor) is not None
    ]
    streams: list[Errors] = [
        run.value(each) for each in step.streams if run.optional(each) is not None
    ]
    mask = run.optional(step.mask)
    places = [place for place, each in enumerate(step.kept) if run.optional(each) is not None]
    kept = [run.value(step.kept[place]).x for place in places]

    def join(extent: float) -> tuple[Any, list[Any], float, int]:
        scale = JoinScale.of(extent)
        scaled = [
            Sums(values, before, scale.multiplier(unit, before)) for values, unit, before in sums
        ]
        moved = [Stream(each.e, scale.stream_shift(each.exponent)) for each in streams]
        e, moments, peak = arithmetic.math.join(scaled, moved, mask, kept, chunk)
        return e, moments, scale.magnitude(peak), scale.exponent

    extent = arithmetic.history.extent(step.range_name)
    if extent is None:
        math = arithmetic.math
        bound = sum(math.peak(values) * unit for values, unit, _ in sums)
        bound += sum(math.peak(each.e) * 2.0**each.exponent for each in streams)
        _, _, found, _ = join(clamp(bound))
        extent = found or bound
    e, moments, peak, k = join(clamp(extent))
    _observe(run, step.range_name, peak)
    by_place = dict(zip(places, moments, strict=True))
    ordered = tuple(by_place.get(place) for place in range(len(step.kept)))
    run.put(step.e, Errors(e, k, ordered))


@KERNELS.register(ops.Apply)
def _apply(run: Run, step: ops.Apply) -> None:
    arithmetic = _arithmetic(run)
    errors: Errors = run.value(step.e)
    kept: Kept = run.value(step.kept)
    moments = errors.moments[step.place]
    assert moments is not None
    bits = run.bits(step.q)
    assert bits is not None
    gamma, unit = run.value(step.gamma), 2.0**errors.exponent
    seed, number = run.rounding
    key = rounding_key(seed, number, step.number)

    def apply(extent: float) -> tuple[Any, float, float]:
        scale = ApplyScale.of(extent, bits)
        gains = scale.gain(gamma, errors.exponent, kept.y_step)
        by = backward.slopes(moments, kept.by, gains, kept.form)
        chunk = _chunk(run, step.q)
        q, peak = arithmetic.math.apply(errors.e, kept.x, by, chunk, bits, key)
        return q, scale.scale, scale.magnitude(peak)

    extent = arithmetic.history.extent(step.range_name)
    if extent is None:
        slope = np.max(np.abs(np.ravel(gamma)) * kept.by.reciprocal.max(axis=0))
        slope = float(slope) * 2.0**-words.RECIPROCAL_FRACTION / kept.y_step
        bound = 4 * slope * arithmetic.math.peak(errors.e) * unit
        _, _, found = apply(bound)
        extent = found or bound
    q, scale, peak = apply(extent * arithmetic.integers.error_range[bits - 1])
    _observe(run, step.range_name, peak)
    run.put(step.q, Quantized(q, scale, bits))
    of_x = 2.0**kept.form.fraction
    gradients = chunk_sums.norm_gradients(moments.total, moments.product, unit, of_x)
    for tensor, gradient in zip((step.dgamma, step.dbeta), gradients, strict=True):
        run.put(tensor, gradient.reshape(tensor.shape))


@KERNELS.register(ops.AddSums)
def _add_sums(run: Run, step: ops.AddSums) -> None:
    bound = step_scales.gradient_bound(run, step)
    unit = step_scales.sums_unit(run, step.row, step.column)
    run.parameter(step.parameter).gradient = GradientSums(run.value(step.sums), unit, bound)


@KERNELS.register(ops.NormShare)
def _share(run: Run, step: ops.NormShare) -> None:
    share = 0.0
    dgamma, dbeta = run.optional(step.dgamma), run.optional(step.dbeta)
    if dgamma is not None:
        share = chunk_sums.norm_share(run.value(step.gamma), run.value(step.beta), dgamma, dbeta)
    run.put(step.share, share)


@KERNELS.register(ops.LearnChoice)
def _learn(run: Run, step: ops.LearnChoice) -> None:
    if not run.measuring:
        run.selector.learn(step.block, run.value(step.share))
