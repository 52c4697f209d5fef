"""Checks, when the backend is opened, that this PyTorch multiplies exactly on this device."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.backends.torch.byte_kernels import ByteKernels
from fractrain.host.backends.torch.exact import FLOAT32_BOUND
from fractrain.host.backends.torch.kernels import Kernels
from fractrain.host.graph.geometry import output_size
from fractrain.hw.contract.errors import MachineError
from fractrain.sim.golden import definition

Tensor = Any

SHAPES = (
    # images, channels, filters, pixels each way, kernel, stride, padding
    (16, 16, 16, 8, 3, 1, 1),
    (16, 3, 16, 8, 3, 1, 1),
    (16, 16, 32, 8, 3, 2, 1),
    (16, 16, 32, 8, 1, 2, 0),
    (2, 8, 8, 9, 5, 1, 2),
    (1, 4, 4, 6, 3, 1, 1),
)
"""Enough for each of the ways in which PyTorch computes the convolutions of a residual network."""


def check_exactness(kernels: Kernels, device: str) -> None:
    """Raise `MachineError` unless ``kernels`` give the integers of `sim.golden.definition`.

    One operand has as many bits, 16 at most, as sums within `FLOAT32_BOUND` allow, the other what
    is left, in turn; once with random signs, and once without, so that sums come near the bound. So
    operands rounded to fewer than 16 bits show, sums kept in less than float32, and transforms
    that divide (Winograd's, Fourier's).
    """
    rng = np.random.default_rng(0)
    for images, channels, filters, pixels, kernel, stride, padding in SHAPES:
        outputs, _ = output_size((pixels, pixels), (kernel, kernel), stride, padding)
        shapes = {
            "a": (images, channels, pixels, pixels),
            "w": (filters, channels, kernel, kernel),
            "e": (images, filters, outputs, outputs),
        }
        for name, x, y, terms, size in (
            ("forward", "a", "w", channels * kernel**2, ()),
            ("error", "e", "w", filters * kernel**2, ((pixels, pixels),)),
            ("gradient", "a", "e", images * outputs**2, ((kernel, kernel),)),
        ):
            for wide, near in product((x, y), (False, True)):
                operands = [
                    _random(rng, each, shapes[each], FLOAT32_BOUND // terms, each == wide, near)
                    for each in (x, y)
                ]
                how = (stride, padding, *size)
                found = getattr(kernels, name)(*(to_device(o, device) for o in operands), *how)
                truth = getattr(definition, name)(*operands, *how)
                if not np.array_equal(found.cpu().numpy(), truth):
                    raise MachineError(_inexact(name, kernel, stride, device))


BYTE_SHAPES = (*SHAPES, (4, 32, 32, 8, 3, 1, 1), (4, 64, 64, 8, 3, 1, 1), (3, 5, 7, 9, 3, 1, 0))
"""As `SHAPES`; with bytes the number of channels decides, too, how oneDNN computes."""

SIGNED = ((-128, 127), (100, 127), (-128, -100))
"""Ranges of weights and errors: pairs of the last two, summed in 16 bits, would saturate."""


def multiplies_bytes(kernels: ByteKernels) -> bool:
    """Whether ``kernels`` give the integers of `sim.golden.definition` here."""
    try:
        return all(_same(*each) for shape in BYTE_SHAPES for each in _of_bytes(kernels, *shape))
    except (AttributeError, RuntimeError, TypeError):  # an operator that this PyTorch lacks
        return False


def _of_bytes(
    kernels: ByteKernels,
    images: int,
    channels: int,
    filters: int,
    pixels: int,
    kernel: int,
    stride: int,
    padding: int,
) -> Iterator[tuple[Tensor, NDArray[np.int64]]]:
    """Each result, None where bytes are of no use, and what it must be."""
    size = pixels, pixels
    outputs, _ = output_size(size, (kernel, kernel), stride, padding)
    draw = np.random.default_rng(0).integers
    for (low, high), (least, most) in product(SIGNED, SIGNED):
        a = draw(0 if low < 0 < high else 200, 256, (images, channels, *size))
        e = draw(low, high + 1, (images, filters, outputs, outputs))
        w = draw(least, most + 1, (filters, channels, kernel, kernel))
        unsigned, errors, weights = _bytes(a, np.uint8), _bytes(e, np.int8), _bytes(w, np.int8)
        how = stride, padding
        yield kernels.forward(unsigned, weights, *how), definition.forward(a, w, *how)
        yield kernels.error(errors, weights, *how, size), definition.error(e, w, *how, size)


def _same(found: Tensor | None, truth: NDArray[np.int64]) -> bool:
    return found is None or np.array_equal(found.numpy(), truth)


def _bytes(integers: NDArray[np.int64], kind: type[np.generic]) -> Tensor:
    import torch

    tensor = torch.from_numpy(integers.astype(kind))
    return tensor.contiguous(memory_format=torch.channels_last)


def _random(
    rng: np.random.Generator, name: str, shape: tuple[int, ...], room: int, wide: bool, near: bool
) -> NDArray[np.int64]:
    """Integers of one operand, of which ``room`` is the greatest product.

    ``near``: none below half of the greatest. Activations (``a``) are unsigned.
    """
    narrow = -(-room // 65535)
    greatest = room // narrow if wide else narrow
    low = (greatest + 1) // 2 if near else 0 if name == "a" else -greatest
    return rng.integers(low, greatest + 1, shape)


def to_device(integers: NDArray[np.integer], device: str) -> Tensor:
    """``integers`` [N,C,H,W] as float32, in the memory format ``channels_last``."""
    import torch

    tensor = torch.from_numpy(integers.astype(np.float32)).to(device)
    return tensor.contiguous(memory_format=torch.channels_last)


def _inexact(name: str, kernel: int, stride: int, device: str) -> str:
    import torch

    return (
        f"PyTorch {torch.__version__} does not compute float32 convolutions exactly on {device} "
        f"(found in a probe: {name}, {kernel}x{kernel}, stride {stride}); look for settings and "
        "environment variables that trade precision for speed, or use the golden backend"
    )
