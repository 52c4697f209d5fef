"""The sender: blocks in order, ends where memory has acknowledged, an item in every cycle."""

from collections import deque
from dataclasses import dataclass, field
from random import Random

import pytest

from fractrain.hw.results.sender import ITEMS, SETTLE_CYCLES, BlockSender
from fractrain.hw.results.turn import GROUPS
from tests.harness.simulation import Simulation, Sink, simulate
from tests.harness.stalls import STALLS, stall_pattern
from tests.hw.machines import machine

PARAMETERS = machine()


@dataclass
class Item:
    """What is issued, and its bits by where they come from."""

    block: int = 1
    end: int = 0
    signal: int = 0
    tag: int = 0
    index: int = 0
    address: int = 0
    parts: list[int] = field(default_factory=lambda: [0] * (GROUPS + 1))

    def facts(self) -> dict[str, int]:
        return {name: value for name, value in vars(self).items() if name != "parts"}

    @property
    def data(self) -> int:
        total = 0
        for each in self.parts:
            total |= each
        return total


def random_item(draw: Random) -> Item:
    block = draw.random() < 0.8
    parts = [draw.getrandbits(PARAMETERS.block_bits) if block else 0 for _ in range(GROUPS + 1)]
    if draw.random() < 0.5:  # one of them, as the result stage has it
        only = draw.randrange(len(parts))
        parts = [part if number == only else 0 for number, part in enumerate(parts)]
    return Item(
        block=block,
        end=not block or draw.random() < 0.3,
        signal=draw.choice([0, 0, draw.randrange(4)]),
        tag=draw.randrange(4),
        index=draw.getrandbits(32),
        address=draw.getrandbits(28) * 16,
        parts=parts,
    )


class Play:
    """Issues items while there is room; a writer takes blocks and acknowledges them later."""

    def __init__(
        self, simulation: Simulation, items: list[Item], *, issue: str, blocks: str
    ) -> None:
        self.simulation = simulation
        self.items = deque(items)
        self.issue = stall_pattern(issue, simulation.random)
        self.sink: Sink = simulation.sink("blocks", stalls=blocks)
        self.acknowledge: deque[int] = deque()
        self.acknowledged = 0
        self.latency = (1, 12)
        self.issued: list[int] = []
        """Cycles of the items."""
        self.ended: list[tuple[int, int]] = []
        """Cycles and signals of the ends."""
        self.sent: list[tuple[int, int]] = []
        """Tags and indices of the blocks that were taken."""
        self.halted_at: int | None = None
        self.late = False
        """Whether room is known a cycle late, as where the result stage issues raw blocks."""
        self._parts: list[int] = [0] * (GROUPS + 1)
        self._room_before = self._room_next = True

    async def cycle(self) -> None:
        simulation, now = self.simulation, self.simulation.cycle
        # what was taken two cycles ago or earlier and is not acknowledged
        while self.acknowledge and self.acknowledge[0] <= now:
            self.acknowledge.popleft()
            self.acknowledged += 1
        taken_before = sum(cycle < now - 1 for cycle in self.sink.cycles)
        simulation.set(
            writer_idle=taken_before <= self.acknowledged,
            planes=self._parts[:GROUPS],
            raw=self._parts[GROUPS],
        )
        room = bool(simulation.get("room"))
        assert room == self._room_next
        allowed = self._room_before if self.late else room
        issue = bool(self.items) and allowed and not next(self.issue)
        self._parts = [0] * (GROUPS + 1)
        if issue:
            item = self.items.popleft()
            self._parts = item.parts
            self.issued.append(now)
            simulation.set(item=item.facts())
        simulation.set(issue=issue)
        self._room_before, self._room_next = room, bool(simulation.get("room_next"))
        if simulation.get("sent"):
            self.sent.append((simulation.get("tag"), simulation.get("index")))
        if simulation.get("ended"):
            self.ended.append((now, simulation.get("signal")))
        before = len(self.sink.items)
        await simulation.tick()
        for _ in self.sink.items[before:]:
            earliest = max([now + 2, *self.acknowledge])
            self.acknowledge.append(earliest + simulation.random.randint(*self.latency))

    @property
    def waits(self) -> bool:
        """A block is on offer and is not taken in this cycle."""
        simulation = self.simulation
        return simulation.get("blocks", "valid") and not simulation.get("blocks", "ready")

    async def finish(self) -> None:
        while self.items or not self.simulation.get("empty"):
            await self.cycle()


