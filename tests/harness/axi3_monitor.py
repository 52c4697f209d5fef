"""Watches an AXI3 port inside the simulator and fails the test on any breach of the protocol."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge

__all__ = ["Axi3Monitor", "Burst", "Channel", "ProtocolError"]

PAGE_BYTES = 4096
INCR = 1
ADDRESS_SIGNALS = ("addr", "len", "size", "burst", "id", "lock", "cache", "prot", "qos")


class ProtocolError(AssertionError):
    """The protocol was broken, by the master or by the memory."""


@dataclass
class Burst:
    """A burst, from the cycle on in which its address was first on offer."""

    address: int
    beats: int
    id: int
    accepted: bool = False
    data_beats: int = 0
    strobes: list[int] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.data_beats == self.beats


class Axi3Monitor:
    """Checks every cycle of the port ``prefix`` (``hp0__`` for the signals ``hp0__araddr`` ...).

    A port may have the read channels, the write channels, or both; anything else is an error.

    What is checked. Addresses: 64-bit INCR bursts, aligned to a beat, at most 16 beats, no 4 KB
    boundary crossed, within ``window`` (first and last byte) if given. Every channel: what is
    offered stays, unchanged, until it is taken. Data of writes: not before its address is on
    offer, in the order of the addresses, WID theirs, WLAST on the last beat and on no other.
    Answers: only to bursts whose address (and data) was taken, RLAST on the last beat, the ID
    theirs; with one ID in use they come in order. At most ``outstanding`` bursts each way between
    offer and last answer. `finish` also checks that nothing is left.

    reads, writes : all bursts seen so far, oldest first
    """

    def __init__(
        self,
        dut: SimHandleBase,
        prefix: str,
        *,
        outstanding: int | None = None,
        window: tuple[int, int] | None = None,
    ) -> None:
        self.prefix, self.outstanding, self.window = prefix, outstanding, window
        self.reads: list[Burst] = []
        self.writes: list[Burst] = []
        self.cycle = 0
        self._dut = dut
        self._open_reads: deque[Burst] = deque()
        self._open_writes: deque[Burst] = deque()
        self._checks = []
        for present, check in (
            (self._has("arvalid"), self._read_channels),
            (self._has("awvalid"), self._write_channels),
        ):
            if present:
                self._checks.append(check())
        if not self._checks:
            raise ValueError(f"no AXI3 port {prefix!r} in {dut._name}")

    def start(self) -> "Axi3Monitor":
        """Watch from the next cycle on: in this one, memory's end may not be driven yet."""
        cocotb.start_soon(self._run())
        return self

    @property
    def under_way(self) -> int:
        """Bursts on offer or not answered."""
        return len(self._open_reads) + len(self._open_writes)

    def finish(self) -> None:
        """Fail unless every burst was answered."""
        if self.under_way:
            self._fail(f"{self.under_way} bursts left without answer")

    async def _run(self) -> None:
        clock = RisingEdge(self._dut.clk)
        await clock
        while True:
            await clock
            self.step()

    def step(self) -> None:
        """Check the cycle that has just ended; `start` does so in every cycle."""
        self.cycle += 1
        for check in self._checks:
            next(check)

    # -- the two directions: generators, advanced once a cycle ------------------------------

    def _read_channels(self) -> Iterable[None]:
        address = self._address_channel("ar", self.reads, self._open_reads)
        answer = self._channel("r", ("data", "resp", "id", "last"))
        while True:
            taken = self._accepted(self._open_reads)
            next(address)
            beat = answer.sample()
            if beat is not None:
                burst = self._answered(taken, beat["id"], "R")
                if beat["last"] != (burst.data_beats == burst.beats - 1):
                    self._fail(f"RLAST is {beat['last']} on beat {burst.data_beats} of {burst}")
                if answer.transfers:
                    burst.data_beats += 1
                    if burst.complete:
                        self._open_reads.remove(burst)
            yield

    def _write_channels(self) -> Iterable[None]:
        address = self._address_channel("aw", self.writes, self._open_writes)
        data = self._channel("w", ("data", "strb", "id", "last"))
        answer = self._channel("b", ("resp", "id"))
        while True:
            done = [b for b in self._accepted(self._open_writes) if b.complete]
            next(address)  # first: the data may come with the address
            beat = data.sample()
            if beat is not None:
                self._check_data(beat, data.transfers)
            reply = answer.sample()
            if reply is not None:
                burst = self._answered(done, reply["id"], "B")
                if answer.transfers:
                    self._open_writes.remove(burst)
            yield

    def _check_data(self, beat: dict[str, int], transfers: bool) -> None:
        burst = next((each for each in self._open_writes if not each.complete), None)
        if burst is None:
            self._fail("data on offer before its address")
        if beat["id"] != burst.id:
            self._fail(f"WID {beat['id']}, but the next data is that of {burst}")
        if beat["last"] != (burst.data_beats == burst.beats - 1):
            self._fail(f"WLAST is {beat['last']} on beat {burst.data_beats} of {burst}")
        if transfers:
            burst.data_beats += 1
            burst.strobes.append(beat["strb"])

    def _address_channel(
        self, name: str, seen: list[Burst], open_bursts: deque[Burst]
    ) -> Iterable[None]:
        channel = self._channel(name, ADDRESS_SIGNALS)
        while True:
            fresh = not channel.waiting
            offered = channel.sample()
            if offered is not None:
                if fresh:
                    burst = self._check_address(name.upper(), offered)
                    seen.append(burst)
                    open_bursts.append(burst)
                    if self.outstanding is not None and len(open_bursts) > self.outstanding:
                        self._fail(f"{name.upper()}: {len(open_bursts)} bursts under way")
                seen[-1].accepted = channel.transfers
            yield

    def _check_address(self, name: str, offered: dict[str, int]) -> Burst:
        first, beats = offered["addr"], offered["len"] + 1
        size = 1 << offered["size"]
        last = first + beats * size - 1
        wrong = None
        if beats > 16:
            wrong = "more than 16 beats"
        elif size != 8:
            wrong = f"beats of {size} bytes"
        elif offered["burst"] != INCR:
            wrong = f"burst type {offered['burst']}"
        elif offered["lock"]:
            wrong = "a locked access"
        elif first % size:
            wrong = "not aligned"
        elif first // PAGE_BYTES != last // PAGE_BYTES:
            wrong = "crosses 4 KB"
        elif self.window is not None and not self.window[0] <= first <= last <= self.window[1]:
            wrong = f"outside the window {self.window[0]:#x}..{self.window[1]:#x}"
        if wrong:
            self._fail(f"{name} {first:#x}, {beats} beats: {wrong}")
        return Burst(first, beats, offered["id"])

    # -- helpers ----------------------------------------------------------------------------

    def _channel(self, name: str, signals: tuple[str, ...]) -> "Channel":
        return Channel(self._dut, self.prefix, name, signals, self._fail)

    @staticmethod
    def _accepted(bursts: Iterable[Burst]) -> list[Burst]:
        """Those whose address memory had taken before this cycle."""
        return [burst for burst in bursts if burst.accepted]

    def _answered(self, candidates: list[Burst], answer_id: int, channel: str) -> Burst:
        """The oldest of ``candidates`` with this ID: answers with one ID come in order."""
        for burst in candidates:
            if burst.id == answer_id:
                return burst
        self._fail(f"{channel}: an answer with ID {answer_id} to nothing that was asked")

    def _has(self, signal: str) -> bool:
        return hasattr(self._dut, self.prefix + signal)

    def _fail(self, text: str) -> None:
        raise ProtocolError(f"{self.prefix}, cycle {self.cycle}: {text}")


