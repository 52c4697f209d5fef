"""After a step on the machine: ranges, running statistics, gates, gradients and updates, from what
the step has left in its memory."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from fractrain.host.arithmetic import chunk_sums, step_scales
from fractrain.host.arithmetic.integer_step import IntegerStep
from fractrain.host.arithmetic.step_values import Activations
from fractrain.host.graph import operations as ops
from fractrain.host.graph.machine_records import NormKey, NormMoments, StepResults
from fractrain.host.graph.tensor import Tensor
from fractrain.host.machine_step.exchange import Exchange
from fractrain.host.machine_step.norm_columns import Columns
from fractrain.host.machine_step.outline import Outline
from fractrain.host.machine_step.planning import Held, StepPlan
from fractrain.host.networks.parameter import Statistic
from fractrain.host.networks.selection import Selector
from fractrain.hw.contract.errors import MachineError
from fractrain.sim.golden.step.chunks import sizes

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


class Settling:
    """Of one step: its ``plan``, the machine's ``results``, the end of the network in
    ``exchange``.

    Raises `MachineError` for a result that is missing or of another shape.
    """

    def __init__(
        self,
        outline: Outline,
        arithmetic: IntegerStep,
        held: Held,
        plan: StepPlan,
        results: StepResults,
        exchange: Exchange,
    ) -> None:
        self._outline, self._arithmetic, self._held = outline, arithmetic, held
        self._plan, self._results, self._exchange = plan, results, exchange
        self._made: dict[str, Any] = {}

    def settle(self, selector: Selector) -> None:
        """Leave ranges, statistics and the gradients of all parameters but weights of convolutions
        as the executor does; the updates are the caller's."""
        for each in self._held.parameters.values():
            each.gradient = None
        self._observe()
        pending = self._norms()
        back = self._outline.end.back
        gradients = self._exchange.gradients()
        for tensor, value in zip((back.dweight, back.dbias), gradients, strict=True):
            self._made[tensor.name] = value
        shares = {}
        for step in self._plan.running:
            if isinstance(step, ops.RecordMeans):
                self._record(step, selector)
            elif isinstance(step, ops.AddGradient):
                parameter = self._held.parameters[step.parameter.name]
                parameter.add_gradient(self._made[step.gradient.name])
            elif isinstance(step, ops.NormShare):
                shares[step.share.name] = self._share(step)
            elif isinstance(step, ops.LearnChoice):
                selector.learn(step.block, shares[step.share.name])
        self._arithmetic.commit(pending)

    # -- ranges ----------------------------------------------------------------------------

    def _observe(self) -> None:
        history = self._arithmetic.history
        for each in self._plan.running:
            if isinstance(each, ops.Narrow | ops.Form | ops.Join | ops.Apply):
                if isinstance(each, ops.Form) and self._arithmetic.passes(
                    each, self._plan.known.table
                ):
                    continue
                peak = _of(self._results.peaks, each.name, "peak")
                history.observe(each.range_name, self._plan.scales[each.name].magnitude(peak))

    # -- batch norms -----------------------------------------------------------------------

    def _norms(self) -> list[tuple[Statistic, Any]]:
        """Gradients of γ and β are noted; what moves the running statistics. Batch norms of a size
        are side by side."""
        applies = {
            self._outline.norm_of[each.kept.name]: each
            for each in self._plan.running
            if isinstance(each, ops.Apply)
        }
        groups: dict[tuple[int, ...], list[tuple[NormKey, ops.Form]]] = {}
        for each in self._plan.running:
            if isinstance(each, ops.Form):
                images, _, *size = each.outputs[0].shape
                for place in step_scales.form_parts(self._plan.known, each):
                    key = NormKey(each.name, place)
                    groups.setdefault((images, *size), []).append((key, each))
        pending = []
        for shape, norms in groups.items():
            moments = [self._moments(key, form, shape) for key, form in norms]
            columns = Columns([each.total.shape[1] for each in moments])
            pending += self._statistics(shape, norms, moments, columns)
            self._gradients([applies[key] for key, _ in norms], moments, columns)
        return pending

    def _moments(self, key: NormKey, form: ops.Form, shape: tuple[int, ...]) -> NormMoments:
        """Of one batch norm, as they should be."""
        found = _of(self._results.moments, key, "moments")
        chunk = self._arithmetic.integers.chunk(*shape)
        allowed = -(-shape[0] // chunk), form.ys[key.part].shape[1]
        for name in MOMENTS:
            given = getattr(found, name).shape
            if given != allowed:
                raise MachineError(
                    f"{name} of {key.form} has the shape {given} instead of {allowed}"
                )
        return found

    def _statistics(
        self,
        shape: tuple[int, ...],
        norms: Sequence[tuple[NormKey, ops.Form]],
        moments: Sequence[NormMoments],
        columns: Columns,
    ) -> list[tuple[Statistic, Any]]:
        images, *size = shape
        chunk = self._arithmetic.integers.chunk(*shape)
        pixels = sizes(images, chunk)[:, None] * math.prod(size)
        total, dispersion = (_beside(moments, name) for name in ("total", "dispersion"))
        known = self._plan.known
        steps = columns.spread([known.value(form.ys[key.part]).step for key, form in norms])
        newest = chunk_sums.statistics(total, dispersion.astype(np.uint64), pixels, steps)
        return [
            (self._held.statistics[tensor.name], values[part])
            for (key, form), part in zip(norms, columns.parts, strict=True)
            for tensor, values in zip(form.running[key.part], newest, strict=True)
        ]

    def _gradients(
        self, applies: Sequence[ops.Apply], moments: Sequence[NormMoments], columns: Columns
    ) -> None:
        total, product = (_beside(moments, name) for name in ("error_total", "error_product"))
        known = self._plan.known
        units = [2.0 ** known.value(each.e).exponent for each in applies]
        of_x = [2.0 ** known.value(each.kept).form.fraction for each in applies]
        found = chunk_sums.norm_gradients(
            total, product, columns.spread(units), columns.spread(of_x)
        )
        for apply, part in zip(applies, columns.parts, strict=True):
            for tensor, values in zip((apply.dgamma, apply.dbeta), found, strict=True):
                self._made[tensor.name] = values[part].reshape(tensor.shape)

    def _share(self, step: ops.NormShare) -> float:
        if step.dgamma.name not in self._made:
            return 0.0
        gamma, beta = (self._held.parameters[each.name].value for each in (step.gamma, step.beta))
        return chunk_sums.norm_share(
            gamma, beta, self._made[step.dgamma.name], self._made[step.dbeta.name]
        )

    # -- choices ---------------------------------------------------------------------------

    def _record(self, step: ops.RecordMeans, selector: Selector) -> None:
        x: Activations = self._plan.known.value(step.x)
        _, _, height, width = step.x.shape
        means = chunk_sums.channel_means(self._pooled(step.x), x.scale, height * width)
        selector.record(step.block, means, measuring=False)

    def _pooled(self, r: Tensor) -> Any:
        """Σr of images and channels; a skipped block passes on what was made before."""
        if r.name == self._outline.end.pool.x.name:
            return self._exchange.sums
        makers = []
        maker = self._outline.maker_of.get(r.name)
        while maker is not None:
            makers.append(maker.name)
            if maker.name in self._results.pooled:
                return self._results.pooled[maker.name]
            passes = self._arithmetic.passes(maker, self._plan.known.table)
            before = maker.residual if passes else None
            maker = None if before is None else self._outline.maker_of.get(before.name)
        raise MachineError(f"the machine gave no pooled sums of {' or '.join(makers) or r.name}")


MOMENTS = ("total", "dispersion", "error_total", "error_product")


def _beside(moments: Sequence[NormMoments], name: str) -> Any:
    """Of several batch norms of a size, [chunks, columns]."""
    return np.concatenate([getattr(each, name) for each in moments], axis=1)


def _of(results: Mapping[Key, Found], key: Key, what: str) -> Found:
    if key not in results:
        raise MachineError(f"the machine gave no {what} of {key}")
    return results[key]
