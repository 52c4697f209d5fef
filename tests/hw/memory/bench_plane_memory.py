"""Runs inside the simulator: the plane memory against a dictionary."""

from fractrain.hw.contract.parameters import parse_parameters
from fractrain.hw.flow.layouts import plane_write
from fractrain.hw.memory.plane_memory import BANKS, bank_read
from tests.harness import Bench, testbench


@testbench(cycle_limit=3_000)
async def keeps_words(bench: Bench) -> None:
    """Random writes and reads, with ``advance`` now and then."""
    parameters, random, dut = parse_parameters(bench.parameters["machine"]), bench.random, bench.dut
    words, width = parameters.buffers.plane_words, 8 * parameters.word_bytes
    write, read = plane_write(parameters), bank_read(parameters)
    held: dict[int, int] = {}
    latched: list[int | None] = [None] * BANKS
    shown: list[int | None] = [None] * BANKS
    for _ in range(2_000):
        new = {
            "valid": random.random() < 0.5,
            "address": random.randrange(words),
            "data": random.getrandbits(width),
        }
        addresses = [
            random.randrange(bank, words, BANKS) if random.random() < 0.7 else None
            for bank in range(BANKS)
        ]
        advance = random.random() < 0.7
        reads = [{"enable": a is not None, "address": (a or 0) // BANKS} for a in addresses]
        dut.write.value = write.const(new).as_value().value
        dut.reads.value = sum(
            read.const(each).as_value().value << i * read.size for i, each in enumerate(reads)
        )
        dut.advance.value = (1 << BANKS) - 1 if advance else 0
        await bench.cycles()
        # what the cycle before has left
        for bank in range(BANKS):
            if shown[bank] is not None:
                assert int(dut.words.value) >> bank * width & (1 << width) - 1 == shown[bank]
        if advance:
            shown = list(latched)
        for bank, address in enumerate(addresses):
            if address is not None:
                latched[bank] = held.get(address)
        if new["valid"]:
            held[new["address"]] = new["data"]
