"""A shift by any amount: every number and every shift at a small width."""

import numpy as np
import pytest

from fractrain.hw.vector.align import Aligner
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats

BITS, KEEP = 9, 4


@pytest.mark.parametrize(("left", "right"), [(3, 9), (0, 12), (16, -1)])
def test_every_number_and_shift(left: int, right: int) -> None:
    aligner = Aligner(1, BITS, KEEP, left=left, right=right)
    outputs = dict.fromkeys(("kept", "signs", "large"), aligner.latency_cycles)
    player = Beats(aligner, f"vector_aligner_{left}_{right + 1}", {"shift": -1} | outputs)
    half = 1 << BITS - 1
    numbers, shifts = (
        each.ravel() for each in np.meshgrid(np.arange(-half, half), np.arange(-left, right + 1))
    )
    found = player.play(numbers=numbers, shift=shifts)
    wanted = np.where(
        shifts < 0, numbers << np.maximum(-shifts, 0), numbers >> np.maximum(shifts, 0)
    )
    assert np.array_equal(found["kept"][:, 0], wanted & (1 << KEEP) - 1)
    assert np.array_equal(found["signs"], wanted < 0)
    assert np.array_equal(found["large"], (wanted >> KEEP) != (wanted >> 40))


def test_refusals() -> None:
    assert_refused(lambda: Aligner(0, 8, 4, left=1, right=1), "count")
    assert_refused(lambda: Aligner(1, 8, 4, left=0, right=0), "at least two")
    assert_refused(lambda: Aligner(1, 8, 0, left=1, right=1), "bits kept")
