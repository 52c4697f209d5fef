"""Commands for the feeder: random ones, and those of real convolutions."""

from dataclasses import dataclass, replace
from random import Random

import numpy as np

from fractrain.hw.contract.commands import Convolve, Pattern, RowPixels, Variant, Zero
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand
from tests.hw.feeder.reference import Bits, Machine, OutsideError, Window

A, W = Operand.ACTIVATION, Operand.WEIGHT


@dataclass(frozen=True)
class Task:
    """A command as the decoder hands it over."""

    command: Pattern | Convolve
    digits: int = 1


def random_memory(parameters: Parameters, random: Random) -> Bits:
    array = parameters.array
    shape = (parameters.buffers.plane_words, array.spatial_bits, array.rows, array.columns)
    return np.random.default_rng(random.getrandbits(32)).random(shape) < 0.5


def random_pattern(parameters: Parameters, random: Random, entry: int) -> Pattern:
    def read(name: str) -> dict[str, int]:
        zero = random.choice([0, 0, 0, Zero.TOP, Zero.LEFT, random.randrange(32), Zero.ALWAYS])
        return {
            f"{name}_enable": random.random() < 0.9,
            f"{name}_offset": random.randrange(-12, 13),
            f"{name}_zero": zero,
            f"{name}_variants": random.getrandbits(9),
            f"{name}_quarters": random.getrandbits(36),
            f"{name}_rotations": random.getrandbits(18),
        }

    return Pattern(entry=entry, **read("a"), **read("b"))  # type: ignore[arg-type]


def random_convolve(parameters: Parameters, random: Random, patterns: int) -> Task:
    pairs = random.randint(1, min(4, patterns))
    command = Convolve(
        slot=0,
        operand=A,
        partner=W,
        row_signed=False,
        column_signed=False,
        pattern=random.randrange(patterns - pairs + 1),
        pairs=pairs,
        address=random.randrange(parameters.buffers.plane_words),
        column_address=0,
        slices=random.choice([1, 1, 2, 3]),
        tiles_x=random.choice([1, 1, 2, 3]),
        tiles_y=random.choice([1, 1, 2, 3]),
        images=random.choice([1, 1, 2]),
        digit_stride=random.randrange(4),
        slice_stride=random.randrange(5),
        x_stride=random.randrange(4),
        y_stride=random.randrange(5),
        image_stride=random.randrange(6),
        row_pixels=random.choice(list(RowPixels)),
        top_edge=random.random() < 0.5,
        bottom_edge=random.random() < 0.5,
        gradient=random.random() < 0.4,
    )
    most = parameters.digits(parameters.precision.max_bits)
    return Task(command, random.choice([1, 1, min(2, most), min(3, most)]))


def random_program(
    parameters: Parameters, random: Random, machine: Machine, count: int
) -> tuple[list[Task], list[Window]]:
    """``count`` CONVOLVEs without faults, with PATTERNs before and between, and their windows."""
    last = parameters.buffers.patterns - 1
    entries = min(6, last + 1)
    tasks = [Task(random_pattern(parameters, random, i)) for i in range(entries)]
    windows: list[Window] = []
    for task in tasks:
        list(machine.run(task.command, 1))
    while count:
        if random.random() < 0.3:
            tasks.append(Task(random_pattern(parameters, random, random.randrange(entries))))
            list(machine.run(tasks[-1].command, 1))
        task = random_convolve(parameters, random, entries)
        before = machine.window.copy(), machine.written.copy()
        try:
            windows += list(machine.run(task.command, task.digits))
        except OutsideError:
            machine.window, machine.written = before
            continue
        tasks.append(task)
        count -= 1
    return tasks, windows


@dataclass
class Read:
    """One read of a pattern; ``writes`` are (slot, quarter, rotation)."""

    offset: int
    variants: tuple[Variant, Variant, Variant]
    writes: list[tuple[int, int, int]]
    zero: int = 0

    def fields(self, name: str) -> dict[str, int]:
        quarters = rotations = 0
        for slot, quarter, rotation in self.writes:
            quarters |= 1 << (4 * slot + quarter)
            rotations = rotations & ~(3 << 2 * slot) | rotation << 2 * slot
        variants = sum(each << 3 * i for i, each in enumerate(self.variants))
        return {
            f"{name}_enable": 1,
            f"{name}_offset": self.offset,
            f"{name}_zero": self.zero,
            f"{name}_variants": variants,
            f"{name}_quarters": quarters,
            f"{name}_rotations": rotations,
        }


