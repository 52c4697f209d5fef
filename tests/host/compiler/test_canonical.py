"""Steps in the engine's form: the prepared tensors, convolved as the engine does, are the step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fractrain.host.compiler.canonical import Canonical, Way, canonical, ways
from fractrain.host.compiler.slices import Entry
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.precision import Pass
from fractrain.sim.golden import definition
from tests.hw.machines import machine

P = machine()
Values = NDArray[np.int64]


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    side = draw(st.sampled_from([1, 3, 3]))
    kernel = draw(st.sampled_from([(side, side), (side, side), (2, 3), (5, 1)]))
    size = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    padding = draw(st.integers(0, 3))
    assume(all(s + 2 * padding >= k for s, k in zip(size, kernel, strict=True)))
    counts = draw(st.tuples(st.integers(1, 3), st.integers(1, 11), st.integers(1, 4)))
    return Geometry(*counts, size, kernel, draw(st.integers(1, 3)), padding)


@given(geometry=geometries(), pass_=st.sampled_from(Pass), seed=st.integers(0, 2**32))
@example(Geometry(1, 2, 2, (5, 5), (3, 3), 2, 0), Pass.ERROR, 0)
@example(Geometry(1, 2, 2, (6, 5), (3, 3), 2, 2), Pass.ERROR, 0)
@example(Geometry(1, 2, 2, (6, 5), (3, 3), 2, 0), Pass.GRADIENT, 0)
@settings(max_examples=200, deadline=None)
def test_every_way_comes_to_the_same(geometry: Geometry, pass_: Pass, seed: int) -> None:
    """Forward, error and gradient by their definition, from the prepared tensors."""
    g, rng = geometry, np.random.default_rng(seed)
    a, w, e = (rng.integers(-9, 9, shape) for shape in (g.activations, g.weights, g.errors))
    wanted = {
        Pass.FORWARD: lambda: definition.forward(a, w, g.stride, g.padding),
        Pass.ERROR: lambda: definition.error(e, w, g.stride, g.padding, g.size),
        Pass.GRADIENT: lambda: definition.gradient(a, e, g.stride, g.padding, g.kernel),
    }[pass_]()
    row, column = (e, w) if pass_ is Pass.ERROR else (a, e if pass_ is Pass.GRADIENT else w)
    for way in ways(pass_, g):
        form = canonical(pass_, g, P, way)
        found = as_the_engine_does(form, row, column)
        if way is Way.UNFOLDED and pass_ is not Pass.GRADIENT:  # the pixels of a matrix product
            images, channels, height, width = wanted.shape
            flat = found.transpose(0, 2, 3, 1).reshape(-1, channels)[: images * height * width]
            found = flat.reshape(images, height, width, channels).transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(found.reshape(wanted.shape), wanted, err_msg=str(way))


def as_the_engine_does(form: Canonical, row: Values, column: Values) -> Values:
    """With one padding pixel around three taps and none around one, and cropped."""
    rows = form.row.form.prepare(row)
    assert rows.shape == (form.row.images, form.row.channels, *form.row.stored)
    centre = form.kernel[0] // 2, form.kernel[1] // 2
    (top, left), (height, width) = form.crop, form.output
    if form.column is not None:
        errors = form.column.form.prepare(column)
        assert errors.shape == (form.column.images, form.column.channels, *form.column.stored)
        return gradient(form, rows, errors)
    w = column if form.kernels is None else form.kernels.matrix(column)
    w = w.reshape(form.filters, form.channels, *form.kernel)
    if form.pass_ is Pass.ERROR:
        behind = [(0, 1 + count) for count in form.output]  # zeros there, too
        e = np.pad(rows, [(0, 0), (0, 0), *behind])
        outputs = e.shape[2:]
        whole = definition.error(e, w, 2, centre[0], (2 * outputs[0], 2 * outputs[1]))
        return whole[:, :, top : top + height, left : left + width]
    if form.transposed:  # windows of the error, the kernel turned around
        w = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    around = [(0, 0), (0, 0), *((each, each) for each in centre)]
    # the engine's rows and columns go on behind the tensor, with zeros
    around[2:] = [(before, after + 8) for before, after in around[2:]]
    whole = definition.forward(np.pad(rows, around), w, form.stride, 0)
    return whole[:, :, top : top + height, left : left + width]


def gradient(form: Canonical, rows: Values, errors: Values) -> Values:
    """Tap by tap, each from the group of stored channels and the pixels that its entry names."""
    block = P.block.channels
    y, x = (np.arange(count) for count in errors.shape[2:])
    reach = 4
    padded = np.pad(rows, [(0, 0), (0, -rows.shape[1] % block), *[(reach, reach + 16)] * 2])
    result = np.zeros((form.filters, form.channels, *form.kernel), np.int64)
    for channel in range(form.channels):
        group, inner = divmod(channel, block)
        for ky, kx in np.ndindex(form.kernel):
            source, dy, dx = Entry(group, ky, kx).source(form.kernel, phased=form.phased)
            pixels = padded[:, source * block + inner]
            window = pixels[:, form.stride * y + dy + reach][:, :, form.stride * x + dx + reach]
            result[:, channel, ky, kx] = np.einsum("nkyx,nyx->k", errors, window)
    return result


@pytest.mark.parametrize(
    ("pass_", "kernel", "stride", "wanted"),
    [
        (Pass.FORWARD, 3, 1, [Way.DIRECT, Way.UNFOLDED]),
        (Pass.FORWARD, 3, 2, [Way.DIRECT, Way.UNFOLDED]),
        (Pass.FORWARD, 1, 2, [Way.SAMPLED, Way.DIRECT, Way.UNFOLDED]),
        (Pass.FORWARD, 5, 1, [Way.UNFOLDED]),
        (Pass.ERROR, 1, 2, [Way.DIRECT, Way.UNFOLDED]),
        (Pass.ERROR, 3, 3, [Way.UNFOLDED]),
        (Pass.GRADIENT, 3, 1, [Way.DIRECT, Way.STACKED, Way.UNFOLDED]),
        (Pass.GRADIENT, 3, 2, [Way.PHASED, Way.DIRECT, Way.UNFOLDED]),
        (Pass.GRADIENT, 1, 2, [Way.SAMPLED, Way.DIRECT, Way.UNFOLDED]),
        (Pass.GRADIENT, 1, 1, [Way.DIRECT, Way.UNFOLDED]),
    ],
)
def test_which_ways_there_are(pass_: Pass, kernel: int, stride: int, wanted: list[Way]) -> None:
    geometry = Geometry(1, 8, 8, (9, 9), (kernel, kernel), stride, kernel // 2)
    assert ways(pass_, geometry) == wanted


def test_an_error_of_stride_one_is_a_window_over_the_errors() -> None:
    geometry = Geometry(1, 8, 16, (9, 9), (3, 3), 1, 1)
    form = canonical(Pass.ERROR, geometry, P, Way.DIRECT)
    assert form.pass_ is Pass.FORWARD and form.transposed
    assert (form.filters, form.channels, form.row.channels) == (16, 8, 16)
    assert (form.crop, form.output) == ((0, 0), (9, 9))
