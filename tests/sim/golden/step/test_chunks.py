"""Chunks are independent of each other: in whatever order and parts, the results are the same."""

import numpy as np
import pytest

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import inner_format
from fractrain.sim.golden.step import backward, forward
from fractrain.sim.golden.step.chunks import sizes, spread, starts, sum_chunks
from tests.sim.golden.step import float_norm

FORM = inner_format(8)
GAMMA = np.array([1.0, -0.5, 0.25])


def one_layer(y: np.ndarray, e: np.ndarray, chunk: int) -> tuple[np.ndarray, ...]:
    """x̂, W, and the sums over the step of Σ E and Σ E·x̂."""
    by = forward.normalizer(forward.moments(y, chunk))
    x = forward.normalize(y, by, FORM, chunk)
    found = backward.error_moments(e, x, chunk)
    slopes = backward.slopes(found, by, backward.gain(GAMMA, 1.0, 2.0, 0.3, 6), FORM)
    wide = backward.apply(e, x, slopes, chunk)
    return x, wide, found.total.sum(0), found.product.sum(0)


def tensors(images: int) -> tuple[np.ndarray, np.ndarray]:
    layer = float_norm.layer(9, (images, 3, 3, 5))
    return forward.narrow(layer.sums, -2), layer.error


@pytest.mark.parametrize(("images", "chunk"), [(1, 1), (1, 8), (7, 3), (8, 4), (9, 4), (5, 8)])
def test_sums_of_chunks(images: int, chunk: int) -> None:
    x = np.arange(images * 6).reshape(images, 3, 2, 1) ** 2
    parts = [x[i : i + chunk] for i in range(0, images, chunk)]
    assert starts(images, chunk) == list(range(0, images, chunk))
    assert list(sizes(images, chunk)) == [len(each) for each in parts]
    sums = sum_chunks(x, chunk)
    assert np.array_equal(sums, [each.sum((0, 2, 3)) for each in parts])
    spreaded = [np.broadcast_to(s, (len(p), 3)) for s, p in zip(sums, parts, strict=True)]
    assert np.array_equal(spread(sums, chunk, images)[:, :, 0, 0], np.concatenate(spreaded))


@pytest.mark.parametrize("chunk", [1, 3, 4])
def test_a_batch_in_parts(chunk: int) -> None:
    """Cut between chunks: the last one short, a single image, a single chunk."""
    y, e = tensors(10)
    whole = one_layer(y, e, chunk)
    for cut in starts(10, chunk)[1:]:
        parts = [one_layer(y[part], e[part], chunk) for part in (slice(cut), slice(cut, None))]
        for index, join in ((0, np.concatenate), (1, np.concatenate), (2, sum), (3, sum)):
            assert np.array_equal(whole[index], join([part[index] for part in parts]))


def test_images_permuted_within_chunks_and_chunks_among_each_other() -> None:
    y, e = tensors(12)
    whole = one_layer(y, e, 4)
    rng = np.random.default_rng(0)
    for _ in range(10):
        places = np.arange(12).reshape(3, 4)[rng.permutation(3)]
        order = rng.permuted(places, axis=1).ravel()
        permuted = one_layer(y[order], e[order], 4)
        assert np.array_equal(permuted[0], whole[0][order])
        assert np.array_equal(permuted[1], whole[1][order])
        assert np.array_equal(permuted[2], whole[2])
        assert np.array_equal(permuted[3], whole[3])


def test_another_chunk_is_another_result() -> None:
    y, e = tensors(12)
    assert not np.array_equal(one_layer(y, e, 4)[0], one_layer(y, e, 6)[0])


def test_a_chunk_of_a_single_pixel_has_no_error() -> None:
    y, e = (each[:, :, :1, :1] for each in tensors(3))
    x, wide, *_ = one_layer(y, e, 1)
    assert not x.any() and not wide.any()


def test_a_chunk_of_too_many_pixels_is_refused() -> None:
    y = np.zeros((3, 1, 1, 1 << 16), np.int64)
    assert not forward.moments(y, 2).dispersion.any()
    with pytest.raises(ParameterError, match=r"pixels of a chunk: got 196608, allowed: .*131072"):
        forward.moments(y, 3)


def test_too_many_errors_at_a_tensor_are_refused() -> None:
    with pytest.raises(ParameterError, match="errors at one tensor: got 5, allowed: at most 4"):
        backward.join([np.zeros(1, np.int64)] * 5)