def paired(reads: list[Read]) -> list[Pattern]:
    """The reads, two and two, in their order: later ones win."""
    entries = []
    for i in range(0, len(reads), 2):
        both = reads[i].fields("a") | (reads[i + 1].fields("b") if i + 1 < len(reads) else {})
        entries.append(Pattern(entry=i // 2, **both))  # type: ignore[arg-type]
    return entries


SIDES = (Variant.RIGHT, Variant.STRAIGHT, Variant.LEFT)
HALVED = (Variant.ODD_RIGHT, Variant.EVEN, Variant.ODD)
FROM_LEFT, FROM_RIGHT = (Variant.FROM_LEFT,) * 3, (Variant.FROM_RIGHT,) * 3


def stride_1_reads(rows: int, tiles_x: int, y_stride: int) -> list[Read]:
    """3 x 3 taps at stride 1 for tiles of ``rows`` rows; words ``y * y_stride + x``."""
    turn = 4 // rows
    above, here, below = Read(-y_stride, SIDES, [], Zero.TOP), Read(0, SIDES, []), None
    below = Read(y_stride, SIDES, [], Zero.BOTTOM)
    for dy in range(3):
        for dx in range(3):
            for row in range(rows):
                source = row + dy - 1
                read = above if source < 0 else below if source >= rows else here
                for quarter in range(row * turn, (row + 1) * turn):
                    read.writes.append((3 * dy + dx, quarter, (dy - 1) * turn % 4))
    reads = [here, above, below]
    if tiles_x > 1:  # one row per tile: the pixels beside the block
        for dy, edge in ((0, Zero.TOP), (1, 0), (2, Zero.BOTTOM)):
            at = (dy - 1) * y_stride
            left, right = (3 * dy, 0, 0), (3 * dy + 2, 3, 0)
            reads.append(Read(at - 1, FROM_LEFT, [left], edge | Zero.LEFT))
            reads.append(Read(at + 1, FROM_RIGHT, [right], edge | Zero.RIGHT))
    return reads


def stride_2_reads(rows: int, y_stride: int) -> list[Read]:
    """3 x 3 taps at stride 2 for tiles of ``rows`` rows of the window.

    Blocks of the input follow each other row by row: 2 rows each for 4 rows of the window, one
    for 2, half a row for one.
    """
    if rows == 4:
        reads = [Read(b, HALVED, [], Zero.TOP if b < 0 else 0) for b in range(-1, 4)]
        for dy in range(3):
            for row in range(4):
                block, half = divmod(2 * row + dy - 1, 2)
                for dx in range(3):
                    reads[block + 1].writes.append((3 * dy + dx, row, (half - row) % 4))
        return reads
    if rows == 2:
        reads = [Read(b, HALVED, [], Zero.TOP if b < 0 else 0) for b in range(-1, 4)]
        for dy in range(3):
            for row in range(2):
                for dx in range(3):
                    for quarter in (2 * row, 2 * row + 1):
                        reads[2 * row + dy].writes.append((3 * dy + dx, quarter, 0))
        return reads
    reads = []
    for dy in range(3):
        edge = Zero.TOP if dy == 0 else 0
        for side in range(2):
            writes = [(3 * dy + dx, 2 * side + q, 0) for dx in range(3) for q in range(2)]
            reads.append(Read(2 * (dy - 1) + side, HALVED, writes, edge))
    for dy in range(3):
        edge = Zero.TOP if dy == 0 else 0
        reads.append(Read(2 * (dy - 1), FROM_LEFT, [(3 * dy, 2, 0)], edge))
    return reads


@dataclass(frozen=True)
class Convolution:
    """3 x 3 at ``stride``, tiles of ``rows`` rows; a picture of one row of ``tiles_x`` tiles by
    ``tiles_y``."""

    stride: int
    rows: int
    tiles_x: int = 1
    tiles_y: int = 3
    digits: int = 2

    def program(self, parameters: Parameters, memory: Bits) -> tuple[list[Task], list[Bits]]:
        """Tasks, and the windows that a plain loop over the picture says they make."""
        pixels = parameters.array.rows
        width = pixels // self.rows  # of the window's rows
        per_tile = self.tiles_x if self.stride == 1 else 4  # words of the picture
        reads = (
            stride_1_reads(self.rows, self.tiles_x, self.tiles_x)
            if self.stride == 1
            else stride_2_reads(self.rows, per_tile)
        )
        entries = paired(reads)
        words = per_tile * self.tiles_y
        command = Convolve(
            slot=0,
            operand=A,
            partner=W,
            row_signed=False,
            column_signed=False,
            pattern=0,
            pairs=len(entries),
            address=0,
            column_address=0,
            tiles_x=self.tiles_x,
            tiles_y=self.tiles_y,
            x_stride=1 if self.tiles_x > 1 else 0,
            y_stride=per_tile,
            digit_stride=words,
            row_pixels={4: RowPixels.QUARTER, 2: RowPixels.HALF, 1: RowPixels.WHOLE}[self.rows],
        )
        tasks = [Task(each) for each in entries] + [Task(command, self.digits)]
        windows = []
        for y in range(self.tiles_y):
            for x in range(self.tiles_x):
                for digit in range(self.digits):
                    blocks = memory[digit * words : (digit + 1) * words]
                    windows.append(self._window(self._picture(blocks, width), y, x, width))
        return tasks, windows

    def _picture(self, blocks: Bits, width: int) -> Bits:
        """``[plane, y, x, channel]`` of blocks that follow each other."""
        planes, channels = blocks.shape[1], blocks.shape[3]
        full = width * self.tiles_x * self.stride
        return blocks.transpose(1, 0, 2, 3).reshape(planes, -1, full, channels)

    def _window(self, picture: Bits, tile_y: int, tile_x: int, width: int) -> Bits:
        """Rows ``[m, plane, lane]``."""
        planes, _, _, channels = picture.shape
        around = np.pad(picture, ((0, 0), (1, 1), (1, 1), (0, 0)))
        rows = np.zeros((self.rows * width, planes, 9 * channels), bool)
        for m in range(self.rows * width):
            y = tile_y * self.rows + m // width
            x = tile_x * width + m % width
            for tap in range(9):
                at = around[:, self.stride * y + tap // 3, self.stride * x + tap % 3]
                rows[m, :, tap * channels : (tap + 1) * channels] = at
        return rows


CONVOLUTIONS = {
    "stride 1, P/4": Convolution(1, 4),
    "stride 1, P/2": Convolution(1, 2),
    "stride 1, P": Convolution(1, 1, tiles_y=5),
    "stride 1, 2P": Convolution(1, 1, tiles_x=2, tiles_y=4),
    "stride 1, 3P": Convolution(1, 1, tiles_x=3),
    "stride 2, P/4": Convolution(2, 4),
    "stride 2, P/2": Convolution(2, 2),
    "stride 2, P": Convolution(2, 1),
}


def moved(task: Task, **changes: int) -> Task:
    """``task`` with other fields in its command."""
    return replace(task, command=replace(task.command, **changes))
