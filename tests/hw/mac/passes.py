"""Tiles of integers as the passes that an array is given, and its beats as integers again."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fractrain.hw.contract.parameters import ArrayParameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.layouts import array_beat, pass_control
from tests.hw.mac.digits import pack, planes_of


@dataclass(frozen=True)
class Operand:
    """``values`` [slices, vectors, lanes] of ``bits`` bits, two's complement if ``signed``."""

    values: np.ndarray
    bits: int
    signed: bool

    @classmethod
    def random(
        cls, rng: np.random.Generator, shape: tuple[int, ...], bits: int, signed: bool
    ) -> "Operand":
        """Uniform values, some vectors of them all the least or all the greatest."""
        low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
        values = rng.integers(low, high, shape)
        extreme = rng.random(shape[:2]) < 0.3
        values[extreme] = rng.choice([low, high - 1], extreme.sum())[:, None]
        return cls(values, bits, signed)

    def digits(self, spatial_bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """Bits [slices, digits, vectors, S, lanes], enable and negative [digits], padding."""
        count = -(-self.bits // spatial_bits)
        padding = count * spatial_bits - self.bits
        planes = planes_of(self.values << padding, count * spatial_bits)
        slices, vectors, _, lanes = planes.shape
        bits = planes.reshape(slices, vectors, count, spatial_bits, lanes).swapaxes(1, 2)
        everything = (1 << spatial_bits) - 1
        enable = np.full(count, everything)
        # bit s of a mask is plane s: the absent ones are the highest bits of the last digit
        enable[-1] = everything >> padding
        negative = np.zeros(count, np.int64)
        negative[0] = self.signed
        return bits, enable, negative, padding


@dataclass(frozen=True)
class Tile:
    rows: Operand
    columns: Operand

    def product(self, spatial_bits: int) -> np.ndarray:
        """What the accumulators hold: the matrix product, shifted by the padding of the digits."""
        exact = np.einsum("smk,snk->mn", self.rows.values, self.columns.values)
        return exact << sum(-each.bits % spatial_bits for each in (self.rows, self.columns))


class Stimulus:
    """Cycles of control, rows and columns, to be played into an array; grows tile by tile."""

    def __init__(self, array: ArrayParameters, rng: np.random.Generator, bubbles: float) -> None:
        self._array, self._rng, self._bubbles = array, rng, bubbles
        self._fields: list[dict[str, int]] = []
        self._rows: list[np.ndarray] = []
        self._columns: list[np.ndarray] = []
        self._idle_until = 0
        self.last_cycles: list[int] = []

    def add(self, tile: Tile) -> None:
        planes = self._array.spatial_bits
        rows, row_enable, row_negative, _ = tile.rows.digits(planes)
        columns, column_enable, column_negative, _ = tile.columns.digits(planes)
        slices, row_digits, column_digits = len(rows), rows.shape[1], columns.shape[1]
        passes = list(np.ndindex(slices, row_digits, column_digits))
        for index, (part, i, j) in enumerate(passes):
            last = index == len(passes) - 1
            while self._rng.random() < self._bubbles or (last and len(self) < self._idle_until):
                self._bubble()
            fields = {
                "valid": 1,
                "first": int(index == 0),
                "last": int(last),
                "shift": planes * (row_digits - 1 - i + column_digits - 1 - j),
                "row_enable": row_enable[i],
                "row_negative": row_negative[i],
                "column_enable": column_enable[j],
                "column_negative": column_negative[j],
            }
            self._append(fields, rows[part, i], columns[part, j], absent=True)
        self.last_cycles.append(len(self) - 1)
        self._idle_until = len(self) - 1 + self._array.beats_per_tile

    def drain(self, cycles: int) -> None:
        for _ in range(cycles):
            self._bubble()

    def __len__(self) -> int:
        return len(self._fields)

    def ports(self) -> dict[str, np.ndarray]:
        layout = pass_control(self._array)
        control = np.zeros(len(self), np.int64)
        for name, field in layout:
            control |= np.array([int(each[name]) << field.offset for each in self._fields])
        return {
            "control": control,
            "rows": pack(np.array(self._rows), 3),
            "columns": pack(np.array(self._columns), 3),
        }

    def _bubble(self) -> None:
        """A cycle without a pass: everything but ``valid`` is anything."""
        array = self._array
        fields = {
            name: int(self._rng.integers(0, 1 << field.width))
            for name, field in pass_control(self._array)
        }
        shape = (array.spatial_bits, array.lanes)
        rows, columns = (
            self._rng.integers(0, 2, (count, *shape), dtype=np.uint8)
            for count in (array.rows, array.columns)
        )
        self._append(fields | {"valid": 0}, rows, columns, absent=False)

    def _append(
        self, fields: dict[str, int], rows: np.ndarray, columns: np.ndarray, *, absent: bool
    ) -> None:
        if absent:  # what lies in planes that are not enabled must not matter
            rows = self._fill_absent(rows, fields["row_enable"])
            columns = self._fill_absent(columns, fields["column_enable"])
        self._fields.append(fields)
        self._rows.append(rows)
        self._columns.append(columns)

    @staticmethod
    def _fill_absent(bits: np.ndarray, enable: int) -> np.ndarray:
        filled = bits.copy()
        for plane in range(bits.shape[-2]):
            if not enable >> plane & 1:
                filled[..., plane, :] = 1
        return filled


def read_tiles(
    array: ArrayParameters, results: np.ndarray, starts: Iterable[int]
) -> list[np.ndarray]:
    """Matrices [M, N] of the tiles whose beat 0 is in the cycles ``starts``.

    Fails unless ``valid`` and ``last`` are set in the cycles in which they must be and in no
    other.
    """
    layout = array_beat(array)
    if results.ndim == 1:  # a port of one word
        results = results[:, None].view(np.uint8)
    bits = np.unpackbits(results, axis=1, bitorder="little")
    beats = array.beats_per_tile
    starts = np.fromiter(starts, np.int64)
    busy = (starts[:, None] + np.arange(beats)).ravel()
    assert np.array_equal(np.flatnonzero(bits[:, layout["valid"].offset]), busy)
    ends = np.flatnonzero(bits[:, layout["valid"].offset] & bits[:, layout["last"].offset])
    assert np.array_equal(ends, starts + beats - 1)

    width = SUM_BITS
    offset, count = layout["data"].offset, array.results_per_beat
    fields = bits[busy, offset : offset + count * width].reshape(-1, beats, count, width)
    values = fields.astype(np.int64) @ (1 << np.arange(width))
    values = (values << (64 - width)) >> (64 - width)
    # [tile, beat, row, cluster] → [tile, row, cluster, beat]: columns are clusters of beats
    values = values.reshape(-1, beats, array.rows, array.column_clusters)
    matrix = (array.rows, array.columns)
    return list(values.transpose(0, 2, 3, 1).reshape(-1, *matrix))
