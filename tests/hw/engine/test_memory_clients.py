"""Who reads memory: requests in one stream, and words back to who asked for them."""

from collections import deque

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.read_merger import read_word
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.engine.memory_system import MemorySystem, ReadArbiter, WordRouter
from fractrain.hw.flow.layouts import client_request, read_clients, read_request
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS
from tests.hw.machines import machine
from tests.hw.vector.memory_bench import unit_machine

MACHINES = [machine("tiny"), unit_machine()]
WORD_BYTES = 16


class Clients(wiring.Component):
    """Arbiter and router, without a reader between them."""

    def __init__(self, clients: int) -> None:
        self.arbiter = ReadArbiter(clients)
        self.router = WordRouter(read_word(BurstShape(WORD_BYTES), clients), clients)
        self.clients = clients
        word = stream.Signature(8 * WORD_BYTES)
        super().__init__(
            {
                **{f"i{n}": In(stream.Signature(read_request())) for n in range(clients)},
                **{f"o{n}": Out(word) for n in range(clients)},
                "requests": Out(stream.Signature(client_request(clients))),
                "words": In(self.router.i.signature.flip()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.arbiter, m.submodules.router = self.arbiter, self.router
        for number in range(self.clients):
            wiring.connect(m, wiring.flipped(getattr(self, f"i{number}")), self.arbiter.i[number])
            wiring.connect(m, self.router.o[number], wiring.flipped(getattr(self, f"o{number}")))
        wiring.connect(m, self.arbiter.o, wiring.flipped(self.requests))
        wiring.connect(m, wiring.flipped(self.words), self.router.i)
        return m


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("parameters", MACHINES, ids=("without", "with a vector unit"))
def test_words_come_to_who_asked(parameters: Parameters, stalls: str) -> None:
    clients = read_clients(parameters)

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        runs = [
            [
                {"address": draw.getrandbits(32), "words": 1 + n % 3, "index": draw.getrandbits(32)}
                for n in range(12)
            ]
            for _ in range(clients)
        ]
        for number, each in enumerate(runs):
            simulation.source(f"i{number}", *each, stalls=stalls)
        sinks = [simulation.sink(f"o{n}", stalls=stalls) for n in range(clients)]
        requests, words = simulation.sink("requests", stalls=stalls), simulation.source("words")
        wanted: list[list[int]] = [[] for _ in range(clients)]
        left = [deque(each) for each in runs]
        seen = 0
        total = clients * sum(1 + n % 3 for n in range(12))
        while sum(len(sink.items) for sink in sinks) < total:
            await simulation.tick()
            for request in requests.items[seen:]:
                given = left[request["client"]].popleft()
                assert {name: request[name] for name in given} == given
                for _ in range(request["words"]):
                    word = draw.getrandbits(8 * WORD_BYTES)
                    wanted[request["client"]].append(word)
                    words.send({"data": word, "client": request["client"]})
            seen = len(requests.items)
        assert [sink.items for sink in sinks] == wanted

    simulate(Clients(clients), body)


def test_commands_first() -> None:
    async def body(simulation: Simulation) -> None:
        for number in range(3):
            simulation.source(f"i{number}", *({"address": n, "words": 1} for n in range(4)))
        requests = simulation.sink("requests")
        await simulation.tick(40)
        assert [each["client"] for each in requests.items] == [0] * 4 + [1] * 4 + [2] * 4

    simulate(Clients(3), body)


def test_a_machine_without_a_vector_unit_has_two_clients_and_one_writer() -> None:
    systems = [MemorySystem(each) for each in MACHINES]
    for system in systems:
        rtlil.convert(system)
    without, with_unit = (system.signature.members for system in systems)
    assert without["requests"].dimensions == without["words"].dimensions == (2,)
    assert with_unit["requests"].dimensions == with_unit["awaited"].dimensions == (3,)
    assert not {"vector_blocks", "vector_index"} & set(without)
    assert {"vector_blocks", "vector_index"} <= set(with_unit)
