"""The last part of a stage that writes: blocks to the writer and the ends of commands, in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial

from fractrain.hw.contract.commands import Command, Stage
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.memories import Memories
from fractrain.sim.cycles.times import Times
from fractrain.sim.cycles.tokens import Tokens
from fractrain.sim.cycles.totals import Totals

ROOM = 12
"""Blocks that may be held when another one is issued."""
SEEN_CYCLES = 3
"""From a block's issue until it counts; so many may be issued in the meantime."""
LEFT_CYCLES = 2
"""From a block's end here to the issue of another one."""
OFFER_CYCLES = 5
"""From a block's issue to its offer to the writer."""
END_CYCLES = 4
"""From the last acknowledgement to the token."""
CLIENT = 0
"""Of the writer."""


@dataclass(frozen=True)
class Item:
    """``size`` bytes issued at ``time``, as a rule a block; without an address, the end of the
    command."""

    command: Command
    address: int | None
    time: float
    size: int = 0
    times: Times = field(default_factory=Times)


class Sender:
    """Holds some blocks of the result stage: their issue runs ahead of the writer."""

    def __init__(
        self,
        kernel: Kernel,
        memories: Memories,
        parameters: Parameters,
        tokens: Tokens,
        totals: Totals,
    ) -> None:
        self._kernel, self._memories, self._tokens, self._totals = kernel, memories, tokens, totals
        self._block_bytes, self._piece_bytes = parameters.block_bytes, memories.piece_bytes
        self._items: deque[Item] = deque()
        self._unseen: deque[tuple[float, int]] = deque()
        self._held = 0
        self._left, self._came = Change(kernel), Change(kernel)

    def start(self) -> None:
        self._kernel.start(self._run())

    def issue(self, command: Command, address: int, size: int, late: int = 0) -> Process:
        """A block per cycle, until the last of those has been issued. ``late``: cycles until the
        issuer knows of room."""
        for place in range(address, address + size, self._piece_bytes):
            while not self._room(self._kernel.now - late):
                yield self._left
                if late:
                    yield self._kernel.now + late
            now, piece = self._kernel.now, min(self._piece_bytes, address + size - place)
            self._unseen.append((now + SEEN_CYCLES, piece))
            self._put(Item(command, place, now, piece))
            yield now + self._blocks(piece)

    def _blocks(self, size: int) -> int:
        return -(-size // self._block_bytes)

    def _room(self, time: float) -> bool:
        while self._unseen and self._unseen[0][0] <= time:
            self._held += self._blocks(self._unseen.popleft()[1])
        return self._held <= ROOM

    def end(self, command: Command, times: Times) -> None:
        """All blocks of ``command`` have been issued."""
        if command.signal:
            self._put(Item(command, None, self._kernel.now, times=times))

    def _put(self, item: Item) -> None:
        self._items.append(item)
        self._came.notify()

    def _run(self) -> Process:
        while True:
            while not self._items:
                yield self._came
            item = self._items.popleft()
            yield max(self._kernel.now, item.time + OFFER_CYCLES)
            if item.address is not None:
                writer = self._memories.writer(item.address)
                yield from writer.write(item.address, CLIENT, item.size)
                self._totals.add(item.command.tag, "BYTES_WRITTEN", item.size)
                leave = partial(self._leave, self._blocks(item.size))
                self._kernel.call(leave, self._kernel.now + LEFT_CYCLES)
                yield self._kernel.now + self._blocks(item.size)
            else:
                # no later block is offered before memory has acknowledged all
                yield from self._memories.wait_idle(CLIENT)
                item.times.ended = self._kernel.now + END_CYCLES
                self._tokens.give(Stage.RESULT, item.command, item.times.ended)

    def _leave(self, blocks: int) -> None:
        self._held -= blocks
        self._left.notify()
