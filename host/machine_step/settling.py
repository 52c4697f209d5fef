"""After a step on the machine: ranges, running statistics, gates and gradients, from what the step
has left in its memory."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from fractrain.host.arithmetic import chunk_sums
from fractrain.host.arithmetic.integer_step import IntegerStep
from fractrain.host.arithmetic.step_scales import ApplyScale, FormScale, JoinScale, NarrowScale
from fractrain.host.graph.machine_records import NormMoments, StepResults
from fractrain.host.machine_step.exchange import Exchange
from fractrain.host.machine_step.frame import Group
from fractrain.host.machine_step.scales import Held, StepScales
from fractrain.host.networks.selection import Selector
from fractrain.hw.contract.errors import MachineError
from fractrain.sim.golden.step.scales import power

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")

Scale = NarrowScale | FormScale | JoinScale | ApplyScale

MOMENTS = ("total", "dispersion", "error_total", "error_product")


class Settling:
    """Of one step: its ``scales``, the machine's ``results``, the end of the network in
    ``exchange``.

    Raises `MachineError` for a result that is missing or of another shape.
    """

    def __init__(
        self,
        arithmetic: IntegerStep,
        held: Held,
        scales: StepScales,
        results: StepResults,
        exchange: Exchange,
    ) -> None:
        self._arithmetic, self._held = arithmetic, held
        self._scales, self._frame = scales, scales.frame
        self._results, self._exchange = results, exchange

    def settle(self, selector: Selector) -> None:
        """Leave ranges, statistics and the gradients of all parameters but weights of convolutions
        as the executor does; the updates are the caller's."""
        peaks = self._peaks()
        moments = [self._moments(each) for each in self._frame.groups]
        for parameter in self._held.parameters.values():
            parameter.gradient = None
        self._observe(peaks)
        for group, found in zip(self._frame.groups, moments, strict=True):
            self._move_statistics(group, found)
            self._norm_gradients(group, found)
        end = self._frame.layout.outline.end.linear
        gradients = self._exchange.gradients()
        for tensor, value in zip((end.weight, end.bias), gradients, strict=True):
            self._held.parameters[tensor.name].gradient = value
        self._record_means(selector)
        self._learn(selector)
        self._arithmetic.commit(())

    # -- ranges ----------------------------------------------------------------------------

    def _peaks(self) -> Any:
        peaks = self._results.peaks
        found = [_of(peaks, name, "peak") for name in self._frame.measured]
        return np.array(found, np.float64)

    def _observe(self, peaks: Any) -> None:
        scales, frame = self._scales, self._frame
        own, forms = frame.forms.own, scales.forms
        with_range = FormScale(forms.extent[own], forms.bits[own], forms.residual_bits)
        kinds: list[Scale] = [with_range, scales.narrows, scales.joins, scales.applies]
        parts = np.split(peaks, frame.kinds_of_ranges)
        found = [kind.magnitude(part) for kind, part in zip(kinds, parts, strict=True)]
        magnitudes = np.concatenate(found).tolist()
        self._arithmetic.history.observe_all(dict(zip(frame.ranges, magnitudes, strict=True)))

    # -- batch norms -----------------------------------------------------------------------

    def _moments(self, group: Group) -> dict[str, Any]:
        """Of the batch norms of a group, side by side: [chunks, channels]."""
        keys = [self._frame.norms.keys[place] for place in group.places]
        each: Sequence[NormMoments] = [_of(self._results.moments, key, "moments") for key in keys]
        found = {}
        for name in MOMENTS:
            arrays = [getattr(moments, name) for moments in each]
            for key, array, channels in zip(keys, arrays, group.channels, strict=True):
                allowed = len(group.pixels), channels
                if array.shape != allowed:
                    given = f"{name} of {key.form} has the shape {array.shape}"
                    raise MachineError(f"the machine's {given} instead of {allowed}")
            found[name] = np.concatenate(arrays, axis=1)
        return found

    def _move_statistics(self, group: Group, moments: Mapping[str, Any]) -> None:
        norms = self._frame.norms
        y_steps = self._scales.y_step[norms.narrow[group.places]]
        newest = chunk_sums.statistics(
            moments["total"],
            moments["dispersion"].astype(np.uint64),
            group.pixels,
            np.repeat(y_steps, group.channels),
        )
        for which, values in enumerate(newest):
            names = [norms.running[place][which] for place in group.places]
            held = [self._held.statistics[name] for name in names]
            old = np.concatenate([each.value for each in held], axis=None)
            moved = chunk_sums.moved(old, values)
            for each, part in zip(held, group.parts, strict=True):
                each.value = moved[part].reshape(each.value.shape)

    def _norm_gradients(self, group: Group, moments: Mapping[str, Any]) -> None:
        frame, norms = self._frame, self._frame.norms
        joins = frame.apply_join[frame.apply_of[group.places]]
        units = power(self._scales.joins.exponent[joins])
        of_x = power(norms.kept[group.places])
        found = chunk_sums.norm_gradients(
            moments["error_total"],
            moments["error_product"],
            np.repeat(units, group.channels),
            np.repeat(of_x, group.channels),
        )
        for names, values in zip((norms.gammas, norms.betas), found, strict=True):
            for place, part in zip(group.places, group.parts, strict=True):
                parameter = self._held.parameters[names[place]]
                parameter.gradient = values[part].reshape(parameter.value.shape)

    # -- choices ---------------------------------------------------------------------------

    def _record_means(self, selector: Selector) -> None:
        layout = self._frame.layout
        for block, form, shape in layout.means.rows:
            _, _, height, width = shape
            scale = self._scales.residual_scale[form]
            means = chunk_sums.channel_means(self._pooled(form), scale, height * width)
            selector.record(block, means, measuring=False)

    def _pooled(self, form: int) -> Any:
        """Σr of images and channels, of the r that this form made."""
        layout = self._frame.layout
        if form == layout.pool_form:
            return self._exchange.sums
        return _of(self._results.pooled, layout.forms.rows[form][0], "pooled sums")

    def _learn(self, selector: Selector) -> None:
        norms = self._frame.norms
        for block, norm in self._frame.layout.choices.rows:
            share = 0.0
            if norm >= 0:
                names = norms.gammas[norm], norms.betas[norm]
                gamma, beta = (self._held.parameters[name] for name in names)
                share = chunk_sums.norm_share(
                    gamma.value, beta.value, gamma.gradient, beta.gradient
                )
            selector.learn(block, share)


def _of(results: Mapping[Key, Found], key: Key, what: str) -> Found:
    if key not in results:
        raise MachineError(f"the machine gave no {what} of {key}")
    return results[key]
