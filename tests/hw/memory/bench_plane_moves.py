"""Runs inside the simulator: a MOVE's reads of the plane memory, beside writes and other reads."""

import cocotb
from cocotb.triggers import RisingEdge

from fractrain.hw.contract.parameters import parse_parameters
from fractrain.hw.flow.layouts import plane_answer, plane_write
from fractrain.hw.memory.plane_memory import BANKS, PlaneMemory, bank_read
from tests.harness import Bench, testbench


@testbench(cycle_limit=5_000)
async def reads_between_writes(bench: Bench) -> None:
    """Every grant is answered in time, by what was written before it; writes and the reads of the
    array go on as without."""
    parameters, random, dut = parse_parameters(bench.parameters["machine"]), bench.random, bench.dut
    words, width = parameters.buffers.plane_words, 8 * parameters.word_bytes
    write, read, answer = plane_write(parameters), bank_read(parameters), plane_answer(parameters)
    held: dict[int, int] = {}
    answered: list[tuple[int, int]] = []
    granted: list[tuple[int, int]] = []
    for address in range(words):
        held[address] = random.getrandbits(width)
        value = {"valid": 1, "address": address, "data": held[address]}
        dut.write.value = write.const(value).as_value().value
        dut.moves__valid.value, dut.reads.value, dut.advance.value = 0, 0, 0
        await bench.cycles()

    async def watch() -> None:
        cycle = 0
        while True:
            await RisingEdge(dut.clk)
            cycle += 1
            moved = answer.from_bits(int(dut.moved.value))
            if moved.valid:
                answered.append((cycle, moved.data))
            if int(dut.moves__valid.value) and int(dut.moves__ready.value):
                granted.append((cycle, held[int(dut.moves__payload.value)]))

    cocotb.start_soon(watch())
    latched: list[int | None] = [None] * BANKS
    shown: list[int | None] = [None] * BANKS
    address, waits = 0, False
    for _ in range(3_000):
        new = {
            "valid": random.random() < 0.4,
            "address": random.randrange(words),
            "data": random.getrandbits(width),
        }
        if not waits:
            address, waits = random.randrange(words), random.random() < 0.7
        places = [random.randrange(bank, words, BANKS) for bank in range(BANKS)]
        dut.write.value = write.const(new).as_value().value
        dut.moves__valid.value, dut.moves__payload.value = int(waits), address
        dut.reads.value = sum(
            read.const({"enable": 1, "address": place // BANKS}).as_value().value << i * read.size
            for i, place in enumerate(places)
        )
        dut.advance.value = (1 << BANKS) - 1
        before: list[int | None] = [held[place] for place in places]
        await bench.cycles()
        waits = waits and bool(new["valid"])
        for bank in range(BANKS):
            if shown[bank] is not None:
                found = int(dut.words.value) >> bank * width & (1 << width) - 1
                assert found == shown[bank]
        shown, latched = latched, before
        if new["valid"]:
            held[int(new["address"])] = int(new["data"])
    dut.moves__valid.value = 0
    await bench.cycles(4)
    assert len(granted) > 1_000
    assert answered == [(cycle + PlaneMemory.MOVE_CYCLES, word) for cycle, word in granted]
