"""The co-simulated machine behind the accelerator interface equals an independent convolution."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.signal import correlate

from host.accelerator import Accelerator, open_accelerator
from host.shapes import output_size
from hw.contract.errors import MachineError, ParameterError
from hw.contract.precision import value_range
from tests.hw.machines import machine, small_machine

CASES = 40


@pytest.fixture(scope="module", params=[1, 2, 4, 8])
def accelerator(request: pytest.FixtureRequest) -> Iterator[Accelerator]:
    parameters = machine() if request.param == 1 else small_machine(request.param)
    with open_accelerator("cosim", parameters) as opened:
        yield opened


def convolve(a: np.ndarray, w: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """SciPy's correlation, plane by plane: exact, as its direct method stays in integers."""
    padded = np.pad(a, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return np.array(
        [
            [
                sum(
                    correlate(plane, kernel, "valid", "direct")
                    for plane, kernel in zip(image, kernels, strict=True)
                )[::stride, ::stride]
                for kernels in w
            ]
            for image in padded
        ],
        np.int64,
    )


def draw(rng: np.random.Generator, shape: tuple[int, ...], bits: int, signed: bool) -> np.ndarray:
    low, high = value_range(bits, signed)
    if rng.random() < 0.25:
        return np.full(shape, low if signed else high)
    return rng.integers(low, high, shape, endpoint=True)


def test_all_passes_on_random_geometries(
    accelerator: Accelerator, rng: np.random.Generator
) -> None:
    """Odd sizes, kernels of all shapes, strides beyond them, wide padding, channels that fill no
    block, 1 to 16 bits.

    Error and gradient are checked as what they are: the adjoints of the forward convolution,
    <conv(a, w), e> = <a, error(e, w)> = <w, gradient(a, e)> on unit vectors' worth of positions,
    by building them from SciPy's forward convolution of single elements.
    """
    for _ in range(CASES):
        kernel = tuple(int(x) for x in rng.integers(1, 4, 2))
        padding, stride = int(rng.integers(0, 4)), int(rng.integers(1, 5))
        size = tuple(max(1, k - 2 * padding) + int(rng.integers(0, 6)) for k in kernel)
        n, c, k = (int(x) for x in rng.integers(1, 6, 3))
        bits = {name: int(rng.integers(1, 17)) for name in "awe"}
        a = draw(rng, (n, c, *size), bits["a"], False)
        w = draw(rng, (k, c, *kernel), bits["w"], True)
        p, q = output_size(size, kernel, stride, padding)
        e = draw(rng, (n, k, p, q), bits["e"], True)

        y = accelerator.forward(a, w, bits=(bits["a"], bits["w"]), stride=stride, padding=padding)
        assert np.array_equal(y, convolve(a, w, stride, padding))

        spread = np.zeros((n, k, stride * (p - 1) + 1, stride * (q - 1) + 1), np.int64)
        spread[:, :, ::stride, ::stride] = e
        dx = accelerator.error(
            e, w, bits=(bits["e"], bits["w"]), stride=stride, padding=padding, input_size=size
        )
        assert np.array_equal(dx, adjoint_input(spread, w, size, padding))

        dw = accelerator.gradient(
            a, e, bits=(bits["a"], bits["e"]), stride=stride, padding=padding, kernel_size=kernel
        )
        assert np.array_equal(dw, adjoint_kernel(a, spread, kernel, padding))


def adjoint_input(
    spread: np.ndarray, w: np.ndarray, size: tuple[int, ...], padding: int
) -> np.ndarray:
    """Full convolution of the spread errors with the kernels, cropped to the input."""
    n, (k, c, r, s) = spread.shape[0], w.shape
    full = np.zeros((n, c, size[0] + 2 * padding + r, size[1] + 2 * padding + s), np.int64)
    for image in range(n):
        for channel in range(c):
            for filter in range(k):
                flipped = w[filter, channel, ::-1, ::-1]
                part = correlate(spread[image, filter], flipped, "full", "direct")
                full[image, channel, : part.shape[0], : part.shape[1]] += part
    return full[:, :, padding : padding + size[0], padding : padding + size[1]]


def adjoint_kernel(
    a: np.ndarray, spread: np.ndarray, kernel: tuple[int, ...], padding: int
) -> np.ndarray:
    """Correlation of the padded input with the spread errors, summed over images."""
    padded = np.pad(a, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    result = np.zeros((spread.shape[1], a.shape[1], *kernel), np.int64)
    for k in range(result.shape[0]):
        for channel in range(result.shape[1]):
            for image in range(a.shape[0]):
                part = correlate(padded[image, channel], spread[image, k], "valid", "direct")
                result[k, channel] += part[: kernel[0], : kernel[1]]
    return result


def test_counters_count(accelerator: Accelerator) -> None:
    p, before = accelerator.parameters, accelerator.counters
    a, w = np.full((1, 4, 8, 8), 7), np.full((4, 4, 1, 1), -4)
    accelerator.forward(a, w, bits=(3, 3))
    after = accelerator.counters
    # 64 pixels by 4 channels over 4 taps, which are one slice
    row_tiles, column_tiles = 64 // p.array.rows, 4 // p.array.columns
    digits = p.digits(3)
    passes = row_tiles * column_tiles * digits**2
    assert after.busy_cycles - before.busy_cycles == passes
    assert after.cycles - before.cycles > passes
    words = row_tiles * column_tiles * p.array.rows * p.array.columns
    assert after.bytes_out - before.bytes_out == words * p.precision.accumulator_bits // 8
    column_blocks = -(-column_tiles // p.column_tiles_per_block)
    per_tile = digits * p.array.spatial_bits * p.lane_groups * p.block_bytes
    commands = row_tiles + column_blocks + row_tiles * column_tiles
    loaded = (row_tiles + column_blocks) * per_tile
    assert after.bytes_in - before.bytes_in == loaded + commands * 16


def test_wrong_values_and_a_closed_machine_are_refused() -> None:
    opened = open_accelerator("cosim", "tiny")
    with pytest.raises(ParameterError, match=r"a\[0, 0, 0, 0\]: got 4"):
        opened.forward(np.full((1, 1, 1, 1), 4), np.ones((1, 1, 1, 1), int), bits=(2, 2))
    opened.close()
    with pytest.raises(MachineError, match="closed"):
        opened.forward(np.ones((1, 1, 1, 1), int), -np.ones((1, 1, 1, 1), int), bits=(2, 2))
