"""Formal, unbounded: however memory behaves and whatever they are given, the channels of a port
keep the rules of AXI3. Bounded, 10 cycles: the queue in front gives back what it was given."""

from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Const, Cover, Module, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.hw.axi.address_channel import AddressChannel
from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.data_channel import DataChannel
from fractrain.hw.axi.lut_queue import LutQueue
from fractrain.hw.axi.occupancy import Occupancy
from tests.formal.runner import prove, refute
from tests.hw.axi.port_monitors import ReadPortMonitor, WriteChannelsMonitor

OUTSTANDING = 3


@pytest.mark.parametrize("monitor", [ReadPortMonitor, WriteChannelsMonitor])
@pytest.mark.parametrize("item_bytes", [16, 64, 128])
def test_rules_hold(monitor: type, item_bytes: int) -> None:
    shape = BurstShape(item_bytes)
    prove(monitor(shape, OUTSTANDING), f"{monitor.__name__}_{item_bytes}", depth=2)


@pytest.mark.parametrize("monitor", [ReadPortMonitor, WriteChannelsMonitor])
def test_the_proof_is_not_of_nothing(monitor: type) -> None:
    prove(monitor(BurstShape(16), OUTSTANDING), "axi3_cover", depth=20, mode="cover")


class QueueMonitor(wiring.Component):
    """Anything written at any time there is room; ``mark`` picks one item to be followed."""

    DEPTH = 3

    def __init__(self) -> None:
        super().__init__({"write": In(1), "item": In(2), "ready": In(1), "mark": In(1)})
        self.queue = LutQueue(unsigned(2), self.DEPTH)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = self.queue
        before, marked, item = Signal(range(self.DEPTH + 1)), Signal(), Signal(2)
        inside = Signal.like(before)
        written, left = self.write & queue.room, queue.o.valid & self.ready
        m.d.comb += [
            queue.write.eq(written),
            queue.item.eq(self.item),
            queue.o.ready.eq(self.ready),
            Assume(~(self.mark & (marked | ~written))),
            Assert(
                ~(marked & (before == 0)) | (queue.o.valid & (queue.o.payload == item)),
                "what comes out is what went in",
            ),
            Assert(queue.o.valid == (inside != 0), "it offers what it has"),
            Assert(queue.room == (inside != self.DEPTH), "it takes what has room"),
            # lest the proof be of nothing: the item that is followed has come last into a full
            # queue, and goes out of it after others, and after one that came at the same time
            Cover(marked & (before == self.DEPTH - 1)),
            Cover(marked & (before == 0) & left & (inside == self.DEPTH) & (item == 3)),
            Cover(marked & (before == 1) & left & written),
        ]
        m.d.sync += inside.eq(inside + written - left)
        with m.If(self.mark):
            m.d.sync += [marked.eq(1), item.eq(self.item), before.eq(inside - left)]
        with m.Elif(marked & left):
            m.d.sync += [before.eq(before - 1), marked.eq(before != 0)]
        return m


def test_queue_gives_back_what_it_was_given() -> None:
    prove(QueueMonitor(), "lut_queue", depth=10, mode="bmc")


def test_the_proof_of_the_queue_is_not_of_nothing() -> None:
    prove(QueueMonitor(), "lut_queue_cover", depth=10, mode="cover")


# -- the proofs notice what they are for ------------------------------------------------------


def changed(monkeypatch: pytest.MonkeyPatch, component: type, **members: Any) -> None:
    """While ``component`` is elaborated, it sees ``members`` in place of its own."""
    original = component.elaborate

    def elaborate(self: Any, platform: object) -> Module:
        for name, value in members.items():
            setattr(self, name, value)
        return original(self, platform)

    monkeypatch.setattr(component, "elaborate", elaborate)


class WrongLength(BurstShape):
    def length(self, more: Value) -> Value:
        return super().length(more) ^ 1


def refused(monitor: type, claim: str) -> None:
    refute(monitor(BurstShape(64), 2), "axi3_broken", claim, depth=30)


@pytest.mark.parametrize("monitor", [ReadPortMonitor, WriteChannelsMonitor])
def test_a_burst_while_held_is_noticed(monitor: type, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(monkeypatch, AddressChannel, hold=Const(0))
    refused(monitor, "no burst begins while held")


@pytest.mark.parametrize("monitor", [ReadPortMonitor, WriteChannelsMonitor])
def test_a_burst_too_many_is_noticed(monitor: type, monkeypatch: pytest.MonkeyPatch) -> None:
    init = Occupancy.__init__
    monkeypatch.setattr(
        Occupancy, "__init__", lambda self, limit, margin=1: init(self, limit + 1, margin)
    )
    refused(monitor, "no more bursts under way than allowed")


@pytest.mark.parametrize("monitor", [ReadPortMonitor, WriteChannelsMonitor])
def test_an_offer_that_changes_is_noticed(monitor: type, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(monkeypatch, AddressChannel, ready=Const(1))
    channel = "ar" if monitor is ReadPortMonitor else "aw"
    refused(monitor, f"an offer of {channel} stays as it is")


def test_a_wrong_last_beat_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    changed(monkeypatch, DataChannel, shape=WrongLength(64))
    refused(WriteChannelsMonitor, "as many beats as the burst says")


def test_data_that_was_forgotten_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    changed(monkeypatch, DataChannel, void=Const(0))
    refused(WriteChannelsMonitor, "no byte of forgotten data is enabled")


@pytest.mark.parametrize(
    ("limit", "claim"),
    [(4, "it takes what has room"), (5, "what comes out is what went in")],
    ids=["one too many", "over what is there"],
)
def test_a_queue_that_takes_too_much_is_noticed(
    limit: int, claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    init = Occupancy.__init__
    monkeypatch.setattr(Occupancy, "__init__", lambda self, depth: init(self, limit))
    refute(QueueMonitor(), "lut_queue_broken", claim, depth=10)
