"""Real convolutions against the definition in float64, which tests hold to SciPy elsewhere."""

import numpy as np
import pytest

from fractrain.sim.golden import real


def definition(a: np.ndarray, w: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """Forward, as the sum it is."""
    padded = np.pad(a.astype(float), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], axis=(2, 3))
    return np.einsum("ncpqrs,kcrs->nkpq", windows[:, :, ::stride, ::stride], w.astype(float))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size"),
    [(3, 1, 1, (7, 6)), (3, 2, 1, (8, 8)), (1, 2, 0, (5, 4)), (5, 3, 2, (9, 7))],
)
def test_three_passes(kernel: int, stride: int, padding: int, size: tuple[int, int]) -> None:
    """Error and gradient are the transposes of forward: ⟨y, e⟩ = ⟨x, dx⟩ = ⟨w, dw⟩."""
    rng = np.random.default_rng(kernel)
    a = rng.normal(size=(3, 4, *size)).astype(np.float32)
    w = rng.normal(size=(5, 4, kernel, kernel)).astype(np.float32)
    y = real.forward(a, w, stride, padding)
    truth = definition(a, w, stride, padding)
    np.testing.assert_allclose(y, truth, rtol=1e-4, atol=1e-4)
    e = rng.normal(size=y.shape).astype(np.float32)
    dx = real.error(e, w, stride, padding, size)
    dw = real.gradient(a, e, stride, padding, (kernel, kernel))
    assert (dx.shape, dw.shape, dx.dtype) == (a.shape, w.shape, np.float32)
    for _ in range(10):
        other_a = rng.normal(size=a.shape)
        other_w = rng.normal(size=w.shape)
        assert (other_a * dx).sum() == pytest.approx(
            (definition(other_a, w, stride, padding) * e).sum(), rel=1e-3, abs=1e-3
        )
        assert (other_w * dw).sum() == pytest.approx(
            (definition(a, other_w, stride, padding) * e).sum(), rel=1e-3, abs=1e-3
        )
