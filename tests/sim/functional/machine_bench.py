"""The emulator with random bytes in its memory, and the least program that gives a tile."""

from dataclasses import replace
from typing import Any

import numpy as np

from fractrain.hw.contract.commands import (
    Command,
    Convolve,
    Load,
    Memory,
    Pattern,
    encode_all,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Precision
from fractrain.sim.functional import FunctionalMachine, Order, RunResult

BOTH: dict[str, Any] = {"slot": 0, "operand": Operand.ACTIVATION, "partner": Operand.WEIGHT}
DATA, RESULTS, PROGRAM, SIZE = 0, 1 << 15, 1 << 16, 1 << 17


class Bench:
    """A machine with random bytes at `DATA`."""

    def __init__(self, parameters: Parameters, bits: tuple[int, int], seed: int) -> None:
        self.p = parameters
        rng = np.random.default_rng(seed)
        self.memory = np.zeros(SIZE, np.uint8)
        self.memory[DATA:RESULTS] = rng.integers(256, size=RESULTS - DATA)
        self.machine = FunctionalMachine(parameters, self.memory, unwritten=0)
        self.machine.table[0] = Precision(bits[0], bits[1], 1)

    def run(self, *commands: Command, order: Order = Order.FETCH_FIRST) -> RunResult:
        words = encode_all(list(commands)).reshape(-1)
        self.memory[PROGRAM : PROGRAM + len(words)] = words
        return self.machine.run(PROGRAM, len(commands), order)

    def plane(self, word: int, plane: int, pixel: int, channel: int) -> int:
        """One bit of memory."""
        bit = pixel * self.p.block.channels + channel
        byte = DATA + word * self.p.word_bytes + plane * self.p.block_bytes + bit // 8
        return int(self.memory[byte]) >> bit % 8 & 1


def fill(p: Parameters, words: int) -> Load:
    """The first ``words`` words of memory into the plane memory, as one digit."""
    return Load(**BOTH, memory=Memory.PLANES, address=DATA, runs=1, words=words, destination=0)


def one_tile(p: Parameters) -> list[Command]:
    """A tile whose results are those of random operands, 5 x 6 bits."""
    return [
        replace(fill(p, 1), digit_stride=1, destination_digit_stride=1),
        Load(
            **BOTH,
            memory=Memory.COLUMNS,
            address=DATA,
            runs=1,
            words=5,
            digit_stride=5,
            destination=0,
            destination_digit_stride=1,
            groups=0xF876543210,
        ),
        Pattern(0, a_enable=True, a_quarters=(1 << 36) - 1),
        Convolve(
            **BOTH,
            row_signed=False,
            column_signed=True,
            pattern=0,
            pairs=1,
            address=0,
            column_address=0,
            digit_stride=1,
        ),
    ]
