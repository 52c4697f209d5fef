"""Cheap random numbers for stochastic rounding, tens of millions for each training step.

PyTorch's CPU generator is serial and takes 2 ns for a number. Rounding does not need its 24 bits:
with 16, the expected value is off by 2^-17 of a step at most. So a 64-bit word gives four
numbers, and the words come from NumPy's SFC64 in several threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.numerics.random_streams import Stream

Tensor = Any

LANES = 4
"""Generators that fill a tensor, each a part of it, in any number of threads. Results depend on
it."""

SMALLEST_SHARED = 1 << 17
"""Numbers; for fewer, threads take longer than they save."""

BLOCK = 1 << 17
"""Numbers made at a time: half a megabyte stays in the cache from one operation to the next."""

FRACTION_BITS = 16
STEP = np.float32(2.0**-FRACTION_BITS)


class HostFractions:
    """The random numbers of one training step, made on the CPU.

    They depend on ``seed``, ``step``, and the order and sizes in which tensors ask for them; not
    on the number of threads.
    """

    def __init__(self, seed: int, step: int) -> None:
        lanes = np.random.SeedSequence([seed, Stream.ROUNDING, step]).spawn(LANES)
        self._lanes = [np.random.SFC64(each) for each in lanes]

    def centred(self, like: Tensor) -> Tensor:
        """float32 of the shape and the memory format of ``like``: independent, each of the 2^16
        values (r + ½) / 2^16, r in −2^15 .. 2^15 − 1, equally often; so symmetric around 0."""
        import torch

        result = torch.empty_like(like, dtype=torch.float32)
        flat = result.as_strided((like.numel(),), (1,)).numpy()
        share = -(-len(flat) // LANES)
        parts = [flat[lane * share : (lane + 1) * share] for lane in range(LANES)]
        if len(flat) < SMALLEST_SHARED:
            for lane, part in zip(self._lanes, parts, strict=True):
                _fill(lane, part)
        else:
            list(_threads().map(_fill, self._lanes, parts))  # list: waits, and raises
        return result

    def fractions(self, shape: tuple[int, ...]) -> Tensor:
        """The same around ½, float32 in (0, 1)."""
        import torch

        return self.centred(torch.empty(shape)).add_(0.5)


class DeviceFractions:
    """As `HostFractions`, made on ``device`` by its own generator, of 24 bits.

    On another kind of device the numbers are others.
    """

    def __init__(self, seed: int, step: int, device: Any) -> None:
        import torch

        state = np.random.SeedSequence([seed, Stream.ROUNDING, step]).generate_state(1, np.uint64)
        self._generator = torch.Generator(device)
        self._generator.manual_seed(int(state[0] >> np.uint64(1)))

    def centred(self, like: Tensor) -> Tensor:
        """Uniform in [−½, ½)."""
        import torch

        result = torch.empty_like(like, dtype=torch.float32)
        return result.uniform_(-0.5, 0.5, generator=self._generator)

    def fractions(self, shape: tuple[int, ...]) -> Tensor:
        """Uniform float32 in [0, 1)."""
        import torch

        return torch.rand(shape, device=self._generator.device, generator=self._generator)


def _fill(lane: np.random.SFC64, numbers: NDArray[np.float32]) -> None:
    """Fill a lane's part of a tensor. NumPy lets other threads run meanwhile."""
    for start in range(0, len(numbers), BLOCK):
        block = numbers[start : start + BLOCK]
        words = lane.random_raw(-(-len(block) * FRACTION_BITS // 64))
        integers = words.view(np.int16)[: len(block)]
        np.multiply(integers, STEP, out=block, dtype=np.float32)
        block += STEP / 2


@cache
def _threads() -> ThreadPoolExecutor:
    """As many as PyTorch has."""
    import torch

    return ThreadPoolExecutor(torch.get_num_threads(), thread_name_prefix="rounding")