class Channel:
    """One channel of the port ``prefix``: what is on offer, and that it stays on offer until it is
    taken; if not, ``fail`` is called with what is wrong.

    waiting : an offer of an earlier cycle has not been taken
    transfers : what is on offer in this cycle is taken
    """

    def __init__(
        self,
        dut: SimHandleBase,
        prefix: str,
        name: str,
        signals: tuple[str, ...],
        fail: Callable[[str], Any],
    ) -> None:
        self._name, self._fail = name.upper(), fail

        def handle(signal: str) -> SimHandleBase:
            return getattr(dut, prefix + name + signal)

        self._valid, self._ready = handle("valid"), handle("ready")
        self._signals = {signal: handle(signal) for signal in signals}
        self._held: dict[str, int] | None = None
        self.transfers = False

    @property
    def waiting(self) -> bool:
        return self._held is not None

    def sample(self) -> dict[str, int] | None:
        """What is on offer in this cycle; ``transfers`` says whether it is taken."""
        if not int(self._valid.value):
            if self._held is not None:
                self._fail(f"{self._name}VALID dropped before the transfer")
            self.transfers = False
            return None
        offered = {name: int(signal.value) for name, signal in self._signals.items()}
        if self._held is not None and offered != self._held:
            changed = [name for name in offered if offered[name] != self._held[name]]
            self._fail(f"{self._name} changed before the transfer: {changed}")
        self.transfers = bool(int(self._ready.value))
        self._held = None if self.transfers else offered
        return offered
