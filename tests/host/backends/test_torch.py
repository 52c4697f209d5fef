"""The torch backend: the golden model's integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from fractrain.host.accelerator import Accelerator
from fractrain.sim import golden
from tests.host.backends.passes import assert_same_integers, drawn, operands, three_passes

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch")
pytest.importorskip("array_api_compat", reason="array-api-compat is not installed: make torch")

from fractrain.host.backends.torch import exact  # noqa: E402
from fractrain.host.backends.torch.exact import (  # noqa: E402
    FLOAT32_BOUND,
    ErrorSums,
    ForwardSums,
    GradientSums,
    Operand,
    exact_sums,
)
from fractrain.host.backends.torch.kernels import DirectKernels, Kernels, MatrixKernels  # noqa: E402
from fractrain.host.backends.torch.probe import to_device  # noqa: E402
from fractrain.host.backends.torch.settings import exact_float32  # noqa: E402

Geometry = dict[str, Any]


@given(**drawn(counts=(9, 9, 9), bits=16, stride=4))
@settings(max_examples=60, deadline=None)
def test_the_three_passes_are_exact(
    counts: tuple[int, int, int],
    size: tuple[int, int],
    kernel: tuple[int, int],
    bits: tuple[int, int, int],
    stride: int,
    padding: int,
    extreme: bool,
    seed: int,
    accelerator: Accelerator,
) -> None:
    rng = np.random.default_rng(seed)
    a, w, e = operands(rng, counts, size, kernel, bits, stride, padding, extreme)
    tensors = [torch.from_numpy(each) for each in (a, w, e)]
    found = three_passes(accelerator, *tensors, bits, stride, padding)
    assert_same_integers(found, three_passes(golden, a, w, e, bits, stride, padding))


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("extreme", [False, True])
def test_every_precision(
    accelerator: Accelerator, rng: np.random.Generator, bits: int, extreme: bool
) -> None:
    widths = (bits, bits, bits)
    a, w, e = operands(rng, (20, 16, 24), (12, 12), (3, 3), widths, 1, 1, extreme)
    floats = [torch.from_numpy(each.astype(np.float32)) for each in (a, w, e)]
    found = three_passes(accelerator, *floats, widths, 1, 1)
    assert_same_integers(found, three_passes(golden, a, w, e, widths, 1, 1))


@pytest.mark.parametrize(("channels", "filters"), [(96, 20), (20, 96)])
def test_one_channel_or_filter_may_be_greater_than_all_others(
    accelerator: Accelerator, rng: np.random.Generator, channels: int, filters: int
) -> None:
    """The bound is that of the greatest sum, not of a mean, nor of a sum over other axes."""
    bits = (8, 9, 9)
    counts = (24, channels, filters)
    a, w, e = operands(rng, counts, (12, 12), (3, 3), bits, 1, 1, extreme=True)
    a[:, :, ::5, ::3] -= 1  # sums that are no multiples of a power of two
    w[:, :, ::2, ::2] += 1
    zeros = [np.zeros_like(each) for each in (a, w, e)]
    for heavy in (0, filters - 1):
        weights, errors = zeros[1].copy(), zeros[2].copy()
        weights[heavy], errors[:, heavy] = w[heavy], e[:, heavy]
        for inputs in (a, zeros[0].copy()):
            inputs[:, channels - 1] = a[:, channels - 1]
            tensors = [torch.from_numpy(each) for each in (inputs, weights, errors)]
            found = three_passes(accelerator, *tensors, bits, 1, 1)
            assert_same_integers(found, three_passes(golden, inputs, weights, errors, bits, 1, 1))
    for heavy in (0, channels - 1):
        weights = zeros[1].copy()
        weights[:, heavy] = w[:, heavy]
        found_dx = accelerator.error(
            torch.from_numpy(e), torch.from_numpy(weights), (9, 9), 1, 1, input_size=12
        )
        truth = golden.error(e, weights, bits=(9, 9), stride=1, padding=1, input_size=(12, 12))
        assert_same_integers([found_dx], [truth])


@pytest.mark.parametrize("kernels", [DirectKernels(), MatrixKernels()])
@pytest.mark.parametrize("reads_data", [True, False])
@pytest.mark.parametrize("bits", [(8, 8, 8), (16, 5, 11), (16, 16, 16)])
@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [((3, 3), 1, 1), ((2, 5), 3, 2)])
def test_both_kernels_by_both_kinds_of_bounds(
    rng: np.random.Generator,
    kernels: Kernels,
    reads_data: bool,
    bits: tuple[int, int, int],
    extreme: bool,
    kernel: tuple[int, int],
    stride: int,
    padding: int,
) -> None:
    """`MatrixKernels` and bounds by widths are what CUDA gets."""
    a, w, e = operands(rng, (19, 8, 24), (12, 13), kernel, bits, stride, padding, extreme)
    x, y, z = (Operand(to_device(each, "cpu"), int(max(1, abs(each).max()))) for each in (a, w, e))
    how = {"reads_data": reads_data}
    common = (kernels, stride, padding)
    with exact_float32("cpu"):
        found = [
            exact_sums(ForwardSums(*common, **how), x, y),
            exact_sums(ErrorSums(*common, (12, 13), **how), z, y),
            exact_sums(GradientSums(*common, kernel, **how), x, z),
        ]
    assert_same_integers(found, three_passes(golden, a, w, e, bits, stride, padding))


def test_matrix_kernels_in_groups_of_images(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fractrain.host.backends.torch.kernels.COLUMN_ELEMENTS", 3 * 27 * 36)
    bits = (4, 4, 4)
    a, w, e = operands(rng, (8, 3, 5), (6, 6), (3, 3), bits, 1, 1)
    x, y, z = (to_device(each, "cpu") for each in (a, w, e))
    kernels = MatrixKernels()
    found = [
        kernels.forward(x, y, 1, 1),
        kernels.error(z, y, 1, 1, (6, 6)),
        kernels.gradient(x, z, 1, 1, (3, 3)),
    ]
    assert_same_integers(found, three_passes(golden, a, w, e, bits, 1, 1))


def test_sums_that_only_float64_holds(rng: np.random.Generator) -> None:
    """More than 2^24 ones in a sum: no digits, no groups make it fit into float32."""
    side = 4100
    ones = Operand(torch.ones(1, 1, side, side), 1)
    sums = GradientSums(MatrixKernels(), 1, 0, (1, 1), reads_data=True)
    result = exact_sums(sums, ones, ones)
    assert result.dtype == torch.float64 and int(result) == side * side > FLOAT32_BOUND


def test_sums_that_only_int64_holds() -> None:
    """Digits of results whose bound is beyond 2^53 are added in int64."""

    class Enormous(ForwardSums):
        def terms(self, x: Operand, y: Operand) -> int:
            return 1 << 26

    a, w = np.full((1, 4, 1, 1), 65535), np.full((1, 4, 1, 1), -32768)
    sums = Enormous(MatrixKernels(), 1, 0, reads_data=False)
    result = exact_sums(sums, *(Operand(to_device(x, "cpu"), int(abs(x).max())) for x in (a, w)))
    assert result.dtype == torch.int64
    assert int(result) == -4 * 65535 * 32768


def test_small_sums_come_as_float32_channels_last(
    accelerator: Accelerator, rng: np.random.Generator
) -> None:
    bits = (8, 8, 8)
    a, w, e = (
        torch.from_numpy(each) for each in operands(rng, (2, 3, 4), (7, 6), (3, 3), bits, 1, 1)
    )
    for result in three_passes(accelerator, a, w, e, bits, 1, 1)[:2]:
        assert result.dtype == torch.float32
        assert result.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("magnitude", [*range(1, 70), 255, 256, 32767, 32768, 65535])
def test_digits_are_the_operand_and_smaller(magnitude: int) -> None:
    values = torch.arange(-magnitude, magnitude + 1, dtype=torch.float32)
    digit, high, low = Operand(values, magnitude).split()
    assert torch.equal(high.values * 2**digit + low.values, values)
    for part in (high, low):
        assert int(part.values.abs().max()) <= part.magnitude
        assert part.magnitude < magnitude or magnitude == 1


def test_bounds_of_gradients_hold_and_are_not_wasteful(rng: np.random.Generator) -> None:
    """At least the true sum of magnitudes; at most what Cauchy and Schwarz say in float64."""
    a = rng.integers(0, 256, (40, 5, 9, 8))
    e = rng.integers(-128, 128, (40, 6, 9, 8))
    x, z = (Operand(to_device(each, "cpu"), int(abs(each).max())) for each in (a, e))
    groups = GradientSums(DirectKernels(), 1, 1, (3, 3), reads_data=True).groups(x, z, 40)
    assert groups is not None and len(groups) > 1
    assert [each.start for each in groups[1:]] == [each.stop for each in groups[:-1]]
    assert groups[0].start == 0 and groups[-1].stop == 40

    def norms(group: slice) -> float:
        squares = [(each[group].astype(float) ** 2).sum((0, 2, 3)).max() for each in (a, e)]
        return float(np.sqrt(squares[0] * squares[1]))

    for group in groups:
        magnitudes = golden.gradient(
            a[group], abs(e[group]), bits=(8, 9), stride=1, padding=1, kernel_size=(3, 3)
        )
        assert magnitudes.max() <= norms(group) <= FLOAT32_BOUND
    for group in groups[:-1]:
        assert norms(slice(group.start, group.stop + 1)) > FLOAT32_BOUND * (1 - 1e-4)


def test_squared_norms_are_upper_bounds(rng: np.random.Generator) -> None:
    x = rng.integers(0, 65536, (2, 3, 300, 41))
    truth = (x.astype(object) ** 2).sum((2, 3)).astype(float)
    found = exact._squared_norms(to_device(x, "cpu"))
    assert found.shape == (2, 3)
    assert np.all(found >= truth) and np.all(found <= truth * 1.01)


def test_numbers_that_are_none_pass_through(rng: np.random.Generator) -> None:
    """A diverged tensor gives NaN, not an endless search for a bound."""
    bits = (16, 16, 16)
    a, w, e = operands(rng, (20, 4, 5), (9, 9), (3, 3), bits, 1, 1, extreme=True)
    x, y, z = (Operand(to_device(each, "cpu"), int(abs(each).max())) for each in (a, w, e))
    for operand in (x, y, z):
        operand.values[:] = torch.nan
    common = (DirectKernels(), 1, 1)
    with exact_float32("cpu"):
        for result in (
            exact_sums(ForwardSums(*common, reads_data=True), x, y),
            exact_sums(ErrorSums(*common, (9, 9), reads_data=True), z, y),
            exact_sums(GradientSums(*common, (3, 3), reads_data=True), x, z),
        ):
            assert not torch.isfinite(result).any()
