"""Queues between the vector stage's commands on memory and the ports."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial

from fractrain.hw.contract.commands import Command, awaits_memory
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.memories import Memories
from fractrain.sim.cycles.memory import granules
from fractrain.sim.cycles.reader import Request
from fractrain.sim.cycles.totals import Totals

READER, WRITER = 2, 1
"""The vector stage among the clients of the reader, and of the writer."""
QUEUED_WORDS = 32
"""Of memory, that have come or are asked for."""
QUEUED_BLOCKS = 512
"""On their way to the writer."""
WORD_CYCLES = 2
"""From a word's coming to who takes it."""
ASK_CYCLES = 5
"""From a word's being taken to the request for another one in its place."""
BLOCK_CYCLES = 4
"""From who makes a block to its offer to the writer."""
SETTLE_CYCLES = 3
"""From the last acknowledgement to who waits for it."""


class Arrival:
    """Bytes that are ``left`` of a read; ``came`` is notified when there are none."""

    def __init__(self, kernel: Kernel, size: int) -> None:
        self._kernel, self.left, self.came = kernel, size, Change(kernel)

    def deliver(self, taken: int, time: float) -> None:
        self._kernel.call(partial(self._take, taken), time)

    def _take(self, taken: int) -> None:
        self.left -= taken
        if not self.left:
            self.came.notify()

    def wait(self) -> Process:
        while self.left:
            yield self.came
        yield self._kernel.now + WORD_CYCLES


class ReadAhead:
    """Runs of words that are asked for before they are needed, as many as there is room for."""

    def __init__(self, kernel: Kernel, memories: Memories, parameters: Parameters) -> None:
        self._kernel, self._memories = kernel, memories
        self._bytes = QUEUED_WORDS * parameters.word_bytes

    def runs(self, places: list[int], size: int) -> Iterator[Arrival]:
        """Of ``size`` bytes from each of ``places``. Who asks for the next one has taken all words
        of the one before."""
        ahead = max(1, self._bytes // size)
        under_way = deque(self._ask(place, size, 0) for place in places[:ahead])
        for number in range(len(places)):
            if number and number + ahead <= len(places):
                under_way.append(self._ask(places[number + ahead - 1], size, ASK_CYCLES))
            yield under_way.popleft()

    def _ask(self, address: int, size: int, late: int) -> Arrival:
        arrival = Arrival(self._kernel, size)
        pieces = granules(address, size)
        request = Request(READER, pieces, 1, arrival.deliver, self._kernel.now + late)
        self._memories.reader(address).request(request)
        return arrival


class WriteBehind:
    """Blocks of the vector stage on their way to the writer, in order."""

    def __init__(self, kernel: Kernel, memories: Memories, totals: Totals, block: int) -> None:
        self._kernel, self._memories, self._totals = kernel, memories, totals
        self._block_bytes, self._piece_bytes = block, memories.piece_bytes
        self._items: deque[tuple[Command, int, int, float]] = deque()
        self.room_bytes = QUEUED_BLOCKS * block
        """In the queue."""
        self.held = 0
        """Bytes that the writer has not taken."""
        self._owes = False
        """Whether memory may have to acknowledge anything."""
        self._came, self.taken = Change(kernel), Change(kernel)

    def start(self) -> None:
        self._kernel.start(self._run())

    def put(self, command: Command, address: int, size: int, time: float) -> None:
        """``size`` bytes that are there from ``time`` on, a block a cycle."""
        self.held += size
        self._owes = True
        self._items.append((command, address, size, time))
        self._came.notify()

    def room(self) -> Process:
        """Until the queue takes another block."""
        while self.held >= self.room_bytes:
            yield self.taken

    def written(self, command: Command, late: int = SETTLE_CYCLES) -> Process:
        """Until ``command`` may end, all of whose blocks have been put: the queue has taken them,
        or memory has acknowledged them and those before, ``late`` cycles ago."""
        while self.held > self.room_bytes:
            yield self.taken
        if awaits_memory(command):
            yield from self._settle(late)

    def _settle(self, late: int) -> Process:
        if not self._owes:
            return
        while self.held:
            yield self.taken
        yield from self._memories.wait_idle(WRITER)
        self._owes = False
        yield self._kernel.now + late

    def _run(self) -> Process:
        while True:
            while not self._items:
                yield self._came
            command, address, size, time = self._items.popleft()
            yield max(self._kernel.now, time + BLOCK_CYCLES)
            for place in range(address, address + size, self._piece_bytes):
                piece = min(self._piece_bytes, address + size - place)
                writer = self._memories.writer(place)
                yield from writer.write(place, WRITER, piece)
                self._totals.add(command.tag, "STASH_WRITTEN", piece)
                self.held -= piece
                self.taken.notify()
                yield self._kernel.now + -(-piece // self._block_bytes)
