"""Formal, unbounded: in the whole network of stages no token is lost or made, and a task is held
back only as long as a token that it waits for, or the room for one, does not exist. Of the three
stages of a machine, and of the four and the host of one with a vector unit."""

import pytest
from amaranth.hdl import Const, Module, Mux

from fractrain.hw.contract.commands import Stage
from fractrain.hw.control.host_tokens import HostInbox, HostOutbox
from fractrain.hw.control.tokens import TokenCounter, TokenGate
from fractrain.hw.flow.parties import ENGINE, WITH_VECTOR, Parties
from tests.formal.runner import prove, refute
from tests.hw.control.token_monitor import (
    BY_HOST,
    CONSERVED,
    FROM_HOST,
    LIMITED,
    ONCE,
    PROMPT,
    TAKEN,
    NetworkMonitor,
)

MACHINES = pytest.mark.parametrize("of", [ENGINE, WITH_VECTOR], ids=["engine", "with_vector"])

FEW = 2
"""Tokens at most, where a proof has to reach the limit."""


@MACHINES
def test_no_token_is_lost_and_no_task_held_back_without_cause(of: Parties) -> None:
    prove(NetworkMonitor(of), f"token_network_{len(of.stages)}", depth=3)


def limits(monkeypatch: pytest.MonkeyPatch, network: int, monitor: int) -> None:
    """Of tokens: in the network, and as the monitor knows it."""
    monkeypatch.setattr("fractrain.hw.control.tokens.TOKEN_LIMIT", network)
    monkeypatch.setattr("fractrain.hw.control.host_tokens.TOKEN_LIMIT", network)
    monkeypatch.setattr("tests.hw.control.token_monitor.TOKEN_LIMIT", monitor)


@pytest.mark.parametrize(
    ("of", "active"),
    [
        (ENGINE, ENGINE.stages),
        (WITH_VECTOR, ENGINE.stages),
        *((WITH_VECTOR, (stage, Stage.VECTOR)) for stage in ENGINE.stages),
    ],
    ids=lambda each: "_".join(stage.name for stage in each) if isinstance(each, tuple) else "",
)
def test_the_proof_is_not_of_nothing(
    of: Parties, active: tuple[Stage, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every channel is within one of these groups."""
    limits(monkeypatch, FEW, FEW)
    name = f"token_network_cover_{len(of.stages)}_{len(active)}"
    prove(NetworkMonitor(of, active), name, depth=24, mode="cover")


# -- the proof notices what it is for ---------------------------------------------------------


def refused(claim: str, of: Parties = ENGINE) -> None:
    refute(NetworkMonitor(of), "token_network_broken", claim, depth=24)


@MACHINES
def test_one_too_many_is_noticed(of: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, FEW + 1, FEW)
    refused(LIMITED, of)


def test_a_token_that_is_lost_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes as another goes."""
    elaborate = TokenCounter.elaborate

    def losing(self: TokenCounter, platform: object) -> Module:
        m = elaborate(self, platform)
        with m.If(self.give & self.take):
            m.d.sync += self.waiting.eq(self.waiting - 1)
        return m

    monkeypatch.setattr(TokenCounter, "elaborate", losing)
    refused(CONSERVED)


def test_a_task_that_does_not_wait_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    elaborate = TokenGate.elaborate

    def hasty(self: TokenGate, platform: object) -> Module:
        self.available = Const((1 << self.waits) - 1, self.waits)  # whatever the counters say
        return elaborate(self, platform)

    monkeypatch.setattr(TokenGate, "elaborate", hasty)
    refused(TAKEN)


def test_a_token_that_is_not_taken_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    elaborate = TokenGate.elaborate

    def generous(self: TokenGate, platform: object) -> Module:
        m = elaborate(self, platform)
        m.d.sync += self.take.eq(0)
        return m

    monkeypatch.setattr(TokenGate, "elaborate", generous)
    refused(ONCE)


def test_a_task_that_is_held_back_for_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one goes as one too many would have to."""
    limits(monkeypatch, FEW, FEW + 1)
    refused(PROMPT)


def test_tokens_that_the_host_takes_twice_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than it wants, one that comes as it takes."""
    elaborate = HostInbox.elaborate

    def losing(self: HostInbox, platform: object) -> Module:
        m = elaborate(self, platform)
        with m.If(self.give & self.take.any() & self.waiting.any()):
            m.d.sync += self.waiting.eq(self.waiting - Mux(self.take > self.waiting, 1, self.take))
        return m

    monkeypatch.setattr(HostInbox, "elaborate", losing)
    refused(BY_HOST, WITH_VECTOR)


def test_tokens_for_the_host_that_nobody_gave_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it takes is promised again."""
    elaborate = HostInbox.elaborate

    def generous(self: HostInbox, platform: object) -> Module:
        m = elaborate(self, platform)
        with m.If(self.take.any()):
            m.d.sync += self.reserved.eq(self.reserved + self.promise)
        return m

    monkeypatch.setattr(HostInbox, "elaborate", generous)
    refused(CONSERVED, WITH_VECTOR)


def test_tokens_of_the_host_that_wrap_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    elaborate = HostOutbox.elaborate

    def wrapping(self: HostOutbox, platform: object) -> Module:
        m = elaborate(self, platform)
        m.d.sync += self.waiting.eq(self.waiting + self.give - self.take)
        return m

    monkeypatch.setattr(HostOutbox, "elaborate", wrapping)
    refused(FROM_HOST, WITH_VECTOR)
