"""The layout of a step: which of its numbers depend on which others, at one table of precisions.

A step of ResNet-38 has 188 records of scales, each by formulas of `host.arithmetic.step_scales`.
Their numbers depend on each other in a few levels only, so that those of a kind are made together,
as arrays, step after step (`host.machine_step.scales`). Here is what they are made from: `lay_out`
goes through the graph once, as the executor does, and notes for every number the places of its
sources.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.arithmetic import step_scales
from fractrain.host.graph import operations as ops
from fractrain.host.graph.dispatch import Dispatch
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.machine_records import NormKey, ScaleKey
from fractrain.host.graph.operations import Operation, width
from fractrain.host.graph.tensor import Tensor
from fractrain.host.machine_step.outline import Outline
from fractrain.host.numerics.quantization import WeightLevels
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision
from fractrain.sim.golden.step.weights import gradient_before

Places = NDArray[np.intp]


@dataclass
class Rows:
    """A table of numbers' sources, while it grows: each row is a tuple of the same fields."""

    fields: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, **values: Any) -> int:
        """The place of a new row."""
        self.rows.append(tuple(values[name] for name in self.fields))
        return len(self.rows) - 1

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[Any]:
        place = self.fields.index(name)
        return [each[place] for each in self.rows]

    def array(self, name: str, kind: Any = np.intp) -> NDArray[Any]:
        """A column: by default of places and small numbers, in the type that repeats and indexes
        (32 bits on the board)."""
        return np.array(self.column(name), kind)


@dataclass(frozen=True)
class Operand:
    """A quantized tensor: number ``place`` of the ``kind`` of those that are scaled alike."""

    kind: str
    place: int
    bits: int


OPERANDS = ("pixels", "forms", "tops", "weights", "applies")
"""Kinds of operands, in the order of the scales of all (`StepScales.operands`)."""


class Layout:
    """``running``: the operations at the precisions ``table``. Tables of numbers by kind:

    - pixels: their scale;
    - weights: QUANTIZE's key, parameter, count, bits, and what multiple of σ clips them (0: none);
    - forms: name, range, bits, share of the range, and ``source``, the form whose range it is: its
      own, or, where all batch norms are skipped, that of what passes; ``residual``: the form whose
      r it adds, or −1;
    - tops: the form whose r they are of, and bits;
    - narrows: name, range, operands;
    - joins: name, range; sums: key, join, operands, k₀, the place of their join's first stream
      or −1; streams: key, join, and the join that they come from, or −1 for the pooling;
    - applies: name, range, bits, share, norm, join;
    - norms: key, form, narrow, fractions of x̂ in G and as kept, places of their channels;
    - gradients: parameter, operands, k₀;
    - means: block, the form whose r they are of, its shape; choices: block, and the batch norm that
      has its share, or −1 where it is skipped.

    A name of a range is that of the history; operands are places in `OPERANDS`' order.
    """

    def __init__(
        self, outline: Outline, options: IntegerOptions, table: Sequence[Precision]
    ) -> None:
        self.outline, self.options, self.table = outline, options, tuple(table)
        self.running = outline.running(table)
        self.pixels = Rows(("scale",))
        self.weights = Rows(("key", "parameter", "bits", "clip"))
        self.forms = Rows(("name", "range", "bits", "share", "source", "residual"))
        self.tops = Rows(("form", "bits"))
        self.narrows = Rows(("name", "range", "row", "column"))
        self.joins = Rows(("name", "range"))
        self.sums = Rows(("key", "join", "row", "column", "before", "stream"))
        self.streams = Rows(("key", "join", "source"))
        self.applies = Rows(("name", "range", "bits", "share", "norm", "join"))
        self.norms = Rows(("key", "form", "narrow", "formed", "kept", "step"))
        self.gradients = Rows(("parameter", "row", "column", "before"))
        self.means = Rows(("block", "form", "shape"))
        self.choices = Rows(("block", "norm"))
        self.pool_form = -1
        """The form whose r is pooled at the end of the network."""

    def range_names(self) -> list[str]:
        """Of all ranges that the step needs: forms, narrows, joins, applies."""
        return self._measured("range")

    def measured_names(self) -> list[str]:
        """Of the operations that measure them."""
        return self._measured("name")

    def _measured(self, field: str) -> list[str]:
        forms = zip(self.forms.column(field), self.forms.column("source"), strict=True)
        own = [name for place, (name, source) in enumerate(forms) if source == place]
        others = (self.narrows, self.joins, self.applies)
        return own + [name for each in others for name in each.column(field)]

    def operand_places(self, rows: Rows, name: str) -> Places:
        """Of a column of operands, in the scales of all."""
        first, firsts = 0, {}
        for kind in OPERANDS:
            firsts[kind] = first
            first += len(getattr(self, kind))
        return np.array([firsts[each.kind] + each.place for each in rows.column(name)], np.intp)


