"""A machine that does whole steps by `sim.golden.step`, from packed records alone.

No scale is known here: real numbers do not occur. Integers come from the bytes of the records, bits
from the precision table, and what a compiler knows (chunks, bits of r, share of running statistics,
numbers of tensors) from the graph and the options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fractrain.host.accelerator import Accelerator
from fractrain.host.graph import operations as ops
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.machine_records import (
    NormKey,
    NormMoments,
    ScaleKey,
    StepResults,
)
from fractrain.host.graph.operations import Operation, width
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.skipping import carried_out
from fractrain.host.graph.step import StepGraph
from fractrain.host.graph.tensor import Tensor
from fractrain.host.machine_step.machine import Masters, PooledSums, StepOrder
from fractrain.host.machine_step.records import StepColumns
from fractrain.host.numerics.step_math import (
    Normalization,
    Residual,
    StepMath,
    Stream,
    Sums,
    Wanted,
)
from fractrain.host.training.trainer import Trainer
from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.normalized import WIDE, Format
from fractrain.hw.contract.random_bits import rounding_key
from fractrain.hw.contract.records import Record, unpack_records
from fractrain.sim.golden.step import backward, weights
from fractrain.sim.golden.step.backward import ErrorMoments, Gain
from fractrain.sim.golden.step.forward import Mix, Moments, Normalizer, Term
from fractrain.sim.golden.step.rounding import scale_to
from fractrain.sim.golden.step.scales import Multiplier, clip_levels
from fractrain.sim.golden.step.weights import UpdateRule

FIRST_NUMBER = 1 << 15
Fields = dict[str, Any]


Tamper = Callable[[Record, Fields], Fields]


class Readable:
    """Packed records, unpacked when they are read; ``tamper`` changes what is found."""

    def __init__(self, tamper: Tamper) -> None:
        self._packed: dict[Any, Any] = {}
        self._tamper = tamper

    def add(self, records: StepColumns) -> None:
        for columns in (records.scales, records.norms, records.updates):
            packed, first = columns.pack(), 0
            counts = columns.counts or (1,) * len(columns.keys)
            assert len(packed) == sum(counts)
            for key, count in zip(columns.keys, counts, strict=True):
                assert key not in self._packed, f"{key} twice"
                self._packed[key] = packed[first : first + count]
                first += count

    def scale(self, operation: Operation, part: int = 0) -> dict[str, int]:
        return self._one(Record.SCALE, ScaleKey(operation.name, part))

    def norm(self, key: NormKey) -> Fields:
        return self._tamper(Record.NORM, dict(unpack_records(Record.NORM, self._packed[key])))

    def update(self, name: str) -> dict[str, int]:
        return self._one(Record.UPDATE, name)

    def _one(self, record: Record, key: Any) -> dict[str, int]:
        fields = unpack_records(record, self._packed[key])
        return self._tamper(record, {name: int(each[0]) for name, each in fields.items()})


class GoldenMachine:
    """Of a compiler that has the recipe's ``options``, and by `attach` the places of the
    parameters. ``order`` of the last pooling's chunks, as a permutation of so many."""

    def __init__(
        self,
        accelerator: Accelerator,
        options: IntegerOptions,
        math: StepMath,
        order: Callable[[int], Sequence[int]] = range,
        tamper: Tamper = lambda record, fields: fields,
    ) -> None:
        self.accelerator, self.math, self.tamper = accelerator, math, tamper
        self._options, self._order = options, order
        self.weights: dict[str, Masters] = {}

    def attach(self, trainer: Trainer) -> None:
        self._numbers = {each.name: place for place, each in enumerate(trainer.parameters())}

    def refusal(self, graph: StepGraph) -> None:
        return None

    def refuses(self, order: StepOrder) -> None:
        return None

    def write_weights(self, weights: Mapping[str, Masters]) -> None:
        self.weights = {
            name: (w.astype(np.int64), v.astype(np.int64)) for name, (w, v) in weights.items()
        }

    def read_weights(self) -> Mapping[str, Masters]:
        return {
            name: (w.astype(np.int32), v.astype(np.int32)) for name, (w, v) in self.weights.items()
        }

    def forward(self, order: StepOrder) -> Iterator[PooledSums]:
        graph = order.graph
        self.step = _Step(self, graph, order, self._options)
        self.step.carry_out(graph.forward_pieces)
        sums, chunk = self.step.at_the_end, self.step.last_chunk
        starts = list(range(0, len(sums), chunk))
        for place in self._order(len(starts)):
            first = starts[place]
            yield PooledSums(first, sums[first : first + chunk])

    def backward(self, errors: Any, records: StepColumns) -> StepResults:
        assert errors.dtype == np.int16
        step = self.step
        step.records.add(records)
        step.errors = errors
        step.carry_out(step.graph.backward_pieces)
        for name in self.weights:
            self._update(name)
        reaches = {
            name: (int(np.abs(w).max()), weights.squares(w))
            for name, (w, _) in self.weights.items()
        }
        return StepResults(step.peaks, step.moments(), reaches, step.pooled)

    def _update(self, name: str) -> None:
        fields, step = self.step.records.update(name), self.step

        def factor(of: str) -> Multiplier | None:
            mantissa = fields[f"{of}_mantissa"]
            return Multiplier(mantissa, fields[f"{of}_shift"]) if mantissa else None

        rule = UpdateRule(
            fields["before"], *(factor(of) for of in ("gradient", "momentum", "decay", "rate"))
        )
        key = rounding_key(step.order.seed, step.order.step, FIRST_NUMBER + self._numbers[name])
        gradient = step.gradients.get(name)
        self.weights[name] = self.math.update(*self.weights[name], gradient, rule, key)


