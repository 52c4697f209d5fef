"""What `Pattern` and `Convolve` say, in NumPy: the windows of a program, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Convolve, Pattern, Variant, Zero
from fractrain.hw.contract.parameters import Parameters

Bits = NDArray[np.bool_]


class OutsideError(Exception):
    """A read beyond the plane memory."""


@dataclass(frozen=True)
class Window:
    """What the rows show: ``rows[m, plane, lane]``, and which of these bits were ever written."""

    rows: Bits
    known: Bits
    pairs: int
    cycles: int


class Machine:
    """Plane memory ``[word, plane, pixel, channel]``, pattern table and window."""

    def __init__(self, parameters: Parameters, memory: Bits) -> None:
        self.parameters, self.memory = parameters, memory
        self.table: dict[int, Pattern] = {}
        shape = (9, *memory.shape[1:])
        self.window, self.written = np.zeros(shape, bool), np.zeros(shape, bool)

    def run(self, command: Pattern | Convolve, digits: int) -> Iterator[Window]:
        if isinstance(command, Pattern):
            self.table[command.entry] = command
            return
        c = command
        turns = (c.images, c.tiles_y, c.tiles_x, c.slices, digits)
        strides = (c.image_stride, c.y_stride, c.x_stride, c.slice_stride, c.digit_stride)
        for turn in product(*map(range, turns)):
            place = c.address + sum(i * stride for i, stride in zip(turn, strides, strict=True))
            _, y, x, _, _ = turn
            true = (
                (Zero.TOP if c.top_edge and y == 0 else 0)
                | (Zero.BOTTOM if c.bottom_edge and y == c.tiles_y - 1 else 0)
                | (Zero.LEFT if x == 0 else 0)
                | (Zero.RIGHT if x == c.tiles_x - 1 else 0)
                | Zero.ALWAYS
            )
            cycles = sum(self._pair(c, place, true, c.pattern + i) for i in range(c.pairs))
            yield Window(
                self._arrange(self.window, c.gradient),
                self._arrange(self.written, c.gradient, fill=True),
                c.pairs,
                cycles,
            )

    def _pair(self, c: Convolve, place: int, true: int, entry: int) -> int:
        """Do both reads; the cycles that takes."""
        pattern, banks = self.table[entry], []
        for read in "ab":
            get = {
                each: getattr(pattern, f"{read}_{each}")
                for each in ("enable", "offset", "zero", "variants", "quarters", "rotations")
            }
            if not get["enable"]:
                continue
            word = np.zeros(self.memory.shape[1:], bool)
            if not get["zero"] & true:
                address = place + get["offset"]
                if not 0 <= address < self.parameters.buffers.plane_words:
                    raise OutsideError(address)
                word = self.memory[address]
                banks.append(address % 2)
            self._write(c, word, get["variants"], get["quarters"], get["rotations"])
        return 1 + (len(banks) == 2 and banks[0] == banks[1])

    def _write(self, c: Convolve, word: Bits, variants: int, quarters: int, rotations: int) -> None:
        pixels = self.parameters.array.rows
        quarter_pixels = pixels // 4
        for slot in range(9):
            variant = Variant(variants >> 3 * (slot % 3) & 7)
            block = varied(word, variant, pixels * (1, 2, 4)[c.row_pixels] // 4)
            for quarter in range(4):
                if not quarters >> (4 * slot + quarter) & 1:
                    continue
                source = (quarter + (rotations >> 2 * slot & 3)) % 4
                written = list(range(quarter_pixels))
                if variant == Variant.FROM_LEFT:
                    written = [0]
                if variant == Variant.FROM_RIGHT:
                    written = [quarter_pixels - 1]
                for i in written:
                    to = quarter * quarter_pixels + i
                    self.window[slot][:, to] = block[:, source * quarter_pixels + i]
                    self.written[slot][:, to] = True

    def _arrange(self, window: Bits, gradient: bool, fill: bool = False) -> Bits:
        """Rows ``[m, plane, lane]`` of ``window[slot, plane, pixel, channel]``."""
        array, size = self.parameters.array, self.parameters.block.channels
        pixels = array.rows
        rows = np.full((array.rows, array.spatial_bits, array.lanes), fill, bool)
        if not gradient:
            for slot in range(9):
                rows[:, :, slot * size : (slot + 1) * size] = window[slot].transpose(1, 0, 2)
            return rows
        for pair, block in product(range(2), range(4)):
            slot = 3 * block + pair if block < 3 else 2 + 3 * pair
            lanes = slice(block * pixels, (block + 1) * pixels)
            rows[pair * size : (pair + 1) * size, :, lanes] = window[slot].transpose(2, 0, 1)
        return rows


def varied(word: Bits, variant: Variant, width: int) -> Bits:
    """``variant`` of ``word[plane, pixel, channel]``, in a window with rows of ``width``."""
    pixels = word.shape[1]
    out = np.zeros_like(word)
    for i in range(pixels):
        half = i % (pixels // 2)
        source: int | None = {
            Variant.STRAIGHT: i,
            Variant.RIGHT: i - 1 if i % width else None,
            Variant.LEFT: i + 1 if i % width != width - 1 else None,
            Variant.EVEN: 2 * half,
            Variant.ODD: 2 * half + 1,
            Variant.ODD_RIGHT: 2 * half - 1 if half % width else None,
            Variant.FROM_LEFT: pixels - 1,
            Variant.FROM_RIGHT: 0,
        }[variant]
        if source is not None:
            out[:, i] = word[:, source]
    return out
