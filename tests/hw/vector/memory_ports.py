"""The ports of a command that works on memory, driven from outside: memory and memories on chip."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fractrain.hw.contract.commands import Fault

if TYPE_CHECKING:
    from tests.hw.vector.memory_bench import Design, Ports

SEED, STEP = 0x1234_5678_9ABC_DEF, 0x2_3456_789A


class Source:
    """Offers items to an input stream; what is on offer stays."""

    def __init__(self, design: Design, name: str, stalls: Iterator[bool]) -> None:
        self.design, self.name, self.stalls = design, name, stalls
        self.items: deque[Any] = deque()
        self.offered = False

    def before(self) -> None:
        if not self.offered and self.items and not next(self.stalls):
            self.offered = True
            self.design.set(f"{self.name}__payload", self.items[0])
        self.design.set(f"{self.name}__valid", self.offered)

    def after(self) -> None:
        if self.offered and self.design.get(f"{self.name}__ready"):
            self.items.popleft()
            self.offered = False


class Sink:
    """Takes from an output stream, and checks that what is on offer stays."""

    def __init__(self, design: Design, name: str, stalls: Iterator[bool]) -> None:
        self.design, self.name, self.stalls = design, name, stalls
        self.offered: Any = None
        self.taken: Any = None
        """In this cycle."""
        self.takes = False

    def before(self) -> None:
        self.takes = not next(self.stalls)
        self.design.set(f"{self.name}__ready", self.takes)

    def after(self) -> None:
        payload = None
        if self.design.get(f"{self.name}__valid"):
            payload = self.design.get(f"{self.name}__payload")
        assert self.offered is None or self.offered == payload, f"{self.name} changed its offer"
        self.taken = payload if self.takes else None
        self.offered = None if self.takes else payload


class Writer:
    """Takes blocks into memory, and acknowledges them in order."""

    def __init__(self, ports: Ports) -> None:
        self.ports, self.around = ports, ports.around
        self.sink = Sink(ports.design, "blocks", ports.pattern(self.around.stalls.blocks))
        self.unacknowledged: deque[tuple[int, int]] = deque()
        """Cycles in which a block was taken, and from which it is acknowledged."""
        self.dead = False
        self.addresses: set[int] = set()
        """Of this command."""

    def begin(self) -> None:
        self.addresses = set()

    def before(self) -> None:
        now = self.ports.now
        while self.unacknowledged and self.unacknowledged[0][1] <= now:
            self.unacknowledged.popleft()
        # low from the second cycle on
        busy = any(taken < now - 1 for taken, _ in self.unacknowledged)
        self.ports.design.set("writer_idle", not busy and not self.dead)
        self.sink.before()

    def after(self) -> None:
        self.sink.after()
        if self.sink.taken is not None and not self.dead:
            self._write(int(self.sink.taken["address"]), int(self.sink.taken["data"]))

    def _write(self, address: int, value: int) -> None:
        around, now = self.around, self.ports.now
        size, offset = around.parameters.block_bytes, address - around.base
        until = now + self.ports.random.randint(*around.stalls.acknowledge)
        before = (each for _, each in self.unacknowledged)
        self.unacknowledged.append((now, max((until, *before))))
        cause = Fault.NONE
        if address % size:
            cause = Fault.ALIGNMENT
        elif not 0 <= offset <= around.size - size:
            cause = Fault.WINDOW
        elif len(around.written) == around.bad_block:
            cause = Fault.WRITE_ERROR
        if cause is not Fault.NONE:
            around.faults.append((cause, self.ports.index))
            self.dead = True
            return
        assert address not in self.addresses, "a block twice"
        self.addresses.add(address)
        around.written.append(address)
        octets = np.frombuffer(value.to_bytes(size, "little"), np.uint8)
        around.data[offset : offset + size] = octets


class Reader:
    """Words in the order of the requests; none may have to wait."""

    def __init__(self, ports: Ports) -> None:
        self.ports, self.around = ports, ports.around
        stalls = self.around.stalls
        self.sink = Sink(ports.design, "requests", ports.pattern(stalls.requests))
        self.stalls = ports.pattern(stalls.words)
        self.due: deque[tuple[int, int]] = deque()
        self.dead = self.offers = False

    def before(self) -> None:
        self.sink.before()
        around = self.around
        self.offers = False
        there = bool(self.due) and self.due[0][0] <= self.ports.now and not self.dead
        if there and not next(self.stalls):
            _, address = self.due.popleft()
            if around.words_read == around.bad_word:
                around.faults.append((Fault.READ_ERROR, self.ports.index))
                self.dead = True
            else:
                around.words_read += 1
                word = around.data[address - around.base :][: around.parameters.word_bytes]
                value = int.from_bytes(word.tobytes(), "little")
                self.ports.design.set("words__payload", value)
                self.offers = True
        self.ports.design.set("words__valid", self.offers)

    def after(self) -> None:
        assert not self.offers or self.ports.design.get("words__ready"), "a word has to wait"
        self.sink.after()
        if self.sink.taken is None or self.dead:
            return
        around, size = self.around, self.around.parameters.word_bytes
        address, words, index = (
            int(self.sink.taken[each]) for each in ("address", "words", "index")
        )
        offset = address - around.base
        if address % size or not 0 <= offset <= around.size - size * words:
            cause = Fault.ALIGNMENT if address % size else Fault.WINDOW
            around.faults.append((cause, index))
            self.dead = True
            return
        start = self.ports.now + self.ports.random.randint(*around.stalls.latency)
        self.due.extend((start, address + size * number) for number in range(words))


class Granting:
    """A port of reads: grants by a pattern, answers some cycles later, in order."""

    reads = ""
    latency = 4

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.sink = Sink(ports.design, self.reads, ports.pattern(ports.around.stalls.reads))
        self.due: deque[tuple[int, Any]] = deque()

    def before(self) -> None:
        self.sink.before()
        there = bool(self.due) and self.due[0][0] <= self.ports.now
        self.answer(self.due.popleft()[1] if there else None)

    def after(self) -> None:
        self.sink.after()
        if self.sink.taken is not None:
            self.due.append((self.ports.now + self.delay(), self.sink.taken))

    def delay(self) -> int:
        return self.latency

    def answer(self, place: Any) -> None:
        raise NotImplementedError


class Staging(Granting):
    reads = "reads"

    def answer(self, place: Any) -> None:
        if place is not None:
            lines = self.ports.around.chip.unit.staging[2 * place : 2 * place + 2]
            octets = [each.astype("<i2").tobytes() for each in lines]
            self.ports.design.set("pair", [int.from_bytes(each, "little") for each in octets])
        self.ports.design.set("answer", place is not None)


class PeakReads(Granting):
    """Peaks that are read, and cleared."""

    reads = "peak_reads"
    latency = 2

    def answer(self, place: Any) -> None:
        peaks = self.ports.around.chip.unit.peaks
        if place is not None:
            assert place["clear"]
            self.ports.design.set("peak", int(peaks[place["address"]]))
            peaks[place["address"]] = 0
        self.ports.design.set("peak_answer", place is not None)


class Records(Granting):
    reads = "record_reads"

    def answer(self, place: Any) -> None:
        if place is not None:
            record = self.ports.around.chip.unit.records[place]
            self.ports.design.set("record", int.from_bytes(record.tobytes(), "little"))
        self.ports.design.set("record_answer", place is not None)


class Gradients(Granting):
    """Beats of the gradient memory: some of them late, as the result stage has its turn first."""

    reads = "beat_reads"

    def delay(self) -> int:
        latest = max((cycle for cycle, _ in self.due), default=0)
        late = self.ports.random.choice((0, 0, 0, 9))
        return max(self.latency + late, latest + 1 - self.ports.now)

    def answer(self, place: Any) -> None:
        if place is not None:
            sums = self.ports.around.chip.gradients[place].tolist()
            self.ports.design.set("beat", [each for each in sums])
        self.ports.design.set("beat_answer", place is not None)


class Peaks:
    """Values that peaks are raised to, or grow by."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.sink = Sink(ports.design, "peaks", ports.pattern(ports.around.stalls.reads))

    def before(self) -> None:
        self.sink.before()

    def after(self) -> None:
        self.sink.after()
        given = self.sink.taken
        if given is not None:
            peaks, place, value = (
                self.ports.around.chip.unit.peaks,
                given["address"],
                given["value"],
            )
            old = int(peaks[place])
            peaks[place] = old + value & (1 << 64) - 1 if given["adds"] else max(old, value)


class Rounding:
    """Seed and step."""

    def __init__(self, ports: Ports) -> None:
        ports.design.set("seed", SEED)
        ports.design.set("step", STEP)

    def before(self) -> None:
        pass

    def after(self) -> None:
        pass


PARTS = {
    "reads": Staging,
    "requests": Reader,
    "record_reads": Records,
    "peak_reads": PeakReads,
    "beat_reads": Gradients,
    "peaks": Peaks,
    "seed": Rounding,
}
