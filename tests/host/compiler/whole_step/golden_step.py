"""A training step by golden, what the machine is given for it, and what it should leave.

The step is that of hardware mode; records are taken from what its kernels hand to `StepMath`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fractrain.host.accelerator import Accelerator
from fractrain.host.arithmetic import IntegerStep
from fractrain.host.execution import Executor, Run, step_options
from fractrain.host.graph import operations as ops
from fractrain.host.graph.choice import UNQUANTIZED, Choice, Path
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.machine_records import NormKey, NormMoments, ScaleKey, StepRecords
from fractrain.host.graph.step import StepGraph, build_step
from fractrain.host.networks.registry import build_network
from fractrain.host.networks.selection import Selector
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.random_streams import Stream
from fractrain.host.training.integer_optimizer import IntegerSgd
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.records import clip_shift
from fractrain.sim.golden.step import backward
from fractrain.sim.golden.step.scales import multiplier
from fractrain.sim.golden.step.weights import WEIGHT_STEP

SEED, RATE, CLASSES = 7, 0.1, 4


class ByBlock(Selector):
    """A precision for each block; it may learn, from shares and means of which it makes nothing."""

    def __init__(self, by_block: Sequence[Precision], others: Sequence[Precision] = ()) -> None:
        self.by_block = list(by_block)
        self.precisions = tuple(dict.fromkeys([*by_block, *others]))

    def choose(self, index: int, x: Any, elementwise: Any) -> Choice:
        return self.choose_early(index, training=True)

    def choose_early(self, index: int, *, training: bool) -> Choice:
        return Choice((Path(self.by_block[index]),))


class LearningByBlock(ByBlock):
    learns = True

    def learn(self, index: int, share: float) -> None:
        pass


class _Recorder:
    """A `StepMath` that keeps arguments and result of each last call."""

    def __init__(self, math: Any) -> None:
        self._math = math
        self.calls: dict[str, list[tuple[Any, Any]]] = {}

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._math, name)

        def call(*args: Any) -> Any:
            result = function(*args)
            self.calls.setdefault(name, []).append((args, result))
            return result

        return call

    def take(self, name: str) -> list[tuple[Any, Any]]:
        return self.calls.pop(name, [])


@dataclass
class Wanted:
    """What the machine should leave."""

    weights: dict[str, Any] = field(default_factory=dict)
    momenta: dict[str, Any] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    moments: dict[NormKey, dict[str, Any]] = field(default_factory=dict)
    pooled: dict[str, Any] = field(default_factory=dict)

    def moments_of(self, key: NormKey) -> NormMoments:
        found = self.moments[key]
        names = "total", "dispersion", "error_total", "error_product"
        return NormMoments(*(np.asarray(found[name]).astype(np.int64) for name in names))


class GoldenStep:
    """``model`` on pictures of ``side`` pixels, or of so many rows and columns, ``history`` steps
    on, and the one behind these. ``unquantized``: precision outside all blocks."""

    def __init__(
        self,
        golden: Accelerator,
        model: str,
        side: int | tuple[int, int],
        batch: int,
        precisions: Sequence[Precision],
        options: IntegerOptions,
        *,
        history: int = 2,
        learns: bool = False,
        others: Sequence[Precision] = (),
        network: Any = None,
        unquantized: Precision = UNQUANTIZED,
    ) -> None:
        rng = counter_numbers(1, Stream.WEIGHTS)
        self.network = network or build_network(model, channels=3, classes=CLASSES, rng=rng)
        self.arithmetic = IntegerStep(golden, options=options)
        self.arithmetic.adopt(self.network)
        kind = LearningByBlock if learns else ByBlock
        self.selector = kind(precisions, others)
        height, width = (side, side) if isinstance(side, int) else side
        self.shape = batch, 3, height, width
        parameters = self.network.parameters()
        constants = {"momentum": 0.9, "weight_decay": 1e-4, "seed": SEED}
        self.optimizer = IntegerSgd(parameters, self.arithmetic, **constants)
        graph_options = step_options(self.selector, self.arithmetic, unquantized)
        self.graph: StepGraph = build_step(self.network, self.shape, graph_options)
        for number in range(history):
            self._step(number, None)
        self.number = history
        self.before = self._weights()
        self.records, self.wanted = StepRecords({}, {}, {}), Wanted()
        self.math = _Recorder(self.arithmetic.math)
        self.arithmetic.math = self.math  # type: ignore[assignment]
        self.optimizer._math = self.math  # type: ignore[assignment]
        self._step(history, self._observe)
        self.wanted.weights, self.wanted.momenta = self._weights()
        self.table = self.graph.table([Choice((Path(each),)) for each in precisions])

    def _weights(self) -> tuple[dict[str, Any], dict[str, Any]]:
        held = [each for each in self.network.parameters() if each.multiplied]
        weights = {each.name: np.array(each.value) for each in held}
        return weights, {each.name: np.array(self.optimizer.velocity[each.name]) for each in held}

    def images(self, number: int) -> Any:
        rng = np.random.default_rng(100 + number)
        brightness = rng.uniform(0.2, 1, (self.shape[0], 3, 1, 1))
        return (rng.integers(0, 256, self.shape) * brightness).astype(np.uint8)

    def _step(self, number: int, observer: Any) -> None:
        executor = Executor(self.graph, self.network, self.arithmetic, self.selector, observer)
        given = {"images": self.images(number), "labels": np.arange(self.shape[0]) % CLASSES}
        rounding = self.arithmetic.rounding(SEED, number)
        if not executor.is_known():
            assert observer is None
            run = executor.forward(given, rounding, measuring=True)
            executor.backward(run)
            self.arithmetic.measured()
        run = executor.forward(given, rounding)
        executor.backward(run)

        def descend(parameter: Any) -> None:
            self.optimizer.update(parameter, RATE, number)
            if observer is not None and parameter.multiplied:
                (((_, _, _, rule, _), _),) = self.math.take("update")
                self._note_rule(parameter.name, rule)

        executor.update(run, descend)

    # -- what the machine is given ---------------------------------------------------------

    def _note_rule(self, name: str, rule: Any) -> None:
        fields = {"before": rule.before}
        for factor in ("gradient", "momentum", "decay", "rate"):
            by = getattr(rule, factor)
            fields |= _factor(f"{factor}_", by)
        self.records.updates[name] = fields  # type: ignore[index]

    def _observe(self, operation: Any, run: Run) -> None:
        note = getattr(self, f"_note_{type(operation).__name__.lower()}", None)
        if note is not None:
            note(operation, run)
        else:
            self.math.calls.clear()

    def _scale(self, name: str, part: int = 0, **fields: int) -> None:
        key = ScaleKey(name, part)
        known = self.records.scales.get(key, {})
        self.records.scales[key] = {**known, **fields}  # type: ignore[index]

    def _note_quantizeweights(self, operation: ops.QuantizeWeights, run: Run) -> None:
        by = multiplier(WEIGHT_STEP / run.value(operation.q).scale)
        self._scale(operation.name, mantissa=by.mantissa, shift=clip_shift(by.shift))

    def _note_narrow(self, operation: ops.Narrow, run: Run) -> None:
        (_, shift, _), (_, _, peak) = self.math.take("narrow")[-1]
        self._scale(operation.name, narrow_shift=clip_shift(shift))
        self.wanted.peaks[operation.name] = peak

    def _note_form(self, operation: ops.Form, run: Run) -> None:
        (normalizations, residual, _, _), formed = self.math.take("form")[-1]
        parts = [n for n, y in enumerate(operation.ys) if run.optional(y) is not None]
        mixes = self.math.take("normalizer")
        for part, each, (given, _) in zip(parts, normalizations, mixes, strict=True):
            found, mixed = given
            key = NormKey(operation.name, part)
            norms = {"factor": each.term.factor, "offset": each.term.offset}
            if mixed is not None:
                norms |= {"running_mean": mixed.mean, "running_variance": mixed.variance}
            self.records.norms[key] = norms  # type: ignore[index]
            sums = {"total": found.total, "dispersion": found.dispersion}
            self.wanted.moments[key] = sums
        if residual is not None:
            self._scale(operation.name, residual_factor=residual.factor)
        if parts:
            self.wanted.peaks[operation.name] = max(formed.peak, 0)

    def _note_poolsums(self, operation: ops.PoolSums, run: Run) -> None:
        ((_, sums),) = self.math.take("pool")
        maker = next(each for each in self.graph.forward if operation.x in each.outputs)
        self.wanted.pooled[maker.name] = sums

    def _note_recordmeans(self, operation: ops.RecordMeans, run: Run) -> None:
        self._note_poolsums(operation, run)  # type: ignore[arg-type]

    def _note_spreaderrors(self, operation: ops.SpreadErrors, run: Run) -> None:
        self.errors = np.asarray(run.value(operation.dx).e)[:, :, 0, 0]

    def _note_join(self, operation: ops.Join, run: Run) -> None:
        (sums, streams, *_), (_, _, peak) = self.math.take("join")[-1]
        present = [n for n, each in enumerate(operation.sums) if run.optional(each) is not None]
        for part, each in zip(present, sums, strict=True):
            self._scale(operation.name, part, before=each.before, **_factor("", each.by))
        places = [n for n, each in enumerate(operation.streams) if run.optional(each) is not None]
        for place, each in zip(places, streams, strict=True):
            shift = {"stream_shift": clip_shift(each.shift)}
            if operation.sums:
                self._scale(operation.name, len(operation.sums) + place, **shift)
                if place == 0:
                    for part in present:
                        self._scale(operation.name, part, **shift)
            else:
                self.late = shift
        self.wanted.peaks[operation.name] = peak
        for place, moments in enumerate(run.value(operation.e).moments):
            if moments is not None:
                form = next(
                    each
                    for each in self.graph.forward
                    if isinstance(each, ops.Form) and each.kept == operation.kept
                )
                found = {"error_total": moments.total, "error_product": moments.product}
                self.wanted.moments[NormKey(form.name, place)] |= found

    def _note_apply(self, operation: ops.Apply, run: Run) -> None:
        _, (_, peak) = self.math.take("apply")[-1]
        self.wanted.peaks[operation.name] = peak
        errors, kept, q = (run.value(each) for each in (operation.e, operation.kept, operation.q))
        gains = backward.gain(
            run.value(operation.gamma), 2.0**errors.exponent, kept.y_step, q.scale, q.bits
        )
        self._scale(operation.name, gain_shift=clip_shift(gains.shift))
        form = next(
            each
            for each in self.graph.forward
            if isinstance(each, ops.Form) and operation.kept in each.kept
        )
        self.records.norms[NormKey(form.name, operation.place)] |= {  # type: ignore[operator]
            "gain": gains.factor
        }


def _factor(prefix: str, by: Any) -> dict[str, int]:
    """Of a multiplier; none has the mantissa 0."""
    if by is None:
        return {f"{prefix}mantissa": 0}
    return {f"{prefix}mantissa": by.mantissa, f"{prefix}shift": clip_shift(by.shift)}
