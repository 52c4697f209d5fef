"""The memories of a vector unit, as lines, records, moments and peaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import SHAPES, Fault, Shape
from fractrain.hw.contract.numerics import NARROW_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BYTES, Record, unpack_records
from fractrain.sim.functional.arithmetic import sign_extend
from fractrain.sim.functional.fault import require

Integers = NDArray[np.int64]
WORD_BITS = 64
"""Of moments and peaks."""


class VectorMemories:
    """What they hold; they start with random bits, the shape table empty.

    staging[line, pixel] : 16 bits, signed
    side[line, pixel], masks[line, pixel] : unsigned
    records[record, byte]
    moments[channel, 2] : signed
    peaks[tensor] : unsigned
    """

    def __init__(self, parameters: Parameters, rng: np.random.Generator) -> None:
        vector, pixels = parameters.vector, parameters.array.rows
        assert vector is not None
        self.side_bits = vector.side_bits
        half = 1 << (NARROW_BITS - 1)
        self.staging = rng.integers(-half, half, (vector.staging_words, pixels), np.int64)
        self.side = rng.integers(1 << vector.side_bits, size=(vector.side_words, pixels))
        self.masks = rng.integers(2, size=self.side.shape)
        self.records = rng.integers(
            256, size=(vector.parameter_words, RECORD_BYTES), dtype=np.uint8
        )
        limits = np.iinfo(np.int64)
        size = (vector.moment_words, 2)
        self.moments = rng.integers(limits.min, limits.max, size, np.int64)
        self.peaks = rng.integers(1 << 48, size=vector.peak_words, dtype=np.uint64)
        self._shapes: dict[int, Shape] = {}

    # -- lines -----------------------------------------------------------------------------

    def lines(self, address: int, count: int) -> slice:
        """Lines of the staging memory; ADDRESS beyond it."""
        return _range(address, count, len(self.staging), "line", "the staging memory")

    def side_lines(self, address: int, count: int) -> slice:
        """Lines of the side memory; ADDRESS beyond it."""
        return _range(address, count, len(self.side), "line", "the side memory")

    def pairs(self, address: int) -> int:
        """The first line of a tensor; ADDRESS if it is odd."""
        require(address % 2 == 0, Fault.ADDRESS, f"a tensor at line {address}, which is odd")
        return address

    def normalized(self, lines: slice) -> Integers:
        """x̂ of lines of the side memory: signed."""
        return sign_extend(self.side[lines], self.side_bits)

    def store_side(self, lines: slice, values: Integers, masks: Integers) -> None:
        """Lines of the side memory, x̂ or r, with their masks."""
        self.side[lines] = values & ((1 << self.side_bits) - 1)
        self.masks[lines] = masks

    # -- records, moments, peaks -----------------------------------------------------------

    def record_range(self, address: int, count: int) -> slice:
        return _range(address, count, len(self.records), "record", "the parameter memory")

    def read_records(self, record: Record, address: int, count: int = 1) -> dict[str, Integers]:
        """Fields of ``count`` records; ADDRESS beyond the memory."""
        return unpack_records(record, self.records[self.record_range(address, count)])

    def scale(self, address: int) -> dict[str, int]:
        """A scale record."""
        return {
            name: int(each[0]) for name, each in self.read_records(Record.SCALE, address).items()
        }

    def moment_range(self, address: int, count: int) -> slice:
        return _range(address, count, len(self.moments), "moments", "the moment memory")

    def add_moments(self, address: int, first: Integers, second: Integers, *, clear: bool) -> None:
        """Two sums of channels from ``address`` on, added to what is there unless ``clear``."""
        where = self.moment_range(address, len(first))
        sums = np.stack([first, second], axis=1)
        self.moments[where] = sums if clear else self.moments[where] + sums

    def peak_range(self, address: int, count: int) -> slice:
        return _range(address, count, len(self.peaks), "peak", "the peak memory")

    def raise_peak(self, address: int, magnitude: int) -> None:
        """The greatest of what is there and ``magnitude``."""
        where = self.peak_range(address, 1)
        self.peaks[where] = np.maximum(self.peaks[where], np.uint64(max(magnitude, 0)))

    # -- shapes ----------------------------------------------------------------------------

    def forget_shapes(self) -> None:
        """No shape is written."""
        self._shapes.clear()

    def set_shape(self, command: Shape) -> None:
        assert command.entry < SHAPES
        self._shapes[command.entry] = command

    def shape(self, entry: int) -> Shape:
        """An entry of the table; COUNT for one that was not written."""
        require(entry in self._shapes, Fault.COUNT, f"shape {entry}, which was not written")
        return self._shapes[entry]


def _range(address: int, count: int, size: int, unit: str, memory: str) -> slice:
    last = address + count - 1
    require(last < size, Fault.ADDRESS, f"{unit} {last} of {size} of {memory}")
    return slice(address, address + count)
