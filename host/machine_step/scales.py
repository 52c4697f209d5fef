"""The scales and records of a step, from ranges, weights and parameters, by its layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fractrain.host.arithmetic import step_scales
from fractrain.host.arithmetic.step_scales import ApplyScale, FormScale, JoinScale, NarrowScale
from fractrain.host.machine_step.frame import Frame, Reals
from fractrain.host.machine_step.layout import OPERANDS
from fractrain.host.machine_step.records import RecordColumns, StepColumns, clip_shifts
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.hw.contract.numerics import MULTIPLIER_BITS
from fractrain.hw.contract.records import RECORDS, Record
from fractrain.sim.golden.step import backward, forward
from fractrain.sim.golden.step.weights import (
    WEIGHT_STEP,
    UpdateRule,
    deviation_of,
    weight_multiplier,
    weight_scale,
)

Rule = Callable[[Any, Any], UpdateRule]
"""Of weights, from what a step of their gradients is worth and the shift before."""


@dataclass(frozen=True)
class Held:
    """Of the network, by name: parameters, running statistics; and of each tensor of weights the
    greatest magnitude and Σs², integers (`sim.golden.step.weights`)."""

    parameters: Mapping[str, Parameter]
    statistics: Mapping[str, Statistic]
    weights: Mapping[str, tuple[int, int]]


class StepScales:
    """Of one step: ``ranges`` as `Frame.find_ranges` has them. Scales are those of all operations
    of a kind, in the layout's order."""

    def __init__(self, frame: Frame, ranges: Reals, held: Held, residual_bits: int) -> None:
        self.frame, self._held = frame, held
        of_forms, narrows, joins, applies = np.split(ranges, frame.kinds_of_ranges)
        forms = frame.forms
        self.forms = FormScale((of_forms * forms.share)[forms.range], forms.bits, residual_bits)
        self.applies = ApplyScale.of(applies * frame.apply_share, frame.apply_bits)
        self.residual_scale = self.forms.residual_scale
        self.z_step = self.forms.unit
        self.operands = self._operands(residual_bits)
        unit = self.operands[frame.narrow_row] * self.operands[frame.narrow_column]
        self.narrows = NarrowScale.of(narrows, unit)
        self.y_step = self.narrows.step
        self.joins = JoinScale.of(joins)

    def _operands(self, residual_bits: int) -> Reals:
        """What a step of each quantized tensor is worth."""
        frame = self.frame
        scales = {
            "pixels": frame.pixel_scales,
            "forms": self.forms.activation_scale,
            "tops": step_scales.top_scale(
                self.residual_scale[frame.top_form], residual_bits, frame.top_bits
            ),
            "weights": self._weights(),
            "applies": self.applies.scale,
        }
        return np.concatenate([scales[kind] for kind in OPERANDS])

    def _weights(self) -> Reals:
        of = self.frame.weights
        greatest, squares = np.array([self._held.weights[name] for name in of.names], np.float64).T
        reach = (
            partial(np.multiply, greatest, WEIGHT_STEP),
            partial(deviation_of, squares, of.count),
        )
        clipped = step_scales.weights_extent(of.clip, *reach)
        whole = step_scales.weights_extent(None, *reach)
        self.weights: Reals = weight_scale(np.where(of.clip > 0, clipped, whole), of.bits)
        return self.weights

    # -- records ---------------------------------------------------------------------------

    def records(self, rule: Rule, share: int) -> StepColumns:
        """Those that are known before the step. ``share``: of running statistics in those of a
        chunk, in 256ths."""
        frame, part = self.frame, self.frame.part
        gains, gain_shifts = self._gains()
        names, count = tuple(RECORDS[Record.SCALE]), len(frame.scale_keys)
        fields = dict(zip(names, np.zeros((len(names), count), np.int64), strict=True))
        fields["narrow_shift"][part["narrows"]] = clip_shifts(self.narrows.shift)
        fields["residual_factor"][part["forms"]] = self._residual_factors()
        by = weight_multiplier(self.weights)
        fields["mantissa"][part["weights"]] = by.mantissa
        fields["shift"][part["weights"]] = clip_shifts(by.shift)
        sums, streams = self._joined(0)
        for kind, found, late in (
            ("sums", sums, frame.sums.late),
            ("streams", streams, frame.sums.late_streams),
        ):
            for name, values in found.items():
                fields[name][part[kind]] = values[~late]
        fields["gain_shift"][part["applies"]] = clip_shifts(gain_shifts[frame.apply_norm])
        return StepColumns(
            RecordColumns(Record.SCALE, frame.scale_keys, fields),
            self._norm_records(gains, share),
            self._update_records(rule),
        )

    def late_records(self, exponent: int) -> StepColumns:
        """Those that wait for the ``exponent`` of E at the pooling."""
        sums, streams = self._joined(exponent)
        late, late_streams = self.frame.sums.late, self.frame.sums.late_streams
        nothing = np.zeros(len(late_streams), np.int64)
        fields = {
            name: np.append(values[late], streams.get(name, nothing)[late_streams])
            for name, values in sums.items()
        }
        return StepColumns(
            RecordColumns(Record.SCALE, self.frame.late_keys, fields),
            RecordColumns(Record.NORM, (), {}, ()),
            RecordColumns(Record.UPDATE, (), {}),
        )

    def _residual_factors(self) -> Any:
        place = self.frame.with_residual
        scale = self.residual_scale[self.frame.forms.residual[place]]
        residual_bits = self.forms.residual_bits
        return forward.residual_factor(scale, self.z_step[place], residual_bits)

    def _joined(self, pooled: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fields of all parts of joins: of sums, and of streams. ``pooled``: the exponent of E at
        the pooling. The place −1 is the last one: that of the pooling, and of no stream."""
        of, exponents = self.frame.sums, self.joins.exponent
        source = np.append(exponents, pooled)[of.source]
        shifts = clip_shifts(JoinScale(exponents[of.stream_join]).stream_shift(source))
        unit = self.operands[of.row] * self.operands[of.column]
        by = JoinScale(exponents[of.join]).multiplier(unit, of.before)
        sums = {
            "before": of.before,
            "mantissa": by.mantissa,
            "shift": clip_shifts(by.shift),
            "stream_shift": np.append(shifts, 0)[of.stream],
        }
        return sums, {"stream_shift": shifts}

    def _gains(self) -> tuple[Any, Any]:
        """γC of all channels, and the shift of each batch norm."""
        frame, of = self.frame, self.frame.norms
        factors, norm = np.zeros(len(of.keys)), frame.apply_norm
        exponents = self.joins.exponent[frame.apply_join]
        factors[norm] = self.applies.gain_factor(exponents, self.y_step[of.narrow[norm]])
        real = self._column(of.gammas) * np.repeat(factors, of.sizes)
        shifts = backward.gain_shift(np.maximum.reduceat(np.abs(real), of.starts))
        return backward.gain_integers(real, np.repeat(shifts, of.sizes)), shifts

    def _norm_records(self, gains: Any, share: int) -> RecordColumns:
        of = self.frame.norms
        units = self.z_step[of.form]
        steps = forward.factor_step(units, of.formed)
        units, steps = (np.repeat(each, of.sizes) for each in (units, steps))
        term = forward.terms(self._column(of.gammas), self._column(of.betas), steps, units)
        fields = {"factor": term.factor, "offset": term.offset, "gain": gains}
        if share:
            mean, variance = (
                np.concatenate(
                    [self._held.statistics[each[place]].value for each in of.running], axis=None
                )
                for place in range(2)
            )
            y_steps = np.repeat(self.y_step[of.narrow], of.sizes)
            mixed = forward.mix(mean, variance, y_steps, share)
            fields |= {"running_mean": mixed.mean, "running_variance": mixed.variance}
        return RecordColumns(Record.NORM, of.keys, fields, of.counts)

    def _column(self, names: list[str]) -> Reals:
        """Parameters side by side."""
        parameters = self._held.parameters
        return np.concatenate([parameters[name].value for name in names], axis=None)

    def _update_records(self, rule: Rule) -> RecordColumns:
        """Weights without a gradient descend, too: their sums are 0, and so every factor does; it
        is 1, which every machine takes."""
        frame = self.frame
        scale = self.operands[frame.gradient_row] * self.operands[frame.gradient_column]
        found = rule(np.append(scale, np.ones(frame.without_gradient)), frame.before)
        fields: dict[str, Any] = {"before": found.before}
        for name in ("gradient", "momentum", "decay", "rate"):
            by = getattr(found, name)
            if by is not None:
                fields[f"{name}_mantissa"] = by.mantissa
                fields[f"{name}_shift"] = clip_shifts(by.shift)
        without = np.arange(len(frame.updated)) >= len(scale)
        one = MULTIPLIER_BITS - 1
        for part, of_one in (("mantissa", 1 << one), ("shift", one)):
            name = f"gradient_{part}"
            fields[name] = np.where(without, of_one, fields[name])
        return RecordColumns(Record.UPDATE, frame.updated, fields)
