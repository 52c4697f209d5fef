"""What surrounds the convolutions on PyTorch, against its definition in NumPy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Quantized, WeightLevels, signed_range
from tests.host.backends.statistics import assert_uniform

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch")
pytest.importorskip("array_api_compat", reason="array-api-compat is not installed: make torch")

from fractrain.host.backends.torch import random_fractions  # noqa: E402
from fractrain.host.backends.torch.elementwise import TorchElementwise  # noqa: E402
from fractrain.host.backends.torch.known import KnownRanges  # noqa: E402
from fractrain.host.backends.torch.random_fractions import DeviceFractions, HostFractions  # noqa: E402

NUMPY = Elementwise()


@pytest.fixture(scope="module")
def elementwise(accelerator: Accelerator) -> Elementwise:
    return accelerator.elementwise


def reals(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(0, 1, shape).astype(np.float32)


# -- between host and device ---------------------------------------------------------------------


def test_images_come_as_float32_of_known_range(
    accelerator: Accelerator, rng: np.random.Generator
) -> None:
    images = rng.integers(3, 200, (4, 3, 6, 5), np.uint8)
    tensor = accelerator.elementwise.from_host(images)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    known = accelerator.known.of(tensor)  # type: ignore[attr-defined]
    assert known == (images.min(), images.max())
    np.testing.assert_array_equal(accelerator.elementwise.to_host(tensor), images)


def test_what_comes_is_a_copy(elementwise: Elementwise, rng: np.random.Generator) -> None:
    for array in (reals(rng, 2, 3, 1, 1), reals(rng, 5), np.arange(4)):
        before = array.copy()
        tensor = elementwise.from_host(array)
        tensor += 1
        np.testing.assert_array_equal(array, before)
        back = elementwise.to_host(tensor)
        assert back.dtype == array.dtype
        np.testing.assert_array_equal(back, before + 1)


def test_read_only_arrays(elementwise: Elementwise) -> None:
    array = np.ones((1, 1, 2, 2), np.float32)
    array.flags.writeable = False
    assert float(elementwise.from_host(array).sum()) == 4


# -- quantization --------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", range(1, 17))
def test_activations_and_weights_are_the_integers_of_numpy(
    elementwise: Elementwise, rng: np.random.Generator, bits: int
) -> None:
    a, w = abs(reals(rng, 3, 5, 7, 6)), reals(rng, 6, 5, 3, 3)
    ours, theirs = (elementwise.from_host(each) for each in (a, w))
    for maximum in (a.max(), a.max() * np.float32(0.6)):
        found = elementwise.quantize_activations(ours, bits, torch.tensor(maximum))
        assert_same(found, NUMPY.quantize_activations(a, bits, maximum))
    for levels in (WeightLevels.MAX, WeightLevels.ODD):
        found = elementwise.quantize_weights(theirs, bits, levels)
        assert_same(found, NUMPY.quantize_weights(w, bits, levels))
    np.testing.assert_array_equal(elementwise.to_host(ours), a)


def assert_same(found: Quantized, truth: Quantized) -> None:
    assert (found.bits, found.odd) == (truth.bits, truth.odd)
    assert found.integers.dtype == torch.float32
    np.testing.assert_array_equal(found.integers.numpy(), truth.integers)
    assert float(found.scale) == float(truth.scale)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_clipped_weights(elementwise: Elementwise, rng: np.random.Generator, bits: int) -> None:
    """The root mean square is summed in another order: the scale may differ in the last bits."""
    w = reals(rng, 16, 16, 3, 3)
    found = elementwise.quantize_weights(elementwise.from_host(w), bits, WeightLevels.CLIP)
    truth = NUMPY.quantize_weights(w, bits, WeightLevels.CLIP)
    assert float(found.scale) == pytest.approx(float(truth.scale), rel=1e-6)
    assert (found.integers.numpy() != truth.integers).mean() < 1e-3


def test_top_planes(accelerator: Accelerator, rng: np.random.Generator) -> None:
    integers = rng.integers(0, 256, (2, 3, 5, 4))
    tensor = accelerator.elementwise.from_host(integers.astype(np.uint8))
    stored = Quantized(tensor, np.float32(0.25), 8)
    assert accelerator.elementwise.top_planes(stored, 8) is stored
    found = accelerator.elementwise.top_planes(stored, 3)
    assert_same(found, NUMPY.top_planes(Quantized(integers, np.float32(0.25), 8), 3))
    known = accelerator.known.of(found.integers)  # type: ignore[attr-defined]
    assert known == (integers.min() >> 5, integers.max() >> 5)


class EveryFraction:
    """All 2^16 numbers, once each, behind one row of zeros."""

    def centred(self, like: Any) -> Any:
        assert like.shape == (1, 1, 257, 256)
        values = (torch.arange(1 << 16, dtype=torch.float32) - 32767.5) / 65536
        return torch.cat([torch.zeros(256), values]).reshape(like.shape)


@pytest.mark.parametrize("device", ["cpu", "elsewhere"])
@pytest.mark.parametrize("bits", [2, 3, 6, 8, 12, 16])
def test_errors_keep_their_expected_value(elementwise: Elementwise, bits: int, device: str) -> None:
    """|E[q] − x/scale| ≤ 2^-17, and what float32 loses where x itself has no finer steps."""
    if device != "cpu":  # the operations are others there
        place = SimpleNamespace(type=device)
        elementwise = TorchElementwise(elementwise.xp, place, KnownRanges())
    low, high = signed_range(bits)
    rng = np.random.default_rng(bits)
    for real in (*rng.uniform(low, high, 40), 0.0, float(high), high - 0.5, low + 1e-4):
        x = torch.full((1, 1, 257, 256), real)
        x[0, 0, 0, 0] = high  # the range: one step is worth 1
        q = elementwise.quantize_errors(x, bits, EveryFraction()).integers
        value = float(x[0, 0, 1, 0])
        mean = float(q[0, 0, 1:].double().mean())
        assert abs(mean - value) <= 2**-17 + 2.0 ** (bits - 25), value
        neighbours = {np.floor(value), np.ceil(value)}
        if value.is_integer():  # where float32 has no number between v and ½
            neighbours |= {value - 1, value + 1}
        assert set(q[0, 0, 1:].unique().tolist()) <= neighbours
        assert low <= float(q.min()) and float(q.max()) <= high


def test_one_bit_errors_keep_what_is_negative(elementwise: Elementwise) -> None:
    x = torch.tensor([1.0, 0.25, -0.25, -1.0]).reshape(1, 1, 1, 4).expand(64, 1, 64, 4)
    q = elementwise.quantize_errors(x, 1, elementwise.rounding(0, 0)).integers
    assert set(q.unique().tolist()) == {-1, 0}
    assert float(q[..., :2].abs().max()) == 0 and float(q[..., 3].max()) == -1
    assert float(q[..., 2].mean()) == pytest.approx(-0.25, abs=0.03)


def test_errors_of_zero_only(elementwise: Elementwise) -> None:
    q = elementwise.quantize_errors(torch.zeros(4, 4, 8, 8), 8, elementwise.rounding(0, 0))
    assert not q.integers.any() and float(q.scale) > 0


def test_the_accelerator_does_not_look_at_what_was_quantized(
    accelerator: Accelerator, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked(_: Any) -> None:
        raise AssertionError("looked")

    elementwise = accelerator.elementwise
    x, w = (
        elementwise.from_host(abs(reals(rng, 2, 3, 7, 7))),
        elementwise.from_host(reals(rng, 4, 3, 3, 3)),
    )
    e = elementwise.from_host(reals(rng, 2, 4, 7, 7))
    images = elementwise.from_host(rng.integers(0, 256, (2, 3, 7, 7), np.uint8))
    monkeypatch.setattr("fractrain.host.backends.torch.accelerator._range_of", looked)
    a = elementwise.quantize_activations(x, 5, x.max())
    v = elementwise.quantize_weights(w, 4, WeightLevels.ODD)
    q = elementwise.quantize_errors(e, 6, elementwise.rounding(0, 0))
    accelerator.forward(a.integers, v.integers, (5, 4), 1, 1)
    accelerator.error(q.integers, v.integers, (6, 4), 1, 1, input_size=7)
    accelerator.gradient(a.integers, q.integers, (5, 6), 1, 1, kernel_size=3)
    accelerator.gradient(images, q.integers, (8, 6), 1, 1, kernel_size=3)
    with pytest.raises(AssertionError, match="looked"):
        accelerator.gradient(images.clone(), q.integers, (8, 6), 1, 1, kernel_size=3)


def test_dequantize(elementwise: Elementwise, rng: np.random.Generator) -> None:
    sums = rng.integers(-(1 << 40), 1 << 40, (2, 3, 4, 5))
    for scale in (np.float32(0.3), torch.tensor(0.3)):
        x, y = Quantized(None, scale, 8), Quantized(None, torch.tensor(0.7), 8)
        truth = NUMPY.dequantize(
            sums, Quantized(None, np.float32(0.3), 8), Quantized(None, np.float32(0.7), 8)
        )
        for one, other in ((x, y), (y, x)):
            found = elementwise.dequantize(torch.from_numpy(sums).double(), one, other)
            assert found.dtype == torch.float32
            np.testing.assert_array_equal(found.numpy(), truth)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_shows_in_every_result(
    accelerator: Accelerator, rng: np.random.Generator, value: float
) -> None:
    elementwise = accelerator.elementwise
    x = elementwise.from_host(reals(rng, 17, 4, 7, 7))
    w = elementwise.from_host(reals(rng, 4, 4, 3, 3))
    bad_x, bad_w = x.clone(), w.clone()
    bad_x[2, 1, 3, 3] = bad_w[1, 2, 0, 0] = value

    def passes(a_real: Any, w_real: Any, e_real: Any) -> list[Any]:
        positive = abs(a_real)
        a = elementwise.quantize_activations(positive, 8, elementwise.xp.max(positive))
        v = elementwise.quantize_weights(w_real, 8, WeightLevels.MAX)
        e = elementwise.quantize_errors(e_real, 8, elementwise.rounding(0, 0))
        common = (1, 1)
        y = accelerator.forward(a.integers, v.integers, (8, 8), *common)
        dx = accelerator.error(e.integers, v.integers, (8, 8), *common, input_size=7)
        dw = accelerator.gradient(a.integers, e.integers, (8, 8), *common, kernel_size=3)
        return [
            elementwise.dequantize(y, a, v),
            elementwise.dequantize(dx, e, v),
            elementwise.dequantize(dw, a, e),
        ]

    def finite(results: list[Any]) -> list[bool]:
        return [bool(torch.isfinite(each).all()) for each in results]

    assert finite(passes(x, w, x)) == [True, True, True]
    assert finite(passes(bad_x, w, x)) == [False, True, False]
    assert finite(passes(x, bad_w, x)) == [False, False, True]
    assert finite(passes(x, w, bad_x)) == [True, False, False]


# -- random numbers ------------------------------------------------------------------------------


def test_random_numbers_are_uniform_and_symmetric() -> None:
    values = HostFractions(1, 2).centred(torch.empty(1 << 20)).numpy()
    integers = values.astype(np.float64) * 65536 - 0.5
    np.testing.assert_array_equal(integers, np.round(integers))
    assert integers.min() >= -32768 and integers.max() <= 32767
    assert_uniform(integers.astype(int) + 32768)


def test_random_numbers_of_different_tensors_steps_and_seeds_are_independent() -> None:
    like = torch.empty(1 << 18)
    source = HostFractions(1, 2)
    series = [source.centred(like), source.centred(like)]
    series += [HostFractions(*each).centred(like) for each in ((1, 3), (2, 2), (2, 1))]
    series += [series[0].roll(1), series[0].roll(1 << 16)]  # neighbours, and the next lane
    correlation = np.corrcoef(torch.stack(series).numpy()) - np.eye(len(series))
    assert abs(correlation).max() < 5 / np.sqrt(len(like))


def test_the_same_seed_and_step_give_the_same_numbers() -> None:
    one, other = HostFractions(5, 6), HostFractions(5, 6)
    for shape in ((3,), (2, 3, 5, 7), (1 << 19,)):
        like = torch.empty(shape)
        assert torch.equal(one.centred(like), other.centred(like))


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_does_not_show(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    like = torch.empty(1 << 19)
    expected = HostFractions(0, 0).centred(like)
    with ThreadPoolExecutor(threads) as executor:
        monkeypatch.setattr(random_fractions, "_threads", lambda: executor)
        assert torch.equal(HostFractions(0, 0).centred(like), expected)
        monkeypatch.setattr(random_fractions, "SMALLEST_SHARED", 1 << 30)
        assert torch.equal(HostFractions(0, 0).centred(like), expected)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 16, 17, 33, 1000])
def test_sizes_that_do_not_divide(count: int) -> None:
    values = HostFractions(0, 0).centred(torch.empty(count))
    assert values.shape == (count,) and float(values.abs().max()) < 0.5
    assert len(values.unique()) >= count * 0.9


def test_fractions_lie_between_0_and_1_in_any_memory_format() -> None:
    like = torch.empty(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    assert HostFractions(0, 0).centred(like).stride() == like.stride()
    fractions = HostFractions(0, 0).fractions((2, 3, 64, 5))
    assert fractions.shape == (2, 3, 64, 5) and fractions.dtype == torch.float32
    assert 0 < float(fractions.min()) < 0.01 and 0.99 < float(fractions.max()) < 1


def test_numbers_of_a_device() -> None:
    """What CUDA gets, from the CPU's generator here."""
    like = torch.empty(1 << 16)
    one, other = (DeviceFractions(3, 4, torch.device("cpu")) for _ in range(2))
    values = one.centred(like)
    assert torch.equal(values, other.centred(like))
    assert not torch.equal(values, one.centred(like))
    assert_uniform(((values.numpy() + 0.5) * 65536).astype(int))
    fractions = one.fractions((100, 100))
    assert 0 <= float(fractions.min()) and float(fractions.max()) < 1


