"""Runs inside the simulator: matrix products with every stream stalling at random."""

import cocotb
import numpy as np

from host.program import MatrixProgram
from hw.contract.matrix_commands import Command, encode
from hw.contract.matrix_registers import STATUS, RegisterMap, encode_precision
from hw.contract.parameters import Parameters
from hw.contract.precision import Operand, Pass, Precision, value_range
from hw.matrix_engine.result import result_beat
from tests.harness import STALLS, Bench, testbench
from tests.hw.machines import machine

SHAPES = ((1, 1, 1), (9, 5, 40), (17, 9, 80))


async def write_register(bench: Bench, address: int, value: int) -> None:
    bench.dut.registers__address.value = address
    bench.dut.registers__write_data.value = value
    bench.dut.registers__write.value = 1
    await bench.cycles(1)
    bench.dut.registers__write.value = 0


async def read_register(bench: Bench, address: int) -> int:
    bench.dut.registers__address.value = address
    await bench.cycles(3)
    return int(bench.dut.registers__read_data.value)


def random_matrix(bench: Bench, rows: int, depth: int, bits: int, signed: bool) -> np.ndarray:
    low, high = value_range(bits, signed)
    flat = [bench.random.randint(low, high) for _ in range(rows * depth)]
    return np.array(flat, np.int64).reshape(rows, depth)


def random_product(bench: Bench, parameters: Parameters, slot: int) -> MatrixProgram:
    height, width, depth = bench.random.choice(SHAPES)
    pass_ = bench.random.choice(list(Pass))
    bits = bench.random.choice((1, 2, 3, 5)), bench.random.choice((1, 3, 4, 8))
    rows = random_matrix(bench, height, depth, bits[0], pass_.row.signed)
    columns = random_matrix(bench, width, depth, bits[1], pass_.column.signed)
    program = MatrixProgram(pass_, rows, columns, bits, parameters, slot=slot)
    program.expected = rows @ columns.T  # type: ignore[attr-defined]
    return program


@testbench(cycle_limit=40_000)
@cocotb.parametrize(stalls=STALLS)
async def products_under_stalls(bench: Bench, stalls: str) -> None:
    parameters = machine()
    layout = result_beat(parameters)
    commands = bench.source("commands", stalls=stalls, encode=encode)
    load = bench.source(
        "load", stalls=stalls, encode=lambda block: int.from_bytes(bytes(block), "little")
    )
    sink = bench.sink("results", stalls=stalls, decode=layout.from_bits)
    programs = [random_product(bench, parameters, slot) for slot in range(4)]
    for slot, program in enumerate(programs):
        widths = {program.pass_.row: program.bits[0], program.pass_.column: program.bits[1]}
        precision = Precision(*(widths.get(operand, 1) for operand in Operand))
        address = RegisterMap(parameters).table_address(slot)
        await write_register(bench, address, encode_precision(precision))
        await run(bench, program, commands, load, sink)
    assert await read_register(bench, STATUS.address) == 1, "idle and without fault"


async def run(bench: Bench, program: MatrixProgram, commands, load, sink) -> None:
    queue: list[Command] = program.commands
    commands.send(*queue)
    load.send(*program.blocks)
    beats = await sink.receive(program.beats)
    per_tile = program.parameters.beats_per_tile
    for number, beat in enumerate(beats):
        assert beat["last"] == (number % per_tile == per_tile - 1)
    values = np.array([list(beat["data"]) for beat in beats], np.int64)
    assert np.array_equal(program.collect(values), program.expected)
