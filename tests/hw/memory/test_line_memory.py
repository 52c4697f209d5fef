"""Lines in pairs for several clients: who has a turn, what comes back, and when."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.hw.memory.block_memory import LARGEST_ARRAY_BITS
from fractrain.hw.memory.line_memory import MOST_RAMS, PAIR, LineMemory, line_write, part_bits
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import pack
from tests.hw.verilator import Player

CYCLES = 3_000
Recorded = dict[str, np.ndarray]


class Clients:
    """Offers of ``count`` clients, each with its own rate; held until they are taken: by the
    priority alone, the test knows when that is."""

    def __init__(self, draw: random.Random, count: int, make: object) -> None:
        self.offers: list[list[object]] = []
        held: list[object] = [None] * count
        rates = [draw.choice((0.1, 0.5, 1.0)) for _ in range(count)]
        rates[0] = min(rates[0], 0.5)  # or nobody else has a turn
        for _ in range(CYCLES):
            for client in range(count):
                if held[client] is None and draw.random() < rates[client]:
                    held[client] = make()
            self.offers.append(list(held))
            first = self.first(len(self.offers) - 1)
            if first is not None:
                held[first] = None

    def first(self, cycle: int) -> int | None:
        """Who has the turn."""
        wanting = [i for i, each in enumerate(self.offers[cycle]) if each is not None]
        return wanting[0] if wanting else None

    def waiting(self, cycle: int) -> int:
        """All others that want one, a bit each."""
        first = self.first(cycle)
        return sum(
            1 << i for i, each in enumerate(self.offers[cycle]) if each is not None and i != first
        )


def inputs(memory: LineMemory, reads: Clients, writes: Clients) -> Recorded:
    layout = line_write(memory.words, memory.line_bits)
    found = {}
    for client in range(memory.clients):
        offers = [each[client] for each in reads.offers]
        found[f"reads__{client}__valid"] = np.array([each is not None for each in offers], np.uint8)
        found[f"reads__{client}__payload"] = np.array([each or 0 for each in offers], np.uint64)
        offers = [each[client] for each in writes.offers]
        found[f"writes__{client}__valid"] = np.array(
            [each is not None for each in offers], np.uint8
        )
        nothing = {"address": 0, "data": [0, 0], "enable": 0}
        columns = {
            name: np.array([(each or nothing)[name] for each in offers], np.uint64)
            for name in nothing
        }
        found[f"writes__{client}__payload"] = pack(columns, layout, CYCLES)
    return found


@pytest.mark.parametrize(("words", "line_bits", "clients"), [(32, 20, 3), (7, 1, 1), (18, 9, 2)])
def test_turns_and_data(
    monkeypatch: pytest.MonkeyPatch, words: int, line_bits: int, clients: int
) -> None:
    # so that a line of 20 bits has three parts
    monkeypatch.setattr("fractrain.hw.memory.line_memory.part_bits", lambda depth: 8)
    memory = LineMemory(words, line_bits, clients)
    player = Player(memory, f"line_memory_{words}_{line_bits}_{clients}")
    draw = random.Random(words)
    reads = Clients(draw, clients, lambda: draw.randrange(memory.pairs))
    writes = Clients(
        draw,
        clients,
        lambda: {
            "address": draw.randrange(memory.pairs),
            "data": [draw.getrandbits(line_bits) for _ in range(PAIR)],
            "enable": draw.randrange(1 << PAIR),
        },
    )
    found = player.play(**inputs(memory, reads, writes))
    check(memory, reads, writes, found)


def check(memory: LineMemory, reads: Clients, writes: Clients, found: Recorded) -> None:
    held: dict[tuple[int, int], int] = {}
    answers: dict[int, tuple[int, list[int | None]]] = {}
    shown: list[int | None] = [None] * PAIR
    data = found["data"]
    mask = (1 << memory.line_bits) - 1
    seen = 0
    for cycle in range(CYCLES):
        for name, clients in (("reads", reads), ("writes", writes)):
            first = clients.first(cycle)
            for client in range(memory.clients):
                if clients.offers[cycle][client] is not None:
                    assert found[f"{name}__{client}__ready"][cycle] == (client == first)
            assert found[f"lost_{name}"][cycle] == clients.waiting(cycle)
        reader = reads.first(cycle)
        if reader is not None:
            at = reads.offers[cycle][reader]
            lines = [held.get((at, place)) for place in range(PAIR)]
            answers[cycle + memory.READ_CYCLES] = reader, lines
        writer = writes.first(cycle)
        if writer is not None:
            write = writes.offers[cycle][writer]
            for place in range(PAIR):
                if write["enable"] >> place & 1:
                    held[write["address"], place] = write["data"][place]
        client, shown = answers.get(cycle, (None, shown))
        assert found["answers"][cycle] == (0 if client is None else 1 << client)
        for place, expected in enumerate(shown):
            if expected is not None:
                assert int(data[cycle]) >> place * memory.line_bits & mask == expected
                seen += 1
    assert seen > CYCLES // 4


@given(st.integers(1, 65536 // PAIR))
def test_address_registers(depth: int) -> None:
    """None drives more than 16 block RAMs, and none has an array that is too large."""
    width = part_bits(depth)
    assert width * depth <= LARGEST_ARRAY_BITS
    deepest = 1 << (depth - 1).bit_length()
    rams = -(-width * max(1, deepest // 512) // 72)
    assert 1 <= rams <= MOST_RAMS


def test_zc706_parts() -> None:
    """Of 4,096 pairs nine bits are a block RAM."""
    assert part_bits(4096) == MOST_RAMS * 9


def test_refusals() -> None:
    for numbers, name in (
        ((0, 8, 1), "words"),
        ((2, 0, 1), "bits of a line"),
        ((2, 8, 0), "clients"),
    ):
        assert_refused(
            lambda numbers=numbers: LineMemory(*numbers), f"{name} of a line memory: got 0"
        )