# -- batch norm and rectifier --------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (1, 3, 2, 2), (2, 4, 1, 1), (1, 4, 1, 1)])
def test_batch_norm(
    elementwise: Elementwise, rng: np.random.Generator, shape: tuple[int, ...]
) -> None:
    x, e = reals(rng, *shape) * 3 + 1, reals(rng, *shape)
    gamma, beta = (reals(rng, 1, shape[1], 1, 1) for _ in range(2))
    place = elementwise.from_host
    found = elementwise.normalize(place(x), place(gamma), place(beta), 1e-5)
    truth = NUMPY.normalize(x.copy(), gamma, beta, 1e-5)
    close = {"rtol": 1e-4, "atol": 1e-5}
    for name in ("y", "mean", "variance"):
        one, other = getattr(found, name), getattr(truth, name)
        np.testing.assert_allclose(elementwise.to_host(one), other, **close, err_msg=name)
    before = place(e)
    back = elementwise.normalize_backward(before, found.saved, place(gamma))
    expected = NUMPY.normalize_backward(e, truth.saved, gamma)
    for one, other in zip(back, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(elementwise.to_host(one), other, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(elementwise.to_host(before), e)


def test_variances_far_below_epsilon(elementwise: Elementwise, rng: np.random.Generator) -> None:
    x = reals(rng, 8, 3, 4, 4) * np.float32(1e-6)
    one, zero = (np.full((1, 3, 1, 1), value, np.float32) for value in (1, 0))
    place = elementwise.from_host
    found = elementwise.normalize(place(x), place(one), place(zero), 1e-5)
    truth = x.astype(float).var((0, 2, 3), keepdims=True)
    np.testing.assert_allclose(elementwise.to_host(found.variance), truth, rtol=1e-3)


def test_rectifier(elementwise: Elementwise, rng: np.random.Generator) -> None:
    x, e = reals(rng, 3, 4, 5, 6), reals(rng, 3, 4, 1, 1)
    x[0, 0, 0, 0] = 0
    y, saved = elementwise.rectify(elementwise.from_host(x))
    truth, mask = NUMPY.rectify(x)
    np.testing.assert_array_equal(y.numpy(), truth)
    spread = elementwise.from_host(e).broadcast_to(x.shape)  # as the classifier's error is
    back = elementwise.rectify_backward(spread, saved)
    np.testing.assert_array_equal(back.numpy(), NUMPY.rectify_backward(e, mask))
    assert back.is_contiguous(memory_format=torch.channels_last)


# -- the published quantizer, sums for the gates ---------------------------------------------------


@pytest.mark.parametrize("bits", [1, 3, 8, 12])
def test_affine_values_are_those_of_numpy(
    elementwise: Elementwise, rng: np.random.Generator, bits: int
) -> None:
    """Up to what is a tie in one order of operations and not in the other."""
    x = reals(rng, 3, 5, 7, 6)
    extent = np.array([x.min(), 0.7 * x.max()], np.float32)
    ours = elementwise.quantize_affine(elementwise.from_host(x), bits, torch.tensor(extent))
    theirs = NUMPY.quantize_affine(x, bits, extent)
    step = (extent[1] - extent[0]) / (2**bits - 1)
    difference = np.abs(elementwise.to_host(ours) - theirs)
    assert difference.max() <= 1.001 * step
    assert (difference > 0.01 * step).mean() < 0.01


def test_affine_rounding_is_right_on_average(elementwise: Elementwise) -> None:
    x = torch.full((1, 1, 200, 200), 1.25)
    y = elementwise.quantize_affine(x, 2, torch.tensor([0.0, 3.0]), elementwise.rounding(0, 0))
    assert set(y.unique().tolist()) == {1, 2}
    assert float(y.mean()) == pytest.approx(1.25, abs=0.01)


def test_inner_products(elementwise: Elementwise, rng: np.random.Generator) -> None:
    x, y = reals(rng, 4, 3, 5, 6), reals(rng, 4, 3, 5, 6)
    found = elementwise.inner_products(elementwise.from_host(x), elementwise.from_host(y))
    np.testing.assert_allclose(
        elementwise.to_host(found), NUMPY.inner_products(x, y), rtol=1e-4, atol=1e-4
    )
