"""Small programs by hand, with the tensors they need and what NumPy says must come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import (
    NO_GROUP,
    Command,
    Convolve,
    End,
    Format,
    Load,
    Memory,
    Pattern,
    Store,
    Tag,
    Variant,
    Zero,
    encode,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Precision, value_range

PROGRAM_BASE = 0x0010_0000
ROWS_BASE = 0x0010_4000
COLUMNS_BASE = 0x0010_8000
RESULT_BASE = 0x0010_C000
WINDOW = (0x0010_0000, 0x0010_FFFF)

SLOT = 3


@dataclass
class Job:
    """A program, the memory it needs, and what it must leave there.

    expected : bytes that must be in memory afterwards, by address
    port : results that must leave at the result port, beat after beat
    """

    commands: list[Command]
    precision: Precision
    memory: dict[int, bytes]
    expected: dict[int, bytes] = field(default_factory=dict)
    port: NDArray[np.int64] | None = None
    passes: int = 0

    def words(self) -> list[int]:
        return [encode(command) for command in self.commands]

    def replaced(self, number: int, **changes: object) -> Job:
        """The same with some fields of a command changed."""
        commands = list(self.commands)
        commands[number] = replace(commands[number], **changes)  # type: ignore[arg-type]
        return replace(self, commands=commands)

    def moved(self, distance: int) -> Job:
        """The same with its tensors ``distance`` bytes further on in memory."""
        commands = [
            replace(each, address=each.address + distance)
            if isinstance(each, Load | Store)
            else each
            for each in self.commands
        ]
        memory = {base + distance: data for base, data in self.memory.items()}
        expected = {base + distance: data for base, data in self.expected.items()}
        return replace(self, commands=commands, memory=memory, expected=expected)


def words_of(values: NDArray[np.int64], bits: int, parameters: Parameters) -> list[bytes]:
    """``values[pixels, channels]`` as the words of a block, most significant digit first."""
    spatial = parameters.array.spatial_bits
    digits = parameters.digits(bits)
    words = []
    for digit in range(digits):
        word = b""
        for plane in range(digit * spatial, (digit + 1) * spatial):
            ones = values >> (bits - 1 - plane) & 1 if plane < bits else np.zeros_like(values)
            word += np.packbits(ones.astype(np.uint8).reshape(-1), bitorder="little").tobytes()
        words.append(word)
    return words


def values_of(words: Sequence[bytes], bits: int, parameters: Parameters) -> NDArray[np.int64]:
    """Inverse of `words_of`, unsigned."""
    spatial, size = parameters.array.spatial_bits, parameters.block_bytes
    result = np.zeros(parameters.block_bits, np.int64)
    for plane in range(bits):
        data = words[plane // spatial][size * (plane % spatial) :][:size]
        result = 2 * result + np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    return result.reshape(parameters.array.rows, parameters.block.channels)


def random_values(
    random: np.random.Generator, shape: tuple[int, ...], bits: int, signed: bool
) -> NDArray[np.int64]:
    low, high = value_range(bits, signed)
    return random.integers(low, high + 1, shape, dtype=np.int64)


def beats_of(tile: NDArray[np.int64], parameters: Parameters) -> NDArray[np.int64]:
    """``tile[rows, columns]`` in the order in which results leave: [beats, results_per_beat]."""
    clusters, width = parameters.column_clusters, parameters.array.cluster_columns
    split = tile.reshape(parameters.array.rows, clusters, width)
    return split.transpose(2, 0, 1).reshape(width, -1)


def raw32(tiles: Sequence[NDArray[np.int64]], parameters: Parameters) -> bytes:
    return b"".join(beats_of(tile, parameters).astype("<i4").tobytes() for tile in tiles)


def matrix_product(
    parameters: Parameters, precision: Precision, seed: int, form: Format = Format.RAW32
) -> Job:
    """One tile: ``C[m][n] = sum over c of A[m][c] * W[n][c]``, one block of each."""
    random = np.random.default_rng(seed)
    rows, channels = parameters.array.rows, parameters.block.channels
    a, w = precision.activation, precision.weight
    left = random_values(random, (rows, channels), max(1, a), False)
    right = random_values(random, (rows, channels), max(1, w), True)
    product = left @ right[:channels].T
    names = {"slot": SLOT, "operand": Operand.ACTIVATION, "partner": Operand.WEIGHT}
    swapped = {"slot": SLOT, "operand": Operand.WEIGHT, "partner": Operand.ACTIVATION}
    narrow = {"bits": 8, "signed": True, "shift": 2, "digit_stride": 1}
    commands: list[Command] = [
        Pattern(entry=5, a_enable=True, a_quarters=0xF, **names),
        Load(
            memory=Memory.PLANES, address=ROWS_BASE, runs=1, words=1, destination=8,
            digit_stride=1, destination_digit_stride=1, tag=Tag.FORWARD, **names,
        ),
        Load(
            memory=Memory.COLUMNS, address=COLUMNS_BASE, runs=1, words=1, destination=16,
            digit_stride=1, destination_digit_stride=1, groups=0xFF_FFFF_FFF0,
            signal=1, tag=Tag.FORWARD, **swapped,
        ),
        Convolve(
            row_signed=False, column_signed=True, pattern=5, pairs=1, address=8,
            column_address=16, groups=1, digit_stride=1, wait=1, tag=Tag.FORWARD, **names,
        ),
        Store(
            format=form, address=RESULT_BASE, tag=Tag.FORWARD,
            **(narrow if form == Format.PLANES else {}), **names,
        ),
        End(),
    ]  # fmt: skip
    job = Job(commands, precision, {}, passes=parameters.digits(a) * parameters.digits(w))
    for base, values, bits in ((ROWS_BASE, left, a), (COLUMNS_BASE, right, w)):
        job.memory[base] = b"".join(words_of(values, bits, parameters))
    if 0 in (a, w):
        return job
    if form == Format.RAW32:
        job.expected[RESULT_BASE] = raw32([product], parameters)
    elif form == Format.PORT:
        job.port = beats_of(product, parameters)
    elif form == Format.PLANES:
        rounded = np.clip((product + 2) >> 2, -128, 127)
        job.expected[RESULT_BASE] = b"".join(words_of(rounded, 8, parameters))
    return job


def convolution(parameters: Parameters, precision: Precision, seed: int, height: int = 3) -> Job:
    """3 x 3, padding 1, stride 1, over an image as wide as a block: a tile for each of its rows."""
    random = np.random.default_rng(seed)
    width, channels = parameters.array.rows, parameters.block.channels
    a, w = precision.activation, precision.weight
    image = random_values(random, (height, width, channels), a, False)
    kernel = random_values(random, (channels, 3, 3, channels), w, True)
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    tiles = [
        sum(padded[y + i, j : j + width] @ kernel[:, i, j].T for i in range(3) for j in range(3))
        for y in range(height)
    ]
    digits = parameters.digits(w)
    names = {"slot": SLOT, "operand": Operand.ACTIVATION, "partner": Operand.WEIGHT}
    swapped = {"slot": SLOT, "operand": Operand.WEIGHT, "partner": Operand.ACTIVATION}
    taps = Variant.RIGHT | Variant.STRAIGHT << 3 | Variant.LEFT << 6
    parts = parameters.column_word_parts
    groups = sum((h if h < 9 else NO_GROUP) << 4 * h for h in range(10))
    commands: list[Command] = [
        Load(
            memory=Memory.PLANES, address=ROWS_BASE, runs=1, words=height, destination=0,
            digit_stride=height, destination_digit_stride=height, tag=Tag.ERROR, **names,
        ),
        Pattern(
            entry=0, a_enable=True, a_offset=-1, a_zero=Zero.TOP, a_variants=taps,
            a_quarters=0xFFF, b_enable=True, b_variants=taps, b_quarters=0xFFF << 12, **names,
        ),
        Pattern(
            entry=1, a_enable=True, a_offset=1, a_zero=Zero.BOTTOM, a_variants=taps,
            a_quarters=0xFFF << 24, **names,
        ),
        Load(
            memory=Memory.COLUMNS, address=COLUMNS_BASE, runs=1, words=parts, destination=2,
            digit_stride=parts, destination_digit_stride=1, groups=groups, signal=1,
            tag=Tag.ERROR, **swapped,
        ),
        Convolve(
            row_signed=False, column_signed=True, pattern=0, pairs=2, address=0,
            column_address=2, digit_stride=height, tiles_y=height, y_stride=1, wait=1,
            tag=Tag.ERROR, **names,
        ),
        Store(
            format=Format.RAW32, address=RESULT_BASE, tiles_y=height, tag=Tag.ERROR,
            tile_stride=4 * parameters.array.rows * channels // parameters.word_bytes, **names,
        ),
        End(),
    ]  # fmt: skip
    rows = [words_of(image[y], a, parameters) for y in range(height)]
    blocks = [words_of(_halves(kernel, part, channels), w, parameters) for part in range(parts)]
    memory = {
        ROWS_BASE: b"".join(row[d] for d in range(parameters.digits(a)) for row in rows),
        COLUMNS_BASE: b"".join(block[d] for d in range(digits) for block in blocks),
    }
    expected = {RESULT_BASE: raw32(tiles, parameters)}
    passes = height * parameters.digits(a) * digits
    return Job(commands, precision, memory, expected, passes=passes)


def _halves(kernel: NDArray[np.int64], part: int, channels: int) -> NDArray[np.int64]:
    """Taps ``2 * part`` and the one after it, as the two halves of a block."""
    halves = [
        kernel[:, tap // 3, tap % 3] if tap < 9 else np.zeros((channels, channels), np.int64)
        for tap in (2 * part, 2 * part + 1)
    ]
    return np.concatenate(halves)
