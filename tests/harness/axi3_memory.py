"""A memory behind an AXI3 port of the design, with every freedom that the protocol gives it.

The slaves of cocotbext-axi (`tests.hw.axi.bench_cocotbext_axi` has them) answer one burst after the
other, know no DECERR and cannot fall silent; here bursts are answered after a latency of their own
while the next ones are accepted, so that as many are under way as the master allows, and tests can
inject what memories do wrong.
"""

from collections import deque
from collections.abc import Callable, Iterator
from random import Random

import cocotb
from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge

from tests.harness.stalls import stall_pattern

__all__ = ["DECERR", "OKAY", "SLVERR", "Axi3Memory", "Storage"]

OKAY, SLVERR, DECERR = 0, 2, 3
BEAT_BYTES = 8


class Storage:
    """4 GB: what was never written reads as a number made from its address.

    Several ports may share one; ``written`` has the 64-bit words that were written, by address.
    """

    def __init__(self) -> None:
        self.written: dict[int, int] = {}

    @staticmethod
    def initial(address: int) -> int:
        """Content of the aligned 64-bit word at ``address`` before any write."""
        return (address // BEAT_BYTES + 1) * 0x9E37_79B9_7F4A_7C15 % 2**64

    def load(self, address: int) -> int:
        return self.written.get(address, self.initial(address))

    def store(self, address: int, value: int, strobes: int) -> None:
        if not strobes:
            return
        mask = sum(0xFF << 8 * lane for lane in range(BEAT_BYTES) if strobes >> lane & 1)
        self.written[address] = (self.load(address) & ~mask) | (value & mask)

    def read(self, address: int, count: int) -> int:
        """``count`` bytes, whole beats, as one little-endian number."""
        words = [self.load(address + offset) for offset in range(0, count, BEAT_BYTES)]
        return sum(word << 64 * place for place, word in enumerate(words))


class Axi3Memory:
    """Serves the port ``prefix``; `start` it after the reset.

    stalls : pattern (of `STALLS`) of each ready and of each answer's valid
    latency : cycles from accepting a burst to its first answer, drawn from this range
    accepts : bursts of each direction that it takes before it has answered the first of them
    full_cycles : in so many it took no other, because it had those
    respond : the response (`OKAY`, `SLVERR`, `DECERR`) to an access of the burst at an address
    stuck : while True, nothing is accepted and nothing is answered
    withhold : while True, bursts are accepted, but not answered
    """

    def __init__(
        self,
        dut: SimHandleBase,
        prefix: str,
        storage: Storage,
        random: Random,
        *,
        stalls: str = "never",
        latency: tuple[int, int] = (2, 2),
        accepts: int | None = None,
        respond: Callable[[int], int] = lambda address: OKAY,
    ) -> None:
        self.storage, self.respond, self.latency = storage, respond, latency
        self.accepts = accepts
        self.full_cycles = 0
        self.stuck = self.withhold = False
        self._random, self._stalls = Random(random.getrandbits(64)), stalls
        self._dut, self._prefix = dut, prefix
        self._cycle = 0
        self._sides = [
            side()
            for signal, side in (("arvalid", self._read_side), ("awvalid", self._write_side))
            if hasattr(dut, prefix + signal)
        ]

    def start(self) -> "Axi3Memory":
        cocotb.start_soon(self._run())
        return self

    async def _run(self) -> None:
        clock = RisingEdge(self._dut.clk)
        while True:
            await clock
            self._cycle += 1
            for side in self._sides:
                next(side)

    def _read_side(self) -> Iterator[None]:
        accept, answer = self._taker("ar"), _Giver(self, "r")
        waiting: deque[tuple[int, int, int, int]] = deque()  # due, address, beats left, ID
        while True:
            if accept.sample():
                waiting.append(
                    (
                        self._due(),
                        accept.value("addr"),
                        accept.value("len") + 1,
                        accept.value("id"),
                    )
                )
            if answer.free() and waiting and waiting[0][0] <= self._cycle and not self._mute:
                due, address, left, id_ = waiting.popleft()
                if left > 1:
                    waiting.appendleft((due, address + BEAT_BYTES, left - 1, id_))
                answer.offer(
                    data=self.storage.load(address),
                    resp=self.respond(address),
                    id=id_,
                    last=int(left == 1),
                )
            answer.drive()
            accept.drive(self._has_room(len(waiting)))
            yield

    def _write_side(self) -> Iterator[None]:
        accept, data, answer = self._taker("aw"), self._taker("w"), _Giver(self, "b")
        addresses: deque[tuple[int, int]] = deque()
        beats: deque[tuple[int, int, int]] = deque()
        done: deque[tuple[int, int, int]] = deque()  # due, response, ID
        address, response = 0, OKAY
        while True:
            if accept.sample():
                addresses.append((accept.value("addr"), accept.value("id")))
                if len(addresses) == 1:
                    address, response = addresses[0][0], OKAY
            if data.sample():
                beats.append((data.value("data"), data.value("strb"), data.value("last")))
            while beats and addresses:
                value, strobes, last = beats.popleft()
                self.storage.store(address, value, strobes)
                response = max(response, self.respond(address))
                address += BEAT_BYTES
                if last:
                    done.append((self._due(), response, addresses.popleft()[1]))
                    if addresses:
                        address, response = addresses[0][0], OKAY
            if answer.free() and done and done[0][0] <= self._cycle and not self._mute:
                _, resp, id_ = done.popleft()
                answer.offer(resp=resp, id=id_)
            answer.drive()
            accept.drive(self._has_room(len(addresses) + len(done)))
            data.drive()
            yield

    def _has_room(self, bursts: int) -> bool:
        """One more burst may be accepted, beside those that are here."""
        room = self.accepts is None or bursts < self.accepts
        self.full_cycles += not room
        return room

    @property
    def _mute(self) -> bool:
        return self.stuck or self.withhold

    def _due(self) -> int:
        return self._cycle + self._random.randint(*self.latency)

    def _taker(self, channel: str) -> "_Taker":
        return _Taker(self, channel)

    def _handle(self, name: str) -> SimHandleBase:
        return getattr(self._dut, self._prefix + name)

    def _pattern(self) -> Iterator[bool]:
        return stall_pattern(self._stalls, Random(self._random.getrandbits(64)))


class _Taker:
    """The memory's end of a channel that the master drives."""

    def __init__(self, memory: Axi3Memory, channel: str) -> None:
        self._memory, self._channel = memory, channel
        self._valid, self._ready = (
            memory._handle(f"{channel}valid"),
            memory._handle(f"{channel}ready"),
        )
        self._stalls = memory._pattern()
        self._accepting = False
        self._ready.value = 0

    def sample(self) -> bool:
        """Something was transferred in the cycle that ends here."""
        return self._accepting and bool(int(self._valid.value))

    def value(self, signal: str) -> int:
        return int(self._memory._handle(self._channel + signal).value)

    def drive(self, room: bool = True) -> None:
        accepting = not next(self._stalls) and not self._memory.stuck and room
        if accepting != self._accepting:
            self._accepting = accepting
            self._ready.value = int(accepting)


class _Giver:
    """The memory's end of a channel that the memory drives; offers stand until they are taken."""

    def __init__(self, memory: Axi3Memory, channel: str) -> None:
        self._memory, self._channel = memory, channel
        self._valid, self._ready = (
            memory._handle(f"{channel}valid"),
            memory._handle(f"{channel}ready"),
        )
        self._stalls = memory._pattern()
        self._offering = self._next = False
        self._valid.value = 0

    def free(self) -> bool:
        """Nothing is on offer after this edge, and the pattern allows an offer."""
        self._next = self._offering and not int(self._ready.value)
        return not self._next and not next(self._stalls)

    def offer(self, **signals: int) -> None:
        self._next = True
        for name, value in signals.items():
            self._memory._handle(self._channel + name).value = value

    def drive(self) -> None:
        if self._next != self._offering:
            self._offering = self._next
            self._valid.value = int(self._next)
