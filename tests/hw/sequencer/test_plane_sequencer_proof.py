"""Formal, unbounded: every digit pair exactly once, right shift and signs, no idle cycle."""

import pytest

from hw.sequencer.plane_sequencer import DigitWalk
from tests.formal.runner import ProofFailed, prove
from tests.hw.machines import machine
from tests.hw.sequencer.sequencer_monitor import SequencerMonitor


@pytest.mark.parametrize("spatial_bits", [1, 2, 4, 8])
def test_every_pair_exactly_once_for_all_precisions(spatial_bits: int) -> None:
    prove(
        SequencerMonitor(machine(array__spatial_bits=spatial_bits)),
        f"sequencer_{spatial_bits}",
        depth=2,
    )


def test_the_proof_notices_a_skipped_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    def rewind_one_too_far(self: DigitWalk) -> list:
        return [self.word.eq(self.slice_base + 1), *self._first_digit(self.task)]

    monkeypatch.setattr(DigitWalk, "rewind", rewind_one_too_far)
    with pytest.raises(ProofFailed, match="FAIL"):
        prove(
            SequencerMonitor(machine(array__spatial_bits=8)),
            "sequencer_broken",
            depth=20,
            mode="bmc",
        )


def test_the_proof_notices_a_wrong_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DigitWalk, "negative", lambda self: self.task.signed & 0)
    with pytest.raises(ProofFailed, match="FAIL"):
        prove(
            SequencerMonitor(machine(array__spatial_bits=8)),
            "sequencer_unsigned",
            depth=20,
            mode="bmc",
        )
