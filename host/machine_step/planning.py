"""The records of a step before it runs: from ranges, bits and parameters.

The graph's operations are gone through in order, as the kernels of `host.execution` do, with what
tensors are worth in the place of their elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fractrain.host.arithmetic import step_scales
from fractrain.host.arithmetic.integer_step import IntegerStep
from fractrain.host.arithmetic.step_scales import ApplyScale, FormScale, JoinScale, NarrowScale
from fractrain.host.arithmetic.step_values import Activations, Errors, GradientSums, Kept, Narrowed
from fractrain.host.graph import operations as ops
from fractrain.host.graph.dispatch import Dispatch
from fractrain.host.graph.machine_records import NormKey, ScaleKey, StepRecords
from fractrain.host.graph.operations import Operation, width
from fractrain.host.machine_step.norm_columns import Norm, norm_records
from fractrain.host.machine_step.outline import Outline
from fractrain.host.machine_step.worths import Worths
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.numerics.quantization import Quantized
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.records import clip_shift
from fractrain.sim.golden.step.weights import (
    WEIGHT_STEP,
    UpdateRule,
    deviation_of,
    weight_multiplier,
)

POOLED = Errors(None, 0)
"""E at the pooling, of which nothing is known before the loss."""

EXACT = object()
"""Sums of a convolution: worth what their operands are."""

_OF_CHUNKS: Any = None
"""In the place of what the machine makes in each chunk."""

Fields = dict[str, int]
Scale = NarrowScale | FormScale | JoinScale | ApplyScale


class Rules(Protocol):
    """Of an optimizer of master weights."""

    def rule(self, gradient: GradientSums | None, rate: float) -> UpdateRule:
        """Of weights with a gradient of this scale and bound; None: there is none."""
        ...


@dataclass(frozen=True)
class Held:
    """Of the network, by name: parameters, running statistics; and of each tensor of weights the
    greatest magnitude and Σs², integers (`sim.golden.step.weights`)."""

    parameters: Mapping[str, Parameter]
    statistics: Mapping[str, Statistic]
    weights: Mapping[str, tuple[int, int]]


@dataclass
class StepPlan:
    """A step's ``records``; the operations that are ``running``; what tensors are worth
    (``known``), and the ``scales`` of operations by their names. ``late``: the joins behind the
    pooling."""

    running: Sequence[Operation]
    known: Worths
    records: StepRecords = field(default_factory=StepRecords)
    scales: dict[str, Scale] = field(default_factory=dict)
    late: list[ops.Join] = field(default_factory=list)

    def late_records(self, exponent: int) -> StepRecords:
        """Those that wait for the exponent of E at the pooling."""
        found: dict[ScaleKey, Mapping[str, int]] = {}
        for join in self.late:
            scale = self.scales[join.name]
            assert isinstance(scale, JoinScale)
            found |= _join_records(self.known, join, scale, exponent)
        return StepRecords(found)


def find_unmeasured(
    outline: Outline, arithmetic: IntegerStep, table: Sequence[Precision]
) -> str | None:
    """The name of a range that no step has had yet, other than 0, and that a step with the
    precisions ``table`` needs; the machine cannot measure it. None if there is none."""
    extent = arithmetic.history.extent
    for each in outline.running(table):
        if isinstance(each, ops.Narrow | ops.Join | ops.Apply | ops.Form):
            passes = isinstance(each, ops.Form) and arithmetic.passes(each, table)
            if not passes and extent(each.range_name) is None:
                return each.range_name
    return None


def plan_step(
    outline: Outline,
    arithmetic: IntegerStep,
    table: Sequence[Precision],
    held: Held,
    rules: Rules,
    rate: float,
) -> StepPlan:
    """The plan of a step with the precisions ``table`` of the slots, at the learning ``rate``.

    Raises `ParameterError` for a tensor without a range (`find_unmeasured`).
    """
    making = _Making(outline, arithmetic, table, held, rules, rate)
    for each in making.plan.running:
        making.handle(each)
    return making.finish()


class _Making:
    """A plan in the making."""

    def __init__(
        self,
        outline: Outline,
        arithmetic: IntegerStep,
        table: Sequence[Precision],
        held: Held,
        rules: Rules,
        rate: float,
    ) -> None:
        self.outline, self.held = outline, held
        self.arithmetic, self.options = arithmetic, arithmetic.integers
        self.table, self.known = table, Worths(table)
        self.plan = StepPlan(outline.running(table), self.known)
        self.scales: dict[ScaleKey, Mapping[str, int]] = {}
        self.norms: dict[NormKey, Norm] = {}
        self.applied: dict[str, NormKey] = {}
        self.updates: dict[str, Mapping[str, int]] = {}
        self._rules, self._rate = rules, rate

    def handle(self, operation: Operation) -> None:
        HANDLERS.of(operation)(self, operation)

    def extent(self, name: str) -> float:
        found = self.arithmetic.history.extent(name)
        if found is None:
            raise ParameterError(f"range {name}", 0, "one of an earlier step, which measured it")
        return found

    def update(self, parameter: str, gradient: GradientSums | None) -> None:
        self.updates[parameter] = _rule_fields(self._rules.rule(gradient, self._rate))

    def finish(self) -> StepPlan:
        """Norm records of all batch norms at once; weights without a gradient descend, too."""
        for name, parameter in self.held.parameters.items():
            if parameter.multiplied and name not in self.updates:
                self.update(name, None)
        norms, shifts = norm_records(list(self.norms.values()), self.options.mixing)
        for apply, key in self.applied.items():
            self.scales[ScaleKey(apply)] = {"gain_shift": clip_shift(shifts[key])}
        self.plan.records = StepRecords(self.scales, norms, self.updates)
        return self.plan


def _rule_fields(rule: UpdateRule) -> Fields:
    found = {"before": rule.before}
    for name in ("gradient", "momentum", "decay", "rate"):
        by = getattr(rule, name)
        if by is not None:
            found[f"{name}_mantissa"] = by.mantissa
            found[f"{name}_shift"] = clip_shift(by.shift)
    return found


HANDLERS: Dispatch[Callable[[_Making, Any], None]] = Dispatch(
    "the host beside a machine that does whole steps", "host/machine_step/planning.py"
)


@HANDLERS.register(
    *(ops.ChooseEarly, ops.PoolSums, ops.Linear, ops.Loss, ops.RecordMeans),
    *(ops.LinearBackward, ops.AddGradient, ops.NormShare, ops.LearnChoice, ops.Update),
)
def _without_records(making: _Making, step: Operation) -> None:
    """Of the host."""


@HANDLERS.register(ops.Convolve)
def _convolve(making: _Making, step: ops.Convolve) -> None:
    making.known.put(step.result, EXACT)


# -- operands ----------------------------------------------------------------------------------


@HANDLERS.register(ops.QuantizePixels)
def _pixels(making: _Making, step: ops.QuantizePixels) -> None:
    assert step.pixels.bits is not None
    bits = width(step.pixels.bits, making.table)
    making.known.put(step.pixels, step_scales.pixel_values(None, bits, step.image_bits, step.scale))


@HANDLERS.register(ops.QuantizeWeights)
def _weights(making: _Making, step: ops.QuantizeWeights) -> None:
    assert step.q.bits is not None
    bits, (greatest, squares) = width(step.q.bits, making.table), making.held.weights[step.x.name]
    count = making.held.parameters[step.x.name].value.size
    scale = step_scales.weights_scale(
        making.arithmetic.weight_levels,
        bits,
        lambda: greatest * WEIGHT_STEP,
        lambda: deviation_of(squares, count),
    )
    making.known.put(step.q, Quantized(None, scale, bits))
    by = weight_multiplier(scale)
    making.scales[ScaleKey(step.name)] = {"mantissa": by.mantissa, "shift": clip_shift(by.shift)}


@HANDLERS.register(ops.TopPlanes)
def _top_planes(making: _Making, step: ops.TopPlanes) -> None:
    assert step.q.bits is not None
    stored, bits = making.known.value(step.stored), width(step.q.bits, making.table)
    making.known.put(step.q, step_scales.top_values(None, stored, bits))


# -- forward -----------------------------------------------------------------------------------


@HANDLERS.register(ops.Narrow)
def _narrow(making: _Making, step: ops.Narrow) -> None:
    unit = step_scales.sums_unit(making.known, step.row, step.column)
    scale = NarrowScale.of(making.extent(step.range_name), unit)
    making.plan.scales[step.name] = scale
    making.scales[ScaleKey(step.name)] = {"narrow_shift": clip_shift(scale.shift)}
    making.known.put(step.y, Narrowed(None, _OF_CHUNKS, scale.step))


@HANDLERS.register(ops.Form)
def _form(making: _Making, step: ops.Form) -> None:
    known, options = making.known, making.options
    residual: Activations | None = known.optional(step.residual)
    parts = step_scales.form_parts(known, step)
    bits = step_scales.form_bits(step, making.table)
    if parts:
        extent = making.extent(step.range_name) * options.activation_range[bits - 1]
    else:
        assert residual is not None
        extent = residual.extent
    scale = FormScale(extent, bits, options.residual_bits)
    making.plan.scales[step.name] = scale
    if residual is not None:
        factor = scale.residual_factor(residual)
        making.scales[ScaleKey(step.name)] = {"residual_factor": factor}
    if step.a is not None and step.a.bits is not None and width(step.a.bits, making.table):
        known.put(step.a, scale.activations(None))
    if step.r is not None:
        known.put(step.r, scale.residual(None) if parts or residual is None else residual)
    for place in parts:
        _norm(making, step, place, scale)


def _norm(making: _Making, step: ops.Form, place: int, scale: FormScale) -> None:
    held, y_step = making.held, making.known.value(step.ys[place]).step
    form = step_scales.kept_form(step, place, making.table, making.options)
    if step.kept:
        making.known.put(step.kept[place], Kept(None, form, _OF_CHUNKS, y_step))
    mean, variance = (held.statistics[each.name].value for each in step.running[place])
    z_step, key = scale.unit, NormKey(step.name, place)
    making.norms[key] = Norm(
        key,
        held.parameters[step.gammas[place].name].value,
        held.parameters[step.betas[place].name].value,
        (mean, variance),
        y_step=y_step,
        z_step=z_step,
        factor_step=z_step * 2.0 ** step_scales.formed_from(step, form).fraction,
    )


# -- backward ----------------------------------------------------------------------------------


@HANDLERS.register(ops.SpreadErrors)
def _spread(making: _Making, step: ops.SpreadErrors) -> None:
    making.known.put(step.dx, POOLED)


@HANDLERS.register(ops.Join)
def _join(making: _Making, step: ops.Join) -> None:
    scale = JoinScale.of(making.extent(step.range_name))
    making.plan.scales[step.name] = scale
    if any(making.known.optional(each) is POOLED for each in step.streams):
        making.plan.late.append(step)
    else:
        making.scales |= _join_records(making.known, step, scale)
    making.known.put(step.e, Errors(None, scale.exponent))


def _join_records(
    known: Worths, step: ops.Join, scale: JoinScale, pooled: int = 0
) -> dict[ScaleKey, Mapping[str, int]]:
    """``pooled``: the exponent of E at the pooling."""
    found: dict[ScaleKey, Mapping[str, int]] = {}
    shifts: dict[int, Fields] = {}
    for place, stream in enumerate(step.streams):
        errors: Errors | None = known.optional(stream)
        if errors is not None:
            exponent = pooled if errors is POOLED else errors.exponent
            shift = clip_shift(scale.stream_shift(exponent))
            shifts[place] = {"stream_shift": shift}
            found[ScaleKey(step.name, len(step.sums) + place)] = shifts[place]
    operands = zip(step.sums, step.rows, step.columns, step.depths, strict=True)
    for place, (sums, row, column, depth) in enumerate(operands):
        if known.optional(sums) is None:
            continue
        before = step_scales.sums_before(known, row, column, depth)
        by = scale.multiplier(step_scales.sums_unit(known, row, column), before)
        fields = {"before": before, "mantissa": by.mantissa, "shift": clip_shift(by.shift)}
        found[ScaleKey(step.name, place)] = fields | shifts.get(0, {})
    return found


@HANDLERS.register(ops.Apply)
def _apply(making: _Making, step: ops.Apply) -> None:
    errors, kept = making.known.value(step.e), making.known.value(step.kept)
    assert step.q.bits is not None
    bits = width(step.q.bits, making.table)
    extent = making.extent(step.range_name) * making.options.error_range[bits - 1]
    scale = ApplyScale.of(extent, bits)
    making.plan.scales[step.name] = scale
    making.known.put(step.q, Quantized(None, scale.scale, bits))
    key = making.applied[step.name] = making.outline.norm_of[step.kept.name]
    making.norms[key].gain_factor = scale.gain_factor(errors.exponent, kept.y_step)


@HANDLERS.register(ops.AddSums)
def _add_sums(making: _Making, step: ops.AddSums) -> None:
    unit = step_scales.sums_unit(making.known, step.row, step.column)
    bound = step_scales.gradient_bound(making.known, step)
    making.update(step.parameter.name, GradientSums(None, unit, bound))
