"""Records for several readers and writers: who has a turn, what comes back, and when."""

import random

import numpy as np
import pytest

from fractrain.hw.flow.unit_layouts import record_write
from fractrain.hw.vector.parameter_memory import ParameterMemory
from tests.hw.memory.clients import CYCLES, Clients
from tests.hw.refusals import assert_refused
from tests.hw.verilator import Player

WORDS = 12


def octets(numbers: list[int], size: int) -> np.ndarray:
    return np.array([list(each.to_bytes(size, "little")) for each in numbers], np.uint8)


@pytest.mark.parametrize(("readers", "writers"), [(2, 2)])
def test_turns_and_records(readers: int, writers: int) -> None:
    memory = ParameterMemory(WORDS, readers, writers)
    draw = random.Random(5)
    reads = Clients(draw, readers, lambda: draw.randrange(WORDS))
    writes = Clients(draw, writers, lambda: (draw.randrange(WORDS), draw.getrandbits(128)))
    layout = record_write(WORDS)
    size = -(-layout.size // 8)
    given = {}
    for name, clients, count in (("reads", reads, readers), ("writes", writes, writers)):
        for client in range(count):
            offers = [each[client] for each in clients.offers]
            valid = [each is not None for each in offers]
            given[f"{name}__{client}__valid"] = np.array(valid, np.uint8)
            if name == "reads":
                payload = np.array([each or 0 for each in offers], np.uint64)
            else:
                words = [
                    0
                    if each is None
                    else layout.const({"address": each[0], "data": each[1]}).as_value().value
                    for each in offers
                ]
                payload = octets(words, size)
            given[f"{name}__{client}__payload"] = payload
    found = Player(memory, "parameter_memory").play(**given)
    held: dict[int, int] = {}
    expected: dict[int, tuple[int, int | None]] = {}
    shown, seen = None, 0
    for cycle in range(CYCLES):
        reader, writer = reads.first(cycle), writes.first(cycle)
        if reader is not None:
            at = reads.offers[cycle][reader]
            expected[cycle + memory.READ_CYCLES] = reader, held.get(at)
        if writer is not None:
            address, data = writes.offers[cycle][writer]
            held[address] = data
        client, shown = expected.get(cycle, (None, shown))
        assert found["answers"][cycle] == (0 if client is None else 1 << client)
        if shown is not None:
            assert int.from_bytes(found["record"][cycle].tobytes(), "little") == shown
            seen += 1
        for name, clients, count in (("reads", reads, readers), ("writes", writes, writers)):
            for number in range(count):
                if clients.offers[cycle][number] is not None:
                    ready = found[f"{name}__{number}__ready"][cycle]
                    assert ready == (number == clients.first(cycle))
    assert seen > CYCLES // 4


def test_refusals() -> None:
    for numbers, name in (((0, 1, 1), "words"), ((2, 0, 1), "readers"), ((2, 1, 0), "writers")):
        assert_refused(
            lambda numbers=numbers: ParameterMemory(*numbers),
            f"{name} of a parameter memory: got 0",
        )