def check_order(play: Play, items: list[Item]) -> None:
    """Blocks, what is said of them, and ends: all in the order of issue."""
    blocks = [item for item in items if item.block]
    found = [(block["address"], block["data"]) for block in play.sink.items]
    assert found == [(item.address, item.data) for item in blocks]
    assert play.sent == [(item.tag, item.index) for item in blocks]
    assert [signal for _, signal in play.ended] == [item.signal for item in items if item.end]


@pytest.mark.parametrize("issue", STALLS)
@pytest.mark.parametrize("blocks", STALLS)
def test_order(issue: str, blocks: str) -> None:
    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        items = [random_item(draw) for _ in range(150)]
        play = Play(simulation, items, issue=issue, blocks=blocks)
        acknowledged_at_end = []
        taken_at_end = []
        while play.items or not simulation.get("empty"):
            ends = len(play.ended)
            await play.cycle()
            if len(play.ended) > ends:
                acknowledged_at_end.append(play.acknowledged)
                taken_at_end.append(len(play.sink.items))
        check_order(play, items)
        ended = [number for number, item in enumerate(items) if item.end]
        for number, acknowledged, taken in zip(
            ended, acknowledged_at_end, taken_at_end, strict=True
        ):
            before = sum(item.block for item in items[: number + 1])
            assert taken == before, "no later block is offered before the end"
            if items[number].signal:
                assert acknowledged == before, "tokens before memory has the blocks"

    simulate(BlockSender(PARAMETERS), body)


def test_latency_and_rate() -> None:
    """A block is offered `latency_cycles` after its issue, and there is room for one a cycle."""
    sender = BlockSender(PARAMETERS)

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        items = [Item(address=16 * n, end=n % 5 == 0, tag=draw.randrange(4)) for n in range(60)]
        play = Play(simulation, items, issue="never", blocks="never")
        await play.finish()
        check_order(play, items)
        assert play.issued == list(range(len(items)))
        assert play.sink.cycles == [cycle + sender.latency_cycles for cycle in play.issued]

    simulate(sender, body)


def test_an_end_without_block_takes_no_longer() -> None:
    """Ends of tasks that give no token, a cycle apart: as a block would."""
    sender = BlockSender(PARAMETERS)

    async def body(simulation: Simulation) -> None:
        items = [Item(block=0, end=1) for _ in range(40)]
        play = Play(simulation, items, issue="never", blocks="never")
        await play.finish()
        assert [cycle for cycle, _ in play.ended] == [
            cycle + sender.latency_cycles for cycle in play.issued
        ]

    simulate(sender, body)


def test_an_end_with_tokens_follows_the_acknowledgement() -> None:
    """Idle is believed `SETTLE_CYCLES` + 1 after the block was taken, or when it comes."""
    for latency in range(12):
        sender = BlockSender(PARAMETERS)

        async def body(simulation: Simulation, latency: int = latency) -> None:
            play = Play(simulation, [Item(end=1, signal=2)], issue="never", blocks="never")
            play.latency = (latency, latency)
            await play.finish()
            (taken,) = play.sink.cycles
            idle = taken + 2 + latency
            assert play.ended == [(max(idle + 1, taken + SETTLE_CYCLES + 2), 2)]

        simulate(sender, body)


@pytest.mark.parametrize("late", [False, True])
def test_it_fills_up_and_loses_nothing(late: bool) -> None:
    """While no block is taken: all places are used by who knows of room a cycle late."""
    sender = BlockSender(PARAMETERS)

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        items = [random_item(draw) for _ in range(40)]
        for item in items:
            item.block = 1
        play = Play(simulation, items, issue="never", blocks="never")
        play.late, play.sink.paused = late, True
        for _ in range(60):
            await play.cycle()
        assert len(play.issued) == ITEMS - (not late)
        play.sink.paused = False
        await play.finish()
        check_order(play, items)

    simulate(sender, body)


@pytest.mark.parametrize("blocks", STALLS)
def test_nothing_is_offered_after_halt(blocks: str) -> None:
    """A block that is on offer stays, so that the stream keeps its rules; none follows it."""

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        items = [random_item(draw) for _ in range(200)]
        play = Play(simulation, items, issue="never", blocks=blocks)
        while len(play.sink.items) < 20 or (blocks != "never" and not play.waits):
            await play.cycle()
        await play.cycle()  # in which a block waits, unless none ever does
        simulation.set(halt=1)
        taken, ended = len(play.sink.items), len(play.ended)
        for _ in range(100):
            await play.cycle()
        assert len(play.sink.items) <= taken + 1
        assert len(play.ended) <= ended + 1
        assert not simulation.get("empty")

    simulate(BlockSender(PARAMETERS), body)
