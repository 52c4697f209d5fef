"""LOADs in plain Python, straight from `hw.contract.commands.Load`, and the memory they read."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np

from fractrain.hw.contract.commands import NO_GROUP, Load, Memory, Tag, encode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand
from fractrain.hw.flow.tasks import stage_task


@dataclass(frozen=True)
class Write:
    """What an on-chip memory is given; ``group`` is None in the plane memory."""

    address: int
    group: int | None
    data: int


@dataclass(frozen=True)
class Task:
    """A LOAD whose operand has ``bits`` bits; 0 skips it."""

    load: Load
    bits: int
    index: int

    def encode(self, parameters: Parameters) -> int:
        digits = parameters.digits(self.bits)
        tail = self.bits - (digits - 1) * parameters.array.spatial_bits if digits else 0
        value = {
            "index": self.index,
            "command": encode(self.load),
            "digits": digits,
            "tail": tail,
            "partner_digits": 1,
            "partner_tail": 1,
            "skip": self.bits == 0,
        }
        return stage_task(parameters).const(value).as_value().value

    def requests(self, parameters: Parameters) -> list[tuple[int, int]]:
        """(address, words) of every run."""
        load, size = self.load, parameters.word_bytes
        return [
            (load.address + size * (d * load.digit_stride + r * load.run_stride), load.words)
            for d in range(parameters.digits(self.bits))
            for r in range(load.runs)
        ]

    def writes(self, parameters: Parameters) -> Iterator[Write]:
        load, size = self.load, parameters.word_bytes
        digits = parameters.digits(self.bits)
        for d in range(digits):
            for r in range(load.runs):
                for i in range(load.words):
                    source = load.address + size * (d * load.digit_stride + r * load.run_stride + i)
                    planes = planes_of(memory_word(source, parameters), parameters)
                    planes[self.bits - d * parameters.array.spatial_bits :] = 0
                    target = (
                        load.destination
                        + d * load.destination_digit_stride
                        + r * load.destination_run_stride
                    )
                    if load.memory == Memory.PLANES:
                        yield Write(target + i, None, integer(planes))
                    else:
                        yield from self._halves(planes, i, target)

    def _halves(self, planes: np.ndarray, i: int, target: int) -> Iterator[Write]:
        channels = planes.shape[-1]
        for number in (0, 1):
            group = self.load.groups >> 4 * (2 * i + number) & 15
            half = planes[:, number * channels : (number + 1) * channels]
            if self.load.transposed:
                half = half.transpose(0, 2, 1)
            if group != NO_GROUP:
                yield Write(target, group, integer(half))


def memory_word(address: int, parameters: Parameters) -> int:
    """What memory holds at ``address``: anything, but always the same."""
    return Random(address).getrandbits(8 * parameters.word_bytes)


def planes_of(word: int, parameters: Parameters) -> np.ndarray:
    """Bits of a word, ``[plane, pixel, channel]``."""
    data = np.frombuffer(word.to_bytes(parameters.word_bytes, "little"), np.uint8)
    bits = np.unpackbits(data, bitorder="little")
    return bits.reshape(parameters.array.spatial_bits, -1, parameters.block.channels)


def integer(bits: np.ndarray) -> int:
    return int.from_bytes(np.packbits(bits.reshape(-1), bitorder="little").tobytes(), "little")


def random_load(random: Random, parameters: Parameters, memory: Memory) -> Load:
    """Any LOAD that stays within the memories, with a few words."""
    columns = memory == Memory.COLUMNS
    runs, words = random.choice([1, 2, 5]), random.choice([1, 2, 3, 5])
    depth = parameters.buffers.column_words if columns else parameters.buffers.plane_words
    spare = depth - (0 if columns else words)
    digit_stride = random.randrange(spare // 32 + 1)
    run_stride = random.randrange((spare - 16 * digit_stride) // runs)
    greatest = 15 * digit_stride + (runs - 1) * run_stride + (0 if columns else words - 1)
    groups = [*range(parameters.lane_groups), *[NO_GROUP] * (1 + random.randrange(4))]
    random.shuffle(groups)
    return Load(
        slot=random.randrange(256),
        operand=random.choice(list(Operand)),
        partner=random.choice(list(Operand)),
        memory=memory,
        address=parameters.word_bytes * random.randrange(1 << 20),
        runs=runs,
        words=words,
        destination=random.choice([0, random.randrange(depth - greatest), depth - greatest - 1]),
        digit_stride=random.choice([0, random.randrange(1 << 16)]),
        run_stride=random.choice([words, random.randrange(1 << 14)]),
        destination_digit_stride=digit_stride,
        destination_run_stride=run_stride,
        groups=sum(group << 4 * i for i, group in enumerate(groups[:10])),
        transposed=random.random() < 0.5,
        tag=random.choice(list(Tag)),
        signal=random.randrange(2),
    )


def random_task(random: Random, parameters: Parameters, index: int) -> Task:
    load = random_load(random, parameters, random.choice(list(Memory)))
    bits = random.choice([0, 1, random.randint(2, 7), random.randint(1, 16)])
    return Task(load, bits, index)
