"""The torch backend: the golden model's integers, and what it does not accept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.accelerator import Accelerator, open_accelerator
from host.compiler import compile_program
from host.shapes import output_size
from hw.contract.errors import MachineError, MissingToolError, ParameterError
from hw.contract.parameters import load_parameters
from hw.contract.precision import Precision
from sim import golden
from tests.host.compiler.running import random_operands
from tests.host.compiler.test_program import network

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch")
pytest.importorskip("array_api_compat", reason="array-api-compat is not installed: make torch")

from host.backends.torch import exact  # noqa: E402
from host.backends.torch.exact import (  # noqa: E402
    FLOAT32_BOUND,
    ErrorSums,
    ForwardSums,
    GradientSums,
    Operand,
    exact_sums,
)
from host.backends.torch.kernels import DirectKernels, Kernels, MatrixKernels  # noqa: E402
from host.backends.torch.known import KnownRanges  # noqa: E402
from host.backends.torch.probe import check_exactness, to_device  # noqa: E402
from host.backends.torch.settings import exact_float32  # noqa: E402


@pytest.fixture(scope="module")
def accelerator() -> Iterator[Accelerator]:
    with open_accelerator("torch") as opened:
        yield opened


Geometry = dict[str, Any]


def three_passes(
    what: Any, a: Any, w: Any, e: Any, bits: tuple[int, int, int], stride: int, padding: int
) -> list[Any]:
    """Forward, error and gradient of ``what``: an accelerator or the golden model."""
    sizes = {"input_size": tuple(a.shape[2:])}, {"kernel_size": tuple(w.shape[2:])}
    common = {"stride": stride, "padding": padding}
    return [
        what.forward(a, w, bits=bits[:2], **common),
        what.error(e, w, bits=(bits[2], bits[1]), **common, **sizes[0]),
        what.gradient(a, e, bits=(bits[0], bits[2]), **common, **sizes[1]),
    ]


def operands(
    rng: np.random.Generator,
    counts: tuple[int, int, int],
    size: tuple[int, int],
    kernel: tuple[int, int],
    bits: tuple[int, int, int],
    stride: int,
    padding: int,
    extreme: bool = False,
) -> list[np.ndarray]:
    """a, w and e: random, or all of the greatest magnitude (which no bound may undercut)."""
    images, channels, filters = counts
    shapes = (
        (images, channels, *size),
        (filters, channels, *kernel),
        (images, filters, *output_size(size, kernel, stride, padding)),
    )
    ranges = (
        (0, (1 << bits[0]) - 1),
        *((-(1 << (width - 1)), (1 << (width - 1)) - 1) for width in bits[1:]),
    )
    if extreme:
        greatest = (ranges[0][1], ranges[1][0], ranges[2][0])
        return [np.full(s, value) for s, value in zip(shapes, greatest, strict=True)]
    return [rng.integers(low, high + 1, s) for s, (low, high) in zip(shapes, ranges, strict=True)]


def assert_same_integers(found: list[Any], truth: list[np.ndarray]) -> None:
    for one, other in zip(found, truth, strict=True):
        if one.dtype == torch.float32:
            assert int(one.abs().max()) <= FLOAT32_BOUND
        np.testing.assert_array_equal(one.to(torch.int64).numpy(), other)


@given(
    counts=st.tuples(*[st.integers(1, 9)] * 3),
    size=st.tuples(st.integers(4, 13), st.integers(4, 13)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    bits=st.tuples(*[st.integers(1, 16)] * 3),
    stride=st.integers(1, 4),
    padding=st.integers(0, 3),
    extreme=st.booleans(),
    seed=st.integers(0, 2**32),
)
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
    monkeypatch.setattr("host.backends.torch.kernels.COLUMN_ELEMENTS", 3 * 27 * 36)
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


# -- operands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["uint8", "int16", "int32", "int64", "float32", "numpy", "list", "strided", "gradient"]
)
def test_operands_of_all_kinds(
    accelerator: Accelerator, rng: np.random.Generator, kind: str
) -> None:
    a, w = rng.integers(0, 16, (2, 3, 7, 6)), rng.integers(-4, 4, (5, 3, 3, 3))
    x: Any = torch.from_numpy(a)
    if kind == "numpy":
        x = a.astype(np.uint16)
    elif kind == "list":
        x = a.tolist()
    elif kind == "strided":
        x = torch.from_numpy(np.ascontiguousarray(a.T)).permute(3, 2, 1, 0)
    elif kind == "gradient":
        x = x.float().requires_grad_()
    else:
        x = x.to(getattr(torch, kind))
    y = accelerator.forward(x, w, (4, 3), 2, 1)
    truth = golden.forward(a, w, bits=(4, 3), stride=2, padding=1)
    np.testing.assert_array_equal(y.to(torch.int64).numpy(), truth)
    assert not y.requires_grad


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (16.0, r"a\[1, 2, 0, 1\]: got 16, allowed: 0..15 \(4 bits, unsigned\)"),
        (-1.0, r"a\[1, 2, 0, 1\]: got -1, allowed: 0..15"),
        (2.5, r"a\[1, 2, 0, 1\]: got 2.5, allowed: whole numbers, 0..15"),
        (float("nan"), r"a\[1, 2, 0, 1\]: got nan, allowed: whole"),
        (float("inf"), r"a\[1, 2, 0, 1\]: got inf, allowed: whole"),
    ],
)
def test_values_that_do_not_fit(accelerator: Accelerator, value: float, message: str) -> None:
    a, w = torch.ones(2, 3, 7, 6), torch.ones(5, 3, 3, 3)
    a[1, 2, 0, 1] = value
    with pytest.raises(ParameterError, match=message):
        accelerator.forward(a, w, (4, 3))


def test_a_tensor_is_looked_at_again_when_it_has_changed(accelerator: Accelerator) -> None:
    a, w = torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3)
    assert float(accelerator.forward(a, w, (4, 2))) == 9
    a[0, 0, 1, 1] = 16
    with pytest.raises(ParameterError, match="got 16, allowed: 0..15"):
        accelerator.forward(a, w, (4, 2))
    assert float(accelerator.forward(a, w, (5, 2))) == 24
    with pytest.raises(ParameterError, match="got 16, allowed: 0..15"):  # known, and too wide
        accelerator.forward(a, w, (4, 2))


def test_known_ranges() -> None:
    known = KnownRanges()
    x, y = torch.zeros(3), torch.zeros(3)
    known.note(x, 0, 7)
    assert known.of(x) == (0, 7) and known.of(y) is None
    assert known.of(x.clone()) is None
    x.add_(1)
    assert known.of(x) is None
    known.note(y, -1, 1)
    del x
    assert len(known._ranges) == 1
    with torch.inference_mode():
        uncounted = torch.zeros(3)
    known.note(uncounted, 0, 0)
    assert known.of(uncounted) is None


@pytest.mark.parametrize(
    ("a", "message"),
    [
        (torch.ones(1, 1, 3, 3, dtype=torch.float64), r"a.dtype: got 'torch.float64, .*float32"),
        (torch.ones(1, 1, 3, 3, dtype=torch.bfloat16), "a.dtype: got 'torch.bfloat16"),
        (torch.ones(1, 1, 3, 3, dtype=torch.bool), "a.dtype: got 'torch.bool"),
        (torch.ones(1, 1, 3, 3).to_sparse(), "a.dtype: .*sparse.* allowed: a dense tensor"),
        (torch.ones(1, 3, 3), r"a.shape: got \(1, 3, 3\), allowed: four axes \[N,C,H,W\]"),
        (torch.ones(0, 1, 3, 3), r"a.shape: got \(0, 1, 3, 3\)"),
        (torch.ones(1, 1, 3, 3, device="meta"), "a.device: got 'meta', allowed: cpu, .*from_host"),
        (torch.ones(1, 2, 3, 3), "w.shape.* got 1, allowed: 2"),
        (np.ones((1, 1, 3, 3)), "a.dtype: got 'float64', allowed: an integer type"),
        (np.full((1, 1, 3, 3), 16), "a.* got 16, allowed: 0..15"),
        ("ones", "a.dtype"),
    ],
)
def test_operands_that_are_refused(accelerator: Accelerator, a: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        accelerator.forward(a, np.ones((1, 1, 3, 3), int), (4, 2))


def test_whole_programs_go_from_host_to_host() -> None:
    p = load_parameters("tiny")
    program = compile_program(p, network())
    values = random_operands(program, np.random.default_rng(0))
    precisions = {0: Precision(7, 4, 3), 1: Precision(6, 5, 7), 2: Precision(0, 8, 7)}
    with open_accelerator("torch", p) as found, open_accelerator("golden", p) as wanted:
        results = found.run(program, values, precisions)
        truth = wanted.run(program, values, precisions)
    assert results.keys() == truth.keys() and results["y3"] is None
    for name, value in truth.items():
        if value is not None:
            np.testing.assert_array_equal(results[name], value, name)
            assert results[name].dtype == np.int64


# -- opening -------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "", "cpu:0", 0])
def test_devices_of_no_such_name(device: Any) -> None:
    with pytest.raises(ParameterError, match="device: got .* allowed: cpu, cuda or cuda:N"):
        open_accelerator("torch", device=device)


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(ParameterError, match="got 'cuda:999', .* finds .* CUDA devices"):
        open_accelerator("torch", device="cuda:999")


def test_other_backends_have_no_choice_of_devices() -> None:
    with pytest.raises(ParameterError, match="device: got 'cpu', allowed: none, .* golden"):
        open_accelerator("golden", device="cpu")


def test_the_probe_finds_operands_of_fewer_bits_and_other_algorithms() -> None:
    class Rounded(DirectKernels):
        def __init__(self, pass_: str, operand: int, significand: int) -> None:
            self._pass, self._operand, self._significand = pass_, operand, significand

        def _round(self, pass_: str, *operands: Any) -> list[Any]:
            rounded = list(operands)
            if pass_ == self._pass:
                mantissa, exponent = torch.frexp(operands[self._operand])
                scale = 2.0**self._significand
                rounded[self._operand] = torch.ldexp((mantissa * scale).round() / scale, exponent)
            return rounded

        def forward(self, a: Any, w: Any, *rest: Any) -> Any:
            return super().forward(*self._round("forward", a, w), *rest)

        def error(self, e: Any, w: Any, *rest: Any) -> Any:
            return super().error(*self._round("error", e, w), *rest)

        def gradient(self, a: Any, e: Any, *rest: Any) -> Any:
            return super().gradient(*self._round("gradient", a, e), *rest)

    with exact_float32("cpu"):
        check_exactness(Rounded("forward", 0, 24), "cpu")  # float32 itself
        for pass_ in ("forward", "error", "gradient"):
            for operand in (0, 1):
                for significand in (8, 11):  # bfloat16, TF32
                    with pytest.raises(MachineError, match=f"found in a probe: {pass_}, "):
                        check_exactness(Rounded(pass_, operand, significand), "cpu")

    class Winograd(DirectKernels):
        """F(2x2, 3x3) along one axis: y = (x0·g0 + …) by sums and halves of the weights."""

        def forward(self, a: Any, w: Any, stride: int, padding: int) -> Any:
            if tuple(w.shape[2:]) != (3, 3) or stride != 1:
                return super().forward(a, w, stride, padding)
            both = [(w[..., :1] + sign * w[..., 1:2] + w[..., 2:]) / 2 for sign in (1, -1)]
            x = torch.nn.functional.pad(a, (1, 2, 1, 1))
            columns = [x[..., i : i + a.shape[3] + a.shape[3] % 2 : 2] for i in range(4)]
            parts = [
                (columns[0] - columns[2], w[..., :1]),
                (columns[1] + columns[2], both[0]),
                (columns[2] - columns[1], both[1]),
                (columns[1] - columns[3], w[..., 2:]),
            ]
            m = [torch.nn.functional.conv2d(*part) for part in parts]
            even, odd = m[0] + m[1] + m[2], m[1] - m[2] - m[3]
            return torch.stack((even, odd), -1).flatten(3)[..., : a.shape[3]]

    small_a, small_w = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3)
    assert torch.equal(
        Winograd().forward(small_a, small_w, 1, 1), DirectKernels().forward(small_a, small_w, 1, 1)
    )
    with exact_float32("cpu"), pytest.raises(MachineError, match="forward, 3x3"):
        check_exactness(Winograd(), "cpu")


def test_opening_asks_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    def inexact(self: Any, a: Any, w: Any, stride: int, padding: int) -> Any:
        return torch.nn.functional.conv2d(a.bfloat16(), w.bfloat16(), None, stride, padding).float()

    monkeypatch.setattr(DirectKernels, "forward", inexact)
    with pytest.raises(MachineError, match="PyTorch .* does not compute float32 .* on cpu"):
        open_accelerator("torch")


def test_settings_of_the_process_do_not_matter_and_are_kept(
    accelerator: Accelerator, rng: np.random.Generator
) -> None:
    backends = torch.backends
    bits = (16, 8, 8)
    a, w, e = operands(rng, (16, 16, 16), (12, 12), (3, 3), bits, 1, 1)
    tensors = [torch.from_numpy(each) for each in (a, w, e)]
    before = backends.mkldnn.conv.fp32_precision
    try:
        backends.mkldnn.conv.fp32_precision = "bf16"
        backends.mkldnn.enabled = False
        with torch.autocast("cpu", dtype=torch.bfloat16), exact_float32("cpu"):
            assert backends.mkldnn.enabled and not torch.is_autocast_enabled("cpu")
            assert backends.mkldnn.conv.fp32_precision == "ieee"
            assert not torch._C._get_nnpack_enabled()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = three_passes(accelerator, *tensors, bits, 1, 1)
        assert backends.mkldnn.conv.fp32_precision == "bf16" and not backends.mkldnn.enabled
    finally:
        backends.mkldnn.conv.fp32_precision = before
        backends.mkldnn.enabled = True
    assert_same_integers(found, three_passes(golden, a, w, e, bits, 1, 1))


def test_an_environment_that_allows_bfloat16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    with pytest.raises(MachineError, match="ONEDNN_DEFAULT_FPMATH_MODE is BF16: .* unset it"):
        open_accelerator("torch")
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "strict")
    open_accelerator("torch").close()


def test_without_pytorch_the_error_says_what_to_install(project_root: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from host.accelerator import open_accelerator\n"
        "try: open_accelerator('torch')\n"
        f"except Exception as e: assert type(e).__name__ == {MissingToolError.__name__!r}; print(e)"
    )
    environment = os.environ | {"PYTHONPATH": str(project_root)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert "the Python package torch is not installed" in result.stdout, result.stderr
    assert "make torch" in result.stdout
