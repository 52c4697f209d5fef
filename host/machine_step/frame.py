"""The layout of a step as arrays: which number is made from which, for all of a kind at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.host.graph.machine_records import ScaleKey
from fractrain.host.machine_step.layout import Layout, Places, Rows
from fractrain.host.networks.parameter import Parameter
from fractrain.sim.golden.step.chunks import sizes

Reals = NDArray[np.float64]


class Frame:
    """What steps of the same layout have in common, as arrays; ``parameters`` of the network."""

    def __init__(self, layout: Layout, parameters: Mapping[str, Parameter]) -> None:
        self.layout = layout
        self.ranges, self.measured = layout.range_names(), layout.measured_names()
        self.forms = _Forms(layout.forms)
        narrows, joins, applies = layout.narrows, layout.joins, layout.applies
        sizes = [int(self.forms.own.sum()), len(narrows), len(joins), len(applies)]
        self.kinds_of_ranges = np.cumsum(sizes)[:-1]
        self.narrow_row, self.narrow_column = self.operands(narrows)
        self.weights = _Weights(layout.weights, parameters)
        self.pixel_scales = layout.pixels.array("scale", np.float64)
        self.top_form, self.top_bits = (layout.tops.array(name) for name in ("form", "bits"))
        self.apply_bits = applies.array("bits")
        self.apply_share = applies.array("share", np.float64)
        self.apply_norm, self.apply_join = (applies.array(name) for name in ("norm", "join"))
        self.sums = _Sums(self, layout)
        self.norms = _Norms(layout, parameters)
        self.apply_of = np.argsort(self.apply_norm)
        """The way back of each batch norm."""
        self.groups = _group(layout, self.norms)
        given = layout.gradients
        self.gradient_row, self.gradient_column = self.operands(given)
        without = [
            name
            for name, each in parameters.items()
            if each.multiplied and name not in given.column("parameter")
        ]
        self.updated = (*given.column("parameter"), *without)
        self.without_gradient = len(without)
        self.before = np.concatenate([given.array("before"), np.zeros(len(without), np.intp)])
        self._order_scales()

    def operands(self, rows: Rows) -> tuple[Places, Places]:
        """Of rows and columns of convolutions, in the scales of all operands."""
        return self.layout.operand_places(rows, "row"), self.layout.operand_places(rows, "column")

    def _order_scales(self) -> None:
        """Keys of all records of scales but the late ones, and which are of what kind."""
        layout = self.layout
        self.with_residual = np.flatnonzero(layout.forms.array("residual") >= 0)
        names = layout.forms.column("name")
        kinds: dict[str, list[ScaleKey]] = {
            "narrows": [ScaleKey(name) for name in layout.narrows.column("name")],
            "forms": [ScaleKey(names[place]) for place in self.with_residual],
            "weights": layout.weights.column("key"),
            "sums": self.sums.keys(late=False),
            "streams": self.sums.stream_keys(late=False),
            "applies": [ScaleKey(name) for name in layout.applies.column("name")],
        }
        self.scale_keys = tuple(key for keys in kinds.values() for key in keys)
        self.late_keys = (*self.sums.keys(late=True), *self.sums.stream_keys(late=True))
        self.part, first = {}, 0
        for kind, keys in kinds.items():
            self.part[kind] = slice(first, first + len(keys))
            first += len(keys)

    def find_ranges(self, values: Mapping[str, float]) -> Reals | None:
        """Of the tensors, from a history's ``values``; None if one has none, or had zeros only."""
        found = [values.get(name, 0.0) for name in self.ranges]
        return np.array(found) if all(found) else None


class _Forms:
    def __init__(self, rows: Rows) -> None:
        self.bits, self.source = rows.array("bits"), rows.array("source")
        self.own = self.source == np.arange(len(rows))
        self.share = rows.array("share", np.float64)[self.own]
        # places among those that have a range
        self.range = (np.cumsum(self.own) - 1)[self.source]
        self.residual = rows.array("residual")


class _Weights:
    def __init__(self, rows: Rows, parameters: Mapping[str, Parameter]) -> None:
        self.names: list[str] = rows.column("parameter")
        self.bits, self.clip = rows.array("bits"), rows.array("clip", np.float64)
        self.count = np.array([parameters[name].value.size for name in self.names], np.float64)


class _Sums:
    """Parts of joins. Late: of a join that waits for the exponent of E at the pooling."""

    def __init__(self, frame: Frame, layout: Layout) -> None:
        sums, streams = layout.sums, layout.streams
        self._keys, self._stream_keys = sums.column("key"), streams.column("key")
        self.row, self.column = frame.operands(sums)
        self.join, self.before = sums.array("join"), sums.array("before")
        self.stream = sums.array("stream")
        self.stream_join, self.source = streams.array("join"), streams.array("source")
        waiting = set(self.stream_join[self.source < 0].tolist())
        self.late = np.array([each in waiting for each in self.join], np.bool_)
        self.late_streams = np.array([each in waiting for each in self.stream_join], np.bool_)

    def keys(self, *, late: bool) -> list[ScaleKey]:
        return [key for key, each in zip(self._keys, self.late, strict=True) if each == late]

    def stream_keys(self, *, late: bool) -> list[ScaleKey]:
        pairs = zip(self._stream_keys, self.late_streams, strict=True)
        return [key for key, each in pairs if each == late]


class _Norms:
    """Batch norms, and their channels side by side."""

    def __init__(self, layout: Layout, parameters: Mapping[str, Parameter]) -> None:
        rows = layout.norms
        self.keys = tuple(rows.column("key"))
        self.form, self.narrow = rows.array("form"), rows.array("narrow")
        self.formed, self.kept = rows.array("formed"), rows.array("kept")
        pairs = list(zip(self.keys, rows.column("step"), strict=True))
        self.gammas = [step.gammas[key.part].name for key, step in pairs]
        self.betas = [step.betas[key.part].name for key, step in pairs]
        self.running = [[each.name for each in step.running[key.part]] for key, step in pairs]
        self.sizes = np.array([parameters[name].value.size for name in self.gammas], np.intp)
        ends = np.cumsum(self.sizes)
        self.starts = ends - self.sizes
        self.counts = tuple(self.sizes.tolist())


@dataclass(frozen=True)
class Group:
    """Batch norms of tensors of a size: their ``places``, [norms]; ``pixels`` of the chunks,
    [chunks, 1]; and of their channels, side by side, ``parts``."""

    places: Places
    pixels: NDArray[np.int64]
    channels: Places
    parts: list[slice]


def _group(layout: Layout, norms: _Norms) -> list[Group]:
    found: dict[tuple[int, ...], list[int]] = {}
    for place, step in enumerate(layout.norms.column("step")):
        images, _, *size = step.outputs[0].shape
        found.setdefault((images, *size), []).append(place)
    groups = []
    for (images, *size), places in found.items():
        chunk = layout.options.chunk(images, *size)
        pixels = sizes(images, chunk)[:, None] * math.prod(size)
        channels = norms.sizes[places]
        ends = np.cumsum(channels).tolist()
        parts = [
            slice(end - count, end) for end, count in zip(ends, channels.tolist(), strict=True)
        ]
        groups.append(Group(np.array(places, np.intp), pixels, channels, parts))
    return groups
