"""Two backends side by side: agreement is reported, a single wrong bit is found and named."""

import numpy as np
import pytest

from host.accelerator import Counters, Integers, open_accelerator
from host.backends.checked import CheckedAccelerator, CheckedCall
from host.backends.golden import GoldenAccelerator
from hw.contract.errors import MachineError, MismatchError
from hw.contract.parameters import load_parameters
from hw.contract.precision import Pass


class WrongInOneElement(GoldenAccelerator):
    """Counts five cycles a call, and errs by one in the last element of every gradient."""

    def _forward(
        self, a: Integers, w: Integers, bits: tuple[int, int], stride: int, padding: int
    ) -> Integers:
        self._counters += Counters(cycles=5, busy_cycles=4)
        return super()._forward(a, w, bits, stride, padding)

    def _gradient(
        self,
        a: Integers,
        e: Integers,
        bits: tuple[int, int],
        stride: int,
        padding: int,
        kernel_size: tuple[int, int],
    ) -> Integers:
        dw = super()._gradient(a, e, bits, stride, padding, kernel_size).copy()
        dw.flat[-1] += 1
        return dw


def test_agreement_and_disagreement() -> None:
    calls: list[CheckedCall] = []
    machine = WrongInOneElement(load_parameters("tiny"))
    checked = CheckedAccelerator(machine, open_accelerator("golden"), calls.append)
    a, w = np.full((2, 3, 5, 5), 3), np.full((4, 3, 3, 3), -2)
    with checked as accelerator:
        y = accelerator.forward(a, w, bits=(2, 2), stride=2, padding=1)
        assert y.shape == (2, 4, 3, 3) and y[0, 0, 1, 1] == 27 * 3 * -2
        assert calls[0].pass_ is Pass.FORWARD and calls[0].bits == (2, 2)
        assert calls[0].geometry.split() == ["3", "->", "4", "3x3/2", "on", "5x5"]
        assert calls[0].macs == 2 * 4 * 3 * 3 * 27
        assert calls[0].cost == Counters(cycles=5, busy_cycles=4) == accelerator.counters
        e = np.ones((2, 4, 3, 3), int)
        with pytest.raises(
            MismatchError, match=r"1 of 108 results differ, first at \[3, 2, 2, 2\]"
        ):
            accelerator.gradient(a, e, bits=(2, 2), stride=2, padding=1, kernel_size=3)
    assert len(calls) == 1
    with pytest.raises(MachineError, match="closed"):
        machine.forward(a, w, bits=(2, 2))
