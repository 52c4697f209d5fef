"""Random numbers of a run: one seed, independent streams, nothing that depends on history."""

from __future__ import annotations

import enum

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


def generator(seed: int, stream: Stream, index: int = 0) -> np.random.Generator:
    """The generator of ``stream`` for step (or epoch) ``index`` of the run with ``seed`` ≥ 0.

    Because it depends on these three only, a run can be continued at any step, bit for bit.
    """
    return np.random.default_rng([seed, stream, index])
