"""The three passes of any accelerator, and of the golden model, on random operands."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from fractrain.host.graph.geometry import output_size

__all__ = ["assert_same_integers", "drawn", "operands", "three_passes"]


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


def drawn(*, counts: tuple[int, int, int], bits: int, stride: int) -> dict[str, Any]:
    """Strategies for the arguments of `operands`, and a seed; given are the greatest images,
    channels and filters, bits and stride."""
    return {
        "counts": st.tuples(*(st.integers(1, most) for most in counts)),
        "size": st.tuples(st.integers(4, 13), st.integers(4, 13)),
        "kernel": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "bits": st.tuples(*[st.integers(1, bits)] * 3),
        "stride": st.integers(1, stride),
        "padding": st.integers(0, 3),
        "extreme": st.booleans(),
        "seed": st.integers(0, 2**32),
    }


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
    """``found``, PyTorch's tensors, equals ``truth``; what came as float32 holds it exactly."""
    import torch  # optional: tests that need it are skipped without

    from fractrain.host.backends.torch.exact import FLOAT32_BOUND

    for one, other in zip(found, truth, strict=True):
        if one.dtype == torch.float32:
            assert int(one.abs().max()) <= FLOAT32_BOUND
        np.testing.assert_array_equal(one.to(torch.int64).numpy(), other)