class _Step:
    """One step; ``values`` are integers."""

    def __init__(
        self, machine: GoldenMachine, graph: StepGraph, order: StepOrder, options: IntegerOptions
    ) -> None:
        self.machine, self.graph, self.order, self.options = machine, graph, order, options
        self.math, self.table = machine.math, order.table
        self.records = Readable(machine.tamper)
        self.records.add(order.records)
        self.values: dict[str, Any] = {"images": order.images.astype(np.int64)}
        self.norms: dict[str, tuple[NormKey, Normalizer, Moments, Format]] = {}
        self.errors_of: dict[NormKey, ErrorMoments] = {}
        self.gradients: dict[str, Any] = {}
        self.peaks: dict[str, int] = {}
        self.pooled: dict[str, Any] = {}
        self.errors: Any = None
        self.at_the_end: Any = None
        self.last_chunk = 1
        operations = list(graph.operations)
        self.running = {each.name for each in carried_out(operations, order.table)}
        self.read_means = {
            each.x.name for each in operations if isinstance(each, ops.RecordMeans | ops.PoolSums)
        }

    def carry_out(self, pieces: Sequence[Operation | Piece]) -> None:
        for each in pieces:
            if isinstance(each, Piece):
                self._convolve(each)
            elif each.name in self.running:
                name = f"_{type(each).__name__}"
                if hasattr(self, name):
                    getattr(self, name)(each)

    def moments(self) -> dict[NormKey, NormMoments]:
        found = {}
        for key, _, of_y, _ in self.norms.values():
            of_e = self.errors_of[key]
            found[key] = NormMoments(of_y.total, of_y.dispersion, of_e.total, of_e.product)
        return found

    # -- what a tensor is ------------------------------------------------------------------

    def _chunk(self, tensor: Tensor) -> int:
        images, _, height, width = tensor.shape
        return self.options.chunk(images, height, width)

    def _bits(self, tensor: Tensor) -> int:
        assert tensor.bits is not None
        return width(tensor.bits, self.table)

    def _optional(self, tensor: Tensor | None) -> Any:
        return None if tensor is None else self.values.get(tensor.name)

    # -- operands --------------------------------------------------------------------------

    def _QuantizePixels(self, step: ops.QuantizePixels) -> None:
        self.values[step.pixels.name] = self.values[step.images.name]

    def _QuantizeWeights(self, step: ops.QuantizeWeights) -> None:
        scale, (w, _) = self.records.scale(step), self.machine.weights[step.x.name]
        scaled = scale_to(w * scale["mantissa"], scale["shift"], words.MASTER_BITS)
        self.values[step.q.name] = clip_levels(scaled, self._bits(step.q))

    def _TopPlanes(self, step: ops.TopPlanes) -> None:
        dropped = self.options.residual_bits - self._bits(step.q)
        self.values[step.q.name] = np.asarray(self.values[step.stored.name]) >> dropped

    def _convolve(self, piece: Piece) -> None:
        for each in piece.convolutions:
            if each.name in self.running:
                convolution = each.convolution(self.table)
                convolution = replace(convolution, stored=convolution.bits)
                operands = (self.values[of.name] for of in (each.row, each.column))
                found = self.machine.accelerator.convolve(convolution, *operands)
                self.values[each.result.name] = found

    # -- forward ---------------------------------------------------------------------------

    def _Narrow(self, step: ops.Narrow) -> None:
        shift = self.records.scale(step)["narrow_shift"]
        sums = self.values[step.sums.name]
        y, moments, peak = self.math.narrow(sums, shift, self._chunk(step.y))
        self.values[step.y.name] = y, moments
        self.peaks[step.name] = peak

    def _Form(self, step: ops.Form) -> None:
        found = [self._normalization(step, place) for place in range(len(step.ys))]
        norms = [each for each in found if each is not None]
        r, around = self._optional(step.residual), None
        wide = self.options.residual_bits
        if r is not None:
            factor = self.records.scale(step)["residual_factor"]
            around = Residual(r, factor, wide - words.MIN_RESIDUAL_BITS)
        bits = width(step.bits, self.table)
        wanted = Wanted(
            bits or words.MAX_ACTIVATION_BITS,
            wide,
            rectify=bool(norms),
            activations=step.a is not None and bits > 0,
            stream=step.r is not None and bool(norms),
        )
        formed = self.math.form(norms, around, self._chunk(step.outputs[0]), wanted)
        if norms:
            self.peaks[step.name] = max(formed.peak, 0)
            assert step.mask is not None
            self.values[step.mask.name] = formed.mask
        if wanted.activations:
            assert step.a is not None
            self.values[step.a.name] = formed.activations
        if step.r is not None:
            self.values[step.r.name] = formed.residual if norms else r
            if norms and step.r.name in self.read_means:
                self.pooled[step.name] = self.math.pool(formed.residual)
        places = [place for place, each in enumerate(found) if each is not None]
        for place, kept in zip(places, formed.kept, strict=True):
            self.values[step.kept[place].name] = kept

    def _normalization(self, step: ops.Form, place: int) -> Normalization | None:
        there = self._optional(step.ys[place])
        if there is None:
            return None
        y, moments = there
        key = NormKey(step.name, place)
        norm = self.records.norm(key)
        mix = Mix(self.options.mixing, norm["running_mean"], norm["running_variance"])
        by = self.math.normalizer(moments, mix)
        kept = self.order.kept[step.slots[place]].format(end=not step.inner)
        self.norms[step.kept[place].name] = key, by, moments, kept
        term = Term(norm["factor"], norm["offset"])
        return Normalization(y, by, term, kept if step.inner else WIDE, kept)

    def _PoolSums(self, step: ops.PoolSums) -> None:
        self.at_the_end = self.math.pool(self.values[step.x.name])
        self.last_chunk = self._chunk(step.x)

    # -- backward --------------------------------------------------------------------------

    def _SpreadErrors(self, step: ops.SpreadErrors) -> None:
        spread = np.broadcast_to(self.errors[:, :, None, None], step.dx.shape)
        self.values[step.dx.name] = spread.astype(np.int64)

    def _Join(self, step: ops.Join) -> None:
        sums, streams = [], []
        for place, each in enumerate(step.sums):
            if each.name in self.values:
                scale = self.records.scale(step, place)
                by = Multiplier(scale["mantissa"], scale["shift"])
                sums.append(Sums(self.values[each.name], scale["before"], by))
        for place, each in enumerate(step.streams):
            if each.name in self.values:
                shift = self.records.scale(step, len(step.sums) + place)["stream_shift"]
                streams.append(Stream(self.values[each.name], shift))
                if sums and place == 0:
                    beside = self.records.scale(step, 0)["stream_shift"]
                    assert beside == shift, "JOIN reads the stream's shift beside its multiplier"
        kept = [each.name for each in step.kept if each.name in self.values]
        given = [self.values[each] for each in kept]
        mask = self._optional(step.mask)
        e, moments, peak = self.math.join(sums, streams, mask, given, self._chunk(step.e))
        self.values[step.e.name] = e
        self.peaks[step.name] = peak
        for name, each in zip(kept, moments, strict=True):
            self.errors_of[self.norms[name][0]] = each

    def _Apply(self, step: ops.Apply) -> None:
        key, by, _, form = self.norms[step.kept.name]
        gain = Gain(self.records.norm(key)["gain"], self.records.scale(step)["gain_shift"])
        slopes = backward.slopes(self.errors_of[key], by, gain, form)
        e, x = (self.values[each.name] for each in (step.e, step.kept))
        random = rounding_key(self.order.seed, self.order.step, step.number)
        bits, chunk = self._bits(step.q), self._chunk(step.q)
        self.values[step.q.name], self.peaks[step.name] = self.math.apply(
            e, x, slopes, chunk, bits, random
        )

    def _AddSums(self, step: ops.AddSums) -> None:
        self.gradients[step.parameter.name] = self.values[step.sums.name]
