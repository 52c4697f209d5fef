"""Runs inside the simulator: random writes and reads against an array of bits."""

import cocotb
import numpy as np

from fractrain.hw.contract.parameters import Parameters, parse_parameters
from fractrain.hw.flow.layouts import column_write
from fractrain.hw.memory.column_memory import column_read
from tests.harness import Bench, testbench

CYCLES = 1_500
ADDRESSES = 12
LATENCY_CYCLES = 2


def number(bits: np.ndarray) -> int:
    return int.from_bytes(np.packbits(bits.ravel(), bitorder="little").tobytes(), "little")


def operand(parameters: Parameters, word: np.ndarray, groups: int) -> int:
    """``word[group, plane, column, lane]`` as the array takes it, absent groups zero."""
    mask = np.array([groups >> group & 1 for group in range(parameters.lane_groups)], np.uint8)
    shown = word * mask[:, None, None, None]
    return number(shown.transpose(2, 1, 0, 3))  # [column, plane, group, lane]


@testbench(cycle_limit=CYCLES + 200)
@cocotb.parametrize(rate=(0.3, 1.0))
async def reads_what_was_written(bench: Bench, rate: float) -> None:
    """Every group of every word by itself; a read beside a write of the same word is old."""
    parameters = parse_parameters(bench.parameters["machine"])
    groups, channels = parameters.lane_groups, parameters.block.channels
    planes, depth = parameters.array.spatial_bits, parameters.buffers.column_words
    rng = np.random.default_rng(bench.random.getrandbits(64))
    addresses = [0, depth - 1, *bench.random.sample(range(1, depth - 1), ADDRESSES - 2)]
    memory = {each: np.zeros((groups, planes, channels, channels), np.uint8) for each in addresses}
    write_layout, read_layout = column_write(parameters), column_read(parameters)
    for address in addresses:  # a reset leaves what is in the memory
        for group in range(groups):
            write = {"valid": 1, "address": address, "group": group, "data": 0}
            bench.dut.write.value = write_layout.const(write).as_value().value
            await bench.cycles()
    shown = [int(bench.dut.columns.value)] * LATENCY_CYCLES

    for _ in range(CYCLES):
        write, read = {"valid": 0}, {"enable": 0}
        if bench.random.random() < rate:
            mask = bench.random.choice((bench.random.getrandbits(groups), (1 << groups) - 1))
            read = {"enable": 1, "address": bench.random.choice(addresses), "groups": mask}
            shown.append(operand(parameters, memory[read["address"]], mask))
        else:
            shown.append(shown[-1])
        if bench.random.random() < rate:
            address = bench.random.choice((read.get("address"), *addresses)) or addresses[0]
            group = bench.random.randrange(16)  # some that no part answers to
            half = rng.integers(0, 2, (planes, channels, channels), dtype=np.uint8)
            write = {"valid": 1, "address": address, "group": group, "data": number(half)}
            if group < groups:
                memory[address][group] = half
        bench.dut.write.value = write_layout.const(write).as_value().value
        bench.dut.read.value = read_layout.const(read).as_value().value
        await bench.cycles()
        assert int(bench.dut.columns.value) == shown.pop(0)
