"""The processing system's end of GP0: what software and the interconnect before it may send."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import cocotb
from cocotb.handle import SimHandleBase
from cocotb.triggers import Event, RisingEdge

from tests.harness.stalls import stall_pattern

__all__ = ["FIXED", "INCR", "WRAP", "GpAccess", "GpMaster"]

FIXED, INCR, WRAP = 0, 1, 2
WORD_BYTES = 4


@dataclass
class GpAccess:
    """A burst, and what came of it.

    data, strobes : of the beats of a write; empty for a read
    lead : cycles by which the data of a write may come before its address
    responses : of every beat of a read, the one of a write
    """

    address: int
    beats: int
    id: int = 0
    size: int = 2
    burst: int = INCR
    lock: int = 0
    data: list[int] = field(default_factory=list)
    strobes: list[int] = field(default_factory=list)
    lead: int = 0
    words: list[int] = field(default_factory=list)
    responses: list[int] = field(default_factory=list)
    done: Event = field(default_factory=Event)

    async def answer(self) -> GpAccess:
        await self.done.wait()
        return self


class GpMaster:
    """Drives the port ``prefix``; `start` it after the reset. All accesses that are sent are under
    way at once, as far as the other side takes them.

    stalls : pattern (of `STALLS`) of each valid, and of the readiness for each answer
    """

    def __init__(
        self, dut: SimHandleBase, prefix: str, random: Random, *, stalls: str = "never"
    ) -> None:
        self._dut, self._prefix, self._stalls = dut, prefix, stalls
        self._random = Random(random.getrandbits(64))
        self._cycle = 0
        self._addresses: dict[str, deque[GpAccess]] = {"ar": deque(), "aw": deque()}
        self._beats: deque[tuple[dict[str, int], GpAccess]] = deque()
        self._awaited: dict[str, list[GpAccess]] = {"r": [], "b": []}
        self._held_until: dict[int, int] = {}
        self._channels = [
            self._send("ar", self._next_address("ar")),
            self._send("aw", self._next_address("aw")),
            self._send("w", self._next_beat()),
            self._take("r", self._read_beat, ("data", "resp", "id", "last")),
            self._take("b", self._written, ("resp", "id")),
        ]

    def start(self) -> GpMaster:
        cocotb.start_soon(self._run())
        return self

    # -- accesses ---------------------------------------------------------------------------

    def send(self, access: GpAccess) -> GpAccess:
        """Queue an access; its data are queued at once, its address ``lead`` cycles later."""
        channel, answer = ("aw", "b") if access.data else ("ar", "r")
        self._addresses[channel].append(access)
        self._held_until[id(access)] = self._cycle + access.lead
        self._awaited[answer].append(access)
        for number, word in enumerate(access.data):
            beat = {
                "data": word,
                "strb": access.strobes[number] if access.strobes else 0xF,
                "id": access.id,
                "last": int(number == len(access.data) - 1),
            }
            self._beats.append((beat, access))
        return access

    async def write(self, address: int, *words: int, **how: int) -> int:
        """Write whole words; returns the response."""
        access = GpAccess(address, len(words), data=list(words), **how)
        return (await self.send(access).answer()).responses[0]

    async def read(self, address: int, beats: int = 1, **how: int) -> GpAccess:
        return await self.send(GpAccess(address, beats, **how)).answer()

    @property
    def under_way(self) -> int:
        return sum(map(len, self._awaited.values()))

    # -- channels: generators, advanced once a cycle ----------------------------------------

    async def _run(self) -> None:
        clock = RisingEdge(self._dut.clk)
        while True:
            await clock
            self._cycle += 1
            for channel in self._channels:
                next(channel)

    def _send(self, channel: str, items: Iterator[dict[str, int] | None]) -> Iterator[None]:
        """Offer ``items`` one after the other; an offer stands until it is taken."""
        valid, ready = self._handle(channel, "valid"), self._handle(channel, "ready")
        stalls, offering = self._pattern(), False
        valid.value = 0
        while True:
            if offering and int(ready.value):
                offering = False
                valid.value = 0
            if not offering and not next(stalls) and (item := next(items)) is not None:
                for name, value in item.items():
                    self._handle(channel, name).value = value
                valid.value = 1
                offering = True
            yield

    def _next_address(self, channel: str) -> Iterator[dict[str, int] | None]:
        queue = self._addresses[channel]
        while True:
            if not queue or self._cycle < self._held_until[id(queue[0])]:
                yield None
                continue
            access = queue.popleft()
            yield {
                "addr": access.address,
                "len": access.beats - 1,
                "size": access.size,
                "burst": access.burst,
                "id": access.id,
                "lock": access.lock,
                # of no meaning to the slave: anything
                "cache": self._random.getrandbits(4),
                "prot": self._random.getrandbits(3),
                "qos": self._random.getrandbits(4),
            }

    def _next_beat(self) -> Iterator[dict[str, int] | None]:
        while True:
            yield self._beats.popleft()[0] if self._beats else None

    def _take(self, channel: str, handle_item: object, names: Sequence[str]) -> Iterator[None]:
        valid, ready = self._handle(channel, "valid"), self._handle(channel, "ready")
        stalls, accepting = self._pattern(), False
        ready.value = 0
        while True:
            if accepting and int(valid.value):
                item = {name: int(self._handle(channel, name).value) for name in names}
                handle_item(item)  # type: ignore[operator]
            accepting = not next(stalls)
            ready.value = int(accepting)
            yield

    def _read_beat(self, beat: dict[str, int]) -> None:
        access = self._oldest("r", beat["id"])
        access.words.append(beat["data"])
        access.responses.append(beat["resp"])
        if beat["last"]:
            assert len(access.words) == access.beats, f"{len(access.words)} beats: {access}"
            self._finish("r", access)

    def _written(self, answer: dict[str, int]) -> None:
        access = self._oldest("b", answer["id"])
        access.responses.append(answer["resp"])
        self._finish("b", access)

    def _oldest(self, channel: str, answer_id: int) -> GpAccess:
        """Answers of one ID come in the order of the accesses."""
        for access in self._awaited[channel]:
            if access.id == answer_id:
                return access
        raise AssertionError(f"{channel}: an answer with ID {answer_id:#x} that nobody awaits")

    def _finish(self, channel: str, access: GpAccess) -> None:
        self._awaited[channel].remove(access)
        access.done.set()

    def _handle(self, channel: str, name: str) -> SimHandleBase:
        return getattr(self._dut, self._prefix + channel + name)

    def _pattern(self) -> Iterator[bool]:
        return stall_pattern(self._stalls, Random(self._random.getrandbits(64)))
