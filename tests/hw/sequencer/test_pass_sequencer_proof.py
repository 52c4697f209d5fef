"""Formal, bounded: the items of every task in order and exact, none lost, a pass in every cycle.

Bounds, in cycles after reset (the first item leaves in cycle 15): `STALLING` with every pattern of
stalls, `STEADY` without any. The loops that the sequencer is made of are proved by themselves, in
tests/hw/flow.
"""

import pytest

from fractrain.hw.sequencer.pass_sequencer import PassSequencer
from tests.formal.runner import prove, refute
from tests.hw.machines import machine
from tests.hw.sequencer.pass_monitor import SIGN, WORD, PassMonitor

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


def test_the_proof_is_not_of_nothing() -> None:
    prove(
        PassMonitor(machine()),
        "pass_sequencer_cover",
        depth=STALLING,
        mode="cover",
        engine=ENGINE,
        map_memories=True,
    )


@pytest.mark.parametrize(("method", "claim"), [("_choose_row_digit", SIGN), ("_choose_word", WORD)])
def test_the_proof_notices(method: str, claim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PassSequencer, method, lambda self, m, jobs, shown: None)
    refute(
        PassMonitor(machine(), steady=True),
        f"pass_sequencer_without{method}",
        claim,
        depth=STEADY,
        engine=ENGINE,
        map_memories=True,
    )