def lay_out(
    outline: Outline, options: IntegerOptions, levels: WeightLevels, table: Sequence[Precision]
) -> Layout:
    """The layout of a step of the graph with the precisions ``table``.

    Raises `ParameterError` for an operation that has no handler here, and for a batch norm that no
    error comes back to.
    """
    making = _Making(Layout(outline, options, table), levels)
    layout = making.layout
    for each in layout.running:
        HANDLERS.of(each)(making, each)
    layout.pool_form = making.value(outline.end.pool.x).place
    if len(layout.applies) != len(layout.norms):
        name = "batch norms that errors come back to"
        raise ParameterError(name, len(layout.applies), f"all {len(layout.norms)} of the step")
    return layout


@dataclass(frozen=True)
class _Residual:
    """r of the form at ``place``."""

    place: int


@dataclass(frozen=True)
class _Kept:
    """x̂ of a batch norm."""

    norm: int


@dataclass(frozen=True)
class _Errors:
    """E of a join; −1: at the pooling."""

    join: int


class _Making:
    """A layout in the making; `step_scales.Known` of places."""

    def __init__(self, layout: Layout, levels: WeightLevels) -> None:
        self.layout, self.levels = layout, levels
        self.table, self.options = layout.table, layout.options
        self._values: dict[str, Any] = {}

    def put(self, tensor: Tensor, value: Any) -> None:
        self._values[tensor.name] = value

    def value(self, tensor: Tensor) -> Any:
        return self._values[tensor.name]

    def optional(self, tensor: Tensor | None) -> Any:
        return None if tensor is None else self._values.get(tensor.name)

    def bits(self, tensor: Tensor) -> int:
        assert tensor.bits is not None
        return width(tensor.bits, self.table)

    def operands(self, row: Tensor, column: Tensor) -> dict[str, Operand]:
        return {"row": self.value(row), "column": self.value(column)}


HANDLERS: Dispatch[Callable[[_Making, Any], None]] = Dispatch(
    "the host beside a machine that does whole steps", "host/machine_step/layout.py"
)


@HANDLERS.register(
    *(ops.ChooseEarly, ops.PoolSums, ops.Linear, ops.Loss),
    *(ops.LinearBackward, ops.AddGradient, ops.Update),
)
def _of_the_host(making: _Making, step: Operation) -> None:
    """No scale of the machine's."""


# -- operands ----------------------------------------------------------------------------------


@HANDLERS.register(ops.QuantizePixels)
def _pixels(making: _Making, step: ops.QuantizePixels) -> None:
    found = step_scales.pixel_values(None, making.bits(step.pixels), step.image_bits, step.scale)
    place = making.layout.pixels.add(scale=found.scale)
    making.put(step.pixels, Operand("pixels", place, found.bits))


@HANDLERS.register(ops.QuantizeWeights)
def _weights(making: _Making, step: ops.QuantizeWeights) -> None:
    bits = making.bits(step.q)
    clip = step_scales.weights_clipping(making.levels, bits) or 0.0
    key = ScaleKey(step.name)
    place = making.layout.weights.add(key=key, parameter=step.x.name, bits=bits, clip=clip)
    making.put(step.q, Operand("weights", place, bits))


@HANDLERS.register(ops.TopPlanes)
def _top_planes(making: _Making, step: ops.TopPlanes) -> None:
    stored, bits = making.value(step.stored), making.bits(step.q)
    place = making.layout.tops.add(form=stored.place, bits=bits)
    making.put(step.q, Operand("tops", place, bits))


