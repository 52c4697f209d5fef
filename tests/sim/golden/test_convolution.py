"""The golden model against SciPy's correlation, and its fast form against its definition."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.host.graph.geometry import output_size
from fractrain.hw.contract.precision import value_range
from fractrain.sim import golden
from fractrain.sim.golden import definition, unfolding


@dataclass(frozen=True)
class Case:
    """Shapes, precisions and geometry of one convolution; ``fill`` says how values are drawn."""

    images: int
    channels: int
    filters: int
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: int
    padding: int
    bits: tuple[int, int, int]
    fill: str
    seed: int

    @property
    def output(self) -> tuple[int, int]:
        return output_size(self.size, self.kernel, self.stride, self.padding)

    def tensors(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Activations, weights and errors."""
        rng = np.random.default_rng(self.seed)

        def draw(shape: tuple[int, ...], bits: int, signed: bool) -> np.ndarray:
            low, high = value_range(bits, signed)
            if self.fill == "lowest":
                return np.full(shape, low if signed else high, np.int64)
            if self.fill == "extremes":
                # In 64 bits on any machine: SciPy computes in the integers of its operands.
                return rng.choice(np.array([low, high], np.int64), shape)
            return rng.integers(low, high, shape, endpoint=True)

        return (
            draw((self.images, self.channels, *self.size), self.bits[0], signed=False),
            draw((self.filters, self.channels, *self.kernel), self.bits[1], signed=True),
            draw((self.images, self.filters, *self.output), self.bits[2], signed=True),
        )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    small = st.integers(1, 4)
    kernel = (
        (draw(small), draw(small))
        if draw(st.booleans())
        else draw(st.sampled_from([(1, 1), (3, 3)]))
    )
    padding = draw(st.integers(0, 4))
    size = tuple(draw(st.integers(max(1, taps - 2 * padding), 9)) for taps in kernel)
    return Case(
        images=draw(small),
        channels=draw(st.integers(1, 6)),
        filters=draw(st.integers(1, 6)),
        size=size,  # type: ignore[arg-type]
        kernel=kernel,
        stride=draw(st.integers(1, 4)),
        padding=padding,
        bits=draw(st.tuples(*[st.integers(1, 16)] * 3)),
        fill=draw(st.sampled_from(["any", "extremes", "lowest"])),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def scipy_forward(a: np.ndarray, w: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """Every output of the padded image by SciPy's direct integer correlation, then the stride."""
    padded = np.pad(a, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return np.array(
        [
            [
                sum(
                    scipy.signal.correlate(image[c], kernel[c], mode="valid", method="direct")
                    for c in range(len(kernel))
                )
                for kernel in w
            ]
            for image in padded
        ]
    )[:, :, ::stride, ::stride]


def scipy_error(
    e: np.ndarray, w: np.ndarray, stride: int, padding: int, size: tuple[int, int]
) -> np.ndarray:
    """Zeros between the errors, SciPy's full convolution, then the padding cut off."""
    images, filters, height, width = e.shape
    spread = np.zeros(
        (
            images,
            filters,
            size[0] + 2 * padding - w.shape[2] + 1,
            size[1] + 2 * padding - w.shape[3] + 1,
        ),
        np.int64,
    )
    spread[:, :, : stride * height : stride, : stride * width : stride] = e
    full = np.array(
        [
            [
                sum(
                    scipy.signal.convolve(image[k], w[k, c], mode="full", method="direct")
                    for k in range(filters)
                )
                for c in range(w.shape[1])
            ]
            for image in spread
        ]
    )
    return full[:, :, padding : padding + size[0], padding : padding + size[1]]


def scipy_gradient(
    a: np.ndarray, e: np.ndarray, stride: int, padding: int, kernel: tuple[int, int]
) -> np.ndarray:
    """SciPy's correlation of each channel with each error, zeros between the errors."""
    padded = np.pad(a, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    images, filters, height, width = e.shape
    spread = np.zeros(
        (images, filters, stride * (height - 1) + 1, stride * (width - 1) + 1), np.int64
    )
    spread[:, :, ::stride, ::stride] = e
    return np.array(
        [
            [
                sum(
                    scipy.signal.correlate(
                        padded[n, c], spread[n, k], mode="valid", method="direct"
                    )
                    for n in range(images)
                )[: kernel[0], : kernel[1]]
                for c in range(a.shape[1])
            ]
            for k in range(filters)
        ]
    )


@given(cases())
@settings(max_examples=150, deadline=None)
def test_definition_equals_scipy(case: Case) -> None:
    a, w, e = case.tensors()
    geometry = (case.stride, case.padding)
    np.testing.assert_array_equal(
        definition.forward(a, w, *geometry), scipy_forward(a, w, *geometry)
    )
    np.testing.assert_array_equal(
        definition.error(e, w, *geometry, case.size), scipy_error(e, w, *geometry, case.size)
    )
    np.testing.assert_array_equal(
        definition.gradient(a, e, *geometry, case.kernel),
        scipy_gradient(a, e, *geometry, case.kernel),
    )


def assert_fast_equals_definition(case: Case) -> None:
    a, w, e = case.tensors()
    bits_a, bits_w, bits_e = case.bits
    geometry = {"stride": case.stride, "padding": case.padding}
    results = (
        golden.forward(a, w, bits=(bits_a, bits_w), **geometry),
        golden.error(e, w, bits=(bits_e, bits_w), input_size=case.size, **geometry),
        golden.gradient(a, e, bits=(bits_a, bits_e), kernel_size=case.kernel, **geometry),
    )
    truth = (
        definition.forward(a, w, **geometry),
        definition.error(e, w, input_size=case.size, **geometry),
        definition.gradient(a, e, kernel_size=case.kernel, **geometry),
    )
    for result, expected in zip(results, truth, strict=True):
        assert result.dtype == np.int64
        np.testing.assert_array_equal(result, expected)


@given(cases())
@settings(max_examples=200, deadline=None)
def test_fast_form_equals_definition(case: Case) -> None:
    assert_fast_equals_definition(case)


@pytest.mark.parametrize("bits", [(4, 4, 6), (8, 8, 8), (16, 16, 16)])
@pytest.mark.parametrize("fill", ["any", "extremes", "lowest"])
def test_layers_of_a_network(bits: tuple[int, int, int], fill: str) -> None:
    """Sums so long that 8 bits need float64 forward and groups of images in the gradient."""
    assert_fast_equals_definition(Case(3, 64, 20, (9, 9), (3, 3), 2, 1, bits, fill, seed=1))
    assert_fast_equals_definition(Case(40, 3, 5, (16, 16), (3, 3), 1, 1, bits, fill, seed=2))


def test_groups_of_images_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(7, 5, 6, (8, 7), (3, 3), 1, 1, (8, 8, 8), "any", seed=3)
    # Three images at a time, so that the last group is a partial one.
    monkeypatch.setattr(unfolding, "COLUMN_ELEMENTS", 3 * 5 * 9 * 8 * 7)
    assert [(g.start, g.stop) for g in unfolding.groups(7, 5 * 9 * 8 * 7)] == [
        (0, 3),
        (3, 6),
        (6, 7),
    ]
    assert_fast_equals_definition(case)


def test_integer_arithmetic_where_no_float_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real layers never get there (2^22 terms at 16 x 16 bits); a smaller limit shows the path."""
    monkeypatch.setattr("fractrain.sim.golden.exact.FLOAT32_BOUND", 1)
    monkeypatch.setattr("fractrain.sim.golden.exact.FLOAT64_BOUND", 2)
    assert_fast_equals_definition(Case(2, 3, 4, (6, 5), (3, 3), 1, 1, (16, 16, 16), "any", seed=4))
