"""Random numbers of a run: one seed, independent streams, nothing that depends on history."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from fractrain.hw.contract.values import Whole

SEED = Whole(0, 2**63 - 1)
"""The range of signed 64 bits, which most readers of a run's record can hold."""


class Stream(enum.IntEnum):
    """Uses of the numbers. The values are part of the results: do not renumber."""

    WEIGHTS = 1
    DATA = 2
    ROUNDING = 3
    AUGMENTATION = 4
    GATES = 5


class RandomNumbers(Protocol):
    """What takes random numbers asks for these: NumPy's generator has them, and
    `host.numerics.counter_numbers.CounterNumbers`."""

    def random(self, size: int, /) -> Any:
        """Uniform float64 in [0, 1)."""
        ...

    def uniform(self, low: float, high: float, size: tuple[int, ...], /) -> Any:
        """Uniform float64 from ``low`` on, below ``high``."""
        ...

    def normal(self, mean: float, deviation: float, size: tuple[int, ...], /) -> Any:
        """Normally distributed float64."""
        ...

    def integers(
        self, low: int, high: int, size: tuple[int, ...], /, *, endpoint: bool = False
    ) -> Any:
        """Integers from ``low`` on, below ``high``; with ``endpoint`` it is one of them."""
        ...

    def permutation(self, count: int, /) -> Any:
        """0 .. count − 1 in random order."""
        ...


Numbers = Callable[[int, Stream, int], RandomNumbers]
"""(seed, stream, index) → its numbers, as `generator`."""


def generator(seed: int, stream: Stream, index: int = 0) -> np.random.Generator:
    """The generator of ``stream`` for step (or epoch) ``index`` of the run with ``seed`` ≥ 0.

    Because it depends on these three only, a run can be continued at any step, bit for bit.
    """
    return np.random.default_rng([seed, stream, index])