@HANDLERS.register(ops.Convolve)
def _convolve(making: _Making, step: ops.Convolve) -> None:
    """Exact: worth what the operands are."""
    making.put(step.result, step)


# -- forward -----------------------------------------------------------------------------------


@HANDLERS.register(ops.Narrow)
def _narrow(making: _Making, step: ops.Narrow) -> None:
    operands = making.operands(step.row, step.column)
    place = making.layout.narrows.add(name=step.name, range=step.range_name, **operands)
    making.put(step.y, place)


@HANDLERS.register(ops.Form)
def _form(making: _Making, step: ops.Form) -> None:
    layout, forms = making.layout, making.layout.forms
    residual: _Residual | None = making.optional(step.residual)
    parts, bits = step_scales.form_parts(making, step), step_scales.form_bits(step, making.table)
    around = -1 if residual is None else residual.place
    place = forms.add(
        name=step.name,
        range=step.range_name,
        bits=bits,
        share=making.options.activation_range[bits - 1],
        source=len(forms) if parts else around,
        residual=around,
    )
    if step.a is not None and making.bits(step.a):
        making.put(step.a, Operand("forms", place, bits))
    if step.r is not None:
        making.put(step.r, _Residual(place) if parts else residual)
    for part in parts:
        kept = step_scales.kept_form(step, part, making.table, making.options)
        norm = layout.norms.add(
            key=NormKey(step.name, part),
            form=place,
            narrow=making.value(step.ys[part]),
            formed=step_scales.formed_from(step, kept).fraction,
            kept=kept.fraction,
            step=step,
        )
        making.put(step.kept[part], _Kept(norm))


# -- backward ----------------------------------------------------------------------------------


@HANDLERS.register(ops.SpreadErrors)
def _spread(making: _Making, step: ops.SpreadErrors) -> None:
    making.put(step.dx, _Errors(-1))


@HANDLERS.register(ops.Join)
def _join(making: _Making, step: ops.Join) -> None:
    layout = making.layout
    join, first = layout.joins.add(name=step.name, range=step.range_name), -1
    for part, stream in enumerate(step.streams):
        errors: _Errors | None = making.optional(stream)
        if errors is not None:
            key = ScaleKey(step.name, len(step.sums) + part)
            place = layout.streams.add(key=key, join=join, source=errors.join)
            first = place if part == 0 else first
    operands = zip(step.sums, step.rows, step.columns, step.depths, strict=True)
    for part, (sums, row, column, depth) in enumerate(operands):
        if making.optional(sums) is not None:
            layout.sums.add(
                key=ScaleKey(step.name, part),
                join=join,
                before=step_scales.sums_before(making, row, column, depth),
                stream=first,
                **making.operands(row, column),
            )
    making.put(step.e, _Errors(join))


@HANDLERS.register(ops.Apply)
def _apply(making: _Making, step: ops.Apply) -> None:
    bits, kept, errors = making.bits(step.q), making.value(step.kept), making.value(step.e)
    place = making.layout.applies.add(
        name=step.name,
        range=step.range_name,
        bits=bits,
        share=making.options.error_range[bits - 1],
        norm=kept.norm,
        join=errors.join,
    )
    making.put(step.q, Operand("applies", place, bits))
    making.put(step.dgamma, kept.norm)


@HANDLERS.register(ops.NormShare)
def _share(making: _Making, step: ops.NormShare) -> None:
    norm = making.optional(step.dgamma)
    making.put(step.share, -1 if norm is None else norm)


@HANDLERS.register(ops.LearnChoice)
def _learn(making: _Making, step: ops.LearnChoice) -> None:
    making.layout.choices.add(block=step.block, norm=making.value(step.share))


@HANDLERS.register(ops.RecordMeans)
def _means(making: _Making, step: ops.RecordMeans) -> None:
    place = making.value(step.x).place
    making.layout.means.add(block=step.block, form=place, shape=step.x.shape)


@HANDLERS.register(ops.AddSums)
def _add_sums(making: _Making, step: ops.AddSums) -> None:
    making.layout.gradients.add(
        parameter=step.parameter.name,
        before=gradient_before(step_scales.gradient_bound(making, step)),
        **making.operands(step.row, step.column),
    )
