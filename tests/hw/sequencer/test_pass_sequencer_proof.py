"""Formal, bounded: the items of every task in order and exact, none lost, a pass in every cycle.

Bounds, in cycles after reset (the first item leaves in cycle 15): `STALLING` with every pattern of
stalls, `STEADY` without any. The loops that the sequencer is made of are proved by themselves, in
tests/hw/flow.
"""

import pytest

from hw.sequencer.pass_sequencer import PassSequencer
from tests.formal.runner import ProofFailed, prove
from tests.hw.machines import machine
from tests.hw.sequencer.pass_monitor import PassMonitor

STALLING, STEADY = 20, 20

# unrolled, and each step by itself: the solver's incremental mode takes ten times as long
ENGINE = "smtbmc --nopresat --unroll z3 -- --noincr"


@pytest.mark.parametrize(("spatial_bits", "steady"), [(1, False), (1, True), (4, True)])
def test_items_in_order_and_exact(spatial_bits: int, steady: bool) -> None:
    prove(
        PassMonitor(machine(array__spatial_bits=spatial_bits), steady=steady),
        f"pass_sequencer_{spatial_bits}",
        depth=STEADY if steady else STALLING,
        mode="bmc",
        engine=ENGINE,
        map_memories=True,
    )


@pytest.mark.parametrize(
    ("method", "broken"),
    [
        ("_choose_row_digit", lambda self, m, jobs, shown: None),
        ("_choose_word", lambda self, m, jobs, shown: None),
    ],
)
def test_the_proof_notices(method: str, broken: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PassSequencer, method, broken)
    with pytest.raises(ProofFailed, match="FAIL"):
        prove(
            PassMonitor(machine(), steady=True),
            f"pass_sequencer_without{method}",
            depth=STEADY,
            mode="bmc",
            engine=ENGINE,
            map_memories=True,
        )
