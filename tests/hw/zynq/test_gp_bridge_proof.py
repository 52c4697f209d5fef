"""Formal, unbounded: whatever a processing system sends and however registers answer, every burst
gets the one answer it must have, no other access reaches a register, and the bridge never hangs."""

import pytest
from amaranth.hdl import Module, Signal, Value

from fractrain.hw.contract.registers import REGISTERS_BYTES
from fractrain.hw.targets.zynq import REGISTERS_BASE
from fractrain.hw.zynq import gp_bridge
from tests.formal.gp_rules import (
    ACCESSED,
    ANSWERED,
    AWAITED,
    SOON,
    WORST,
    ReadMonitor,
    WriteMonitor,
)
from tests.formal.runner import prove, refute

MONITORS = [ReadMonitor, WriteMonitor]


@pytest.mark.parametrize("monitor", MONITORS)
def test_bridge(monitor: type) -> None:
    prove(monitor(), f"gp_{monitor.__name__}", depth=3)


@pytest.mark.parametrize("monitor", MONITORS)
def test_the_proof_is_not_of_nothing(monitor: type) -> None:
    prove(monitor(), "gp_cover", depth=40, mode="cover")


# -- the proofs notice what they are for ------------------------------------------------------


def refused(monitor: type, claim: str) -> None:
    refute(monitor(), "gp_broken", claim, depth=20)


@pytest.mark.parametrize("monitor", MONITORS)
def test_a_burst_that_runs_beyond_the_registers_is_noticed(
    monitor: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would come out at the first of them."""
    monkeypatch.setattr(gp_bridge._Burst, "refusal", property(lambda self: self.wrong))
    refused(monitor, ACCESSED)


@pytest.mark.parametrize("monitor", MONITORS)
def test_another_base_is_noticed(monitor: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gp_bridge, "REGISTERS_BASE", REGISTERS_BASE + REGISTERS_BYTES)
    refused(monitor, ACCESSED)


@pytest.mark.parametrize("monitor", MONITORS)
def test_a_beat_too_wide_is_noticed(monitor: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gp_bridge, "WIDEST_SIZE", 3)
    refused(monitor, ACCESSED)


@pytest.mark.parametrize("monitor", MONITORS)
def test_an_answer_with_another_id_is_noticed(
    monitor: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = gp_bridge._Burst.take

    def forgetful(self: gp_bridge._Burst, m: Module) -> Value:
        self.id = Signal(12)
        return take(self, m)

    monkeypatch.setattr(gp_bridge._Burst, "take", forgetful)
    refused(monitor, ANSWERED)


def test_data_that_must_wait_for_their_address_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take_data = gp_bridge._Writes._take_data

    def late(self: gp_bridge._Writes, m: Module) -> None:
        take_data(self, m)
        with m.If(~self.busy):
            m.d.sync += self.gp.wready.eq(0)

    monkeypatch.setattr(gp_bridge._Writes, "_take_data", late)
    refused(WriteMonitor, AWAITED)


def test_an_error_that_is_forgotten_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The response of the last beat alone."""
    end_beat = gp_bridge._Writes._end_beat

    def forgetful(self: gp_bridge._Writes, m: Module, response: Value) -> None:
        end_beat(self, m, response)
        m.d.sync += self.gp.bresp.eq(response)

    monkeypatch.setattr(gp_bridge._Writes, "_end_beat", forgetful)
    refused(WriteMonitor, WORST)


def test_an_answer_that_never_comes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gp_bridge._Reads, "_answer", lambda self, m, data, response: None)
    refused(ReadMonitor, SOON)
