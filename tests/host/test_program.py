"""Programs of the matrix engine, checked by carrying them out: one buffer word at a time."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.blocking import plan
from host.program import MatrixProgram
from hw.contract.matrix_commands import Load, Multiply, Side
from hw.contract.parameters import Parameters
from hw.contract.precision import Pass, value_range
from tests.hw.machines import machine


class Interpreter:
    """The engine's commands, carried out on integers, in the most uneven orders possible.

    The tokens alone decide what may run: a load that they do not keep from overwriting a word in
    use, or a multiply that they let go ahead of its operands, gives a wrong product in one of the
    two extreme orders.
    """

    def __init__(self, program: MatrixProgram) -> None:
        self.program, self.p = program, program.parameters
        words = {
            Side.ROWS: self.p.buffers.row_words,
            Side.COLUMNS: self.p.buffers.column_words,
        }
        parts = self.p.array.spatial_bits * self.p.lane_groups
        height = {Side.ROWS: self.p.array.rows, Side.COLUMNS: self.p.array.columns}
        self.buffers = {
            side: np.zeros((words[side], parts, height[side], self.p.block.channels), np.uint8)
            for side in Side
        }
        self.blocks = deque(program.blocks)
        self.results: list[np.ndarray] = []

    def run(self, *, fetch_first: bool) -> np.ndarray:
        """Both stages, one of them always as far ahead as its tokens let it."""
        loads = deque(c for c in self.program.commands if isinstance(c, Load))
        multiplies = deque(c for c in self.program.commands if isinstance(c, Multiply))
        filled = freed = 0
        while loads or multiplies:
            may_load = loads and (freed or not loads[0].wait)
            may_multiply = multiplies and (filled or not multiplies[0].wait)
            if may_load and (fetch_first or not may_multiply):
                command = loads.popleft()
                freed -= command.wait
                self._load(command)
                filled += command.signal
            elif may_multiply:
                each = multiplies.popleft()
                filled -= each.wait
                self._multiply(each)
                freed += each.signal
            else:
                raise AssertionError("deadlock: both stages wait for a token")
        assert not self.blocks, "blocks left over"
        return np.concatenate(self.results) if self.results else np.zeros((0, 0), np.int64)

    def _load(self, command: Load) -> None:
        side, buffer = command.side, self.buffers[command.side]
        operand = self.program.pass_.row if side is Side.ROWS else self.program.pass_.column
        assert command.operand is operand
        digits = self.p.digits(self.program.bits[side])
        height = buffer.shape[2]
        for step in range(command.slices):
            for digit in range(digits):
                word = command.address + step * command.slice_stride + digit
                for part in range(buffer.shape[1]):
                    bits = np.unpackbits(self.blocks.popleft(), bitorder="little")
                    vectors = bits.reshape(self.p.array.rows, -1)
                    for tile in range(self.p.array.rows // height):
                        rows = vectors[tile * height : (tile + 1) * height]
                        buffer[word + tile * command.tile_stride, part] = rows

    def _operand(self, side: Side, address: int, signed: bool) -> np.ndarray:
        """Integers ``[vectors, lanes]`` of the digits at ``address``."""
        bits, spatial = self.program.bits[side], self.p.array.spatial_bits
        total = 0
        for plane in range(bits):
            digit, s = divmod(plane, spatial)
            groups = self.p.lane_groups
            parts = self.buffers[side][address + digit, s * groups : (s + 1) * groups]
            lanes = parts.transpose(1, 0, 2).reshape(parts.shape[1], -1).astype(np.int64)
            weight = 1 << (bits - 1 - plane)
            total = total + lanes * (-weight if signed and plane == 0 else weight)
        return np.asarray(total)

    def _multiply(self, command: Multiply) -> None:
        assert command.start and command.finish
        tile = np.zeros((self.p.array.rows, self.p.array.columns), np.int64)
        for step in range(command.slices):
            row = self._operand(
                Side.ROWS, command.row_address + step * command.row_stride, command.row_signed
            )
            column = self._operand(
                Side.COLUMNS,
                command.column_address + step * command.column_stride,
                command.column_signed,
            )
            tile += row @ column.T
        beats = tile.reshape(self.p.array.rows, self.p.column_clusters, self.p.beats_per_tile)
        self.results.append(beats.transpose(2, 0, 1).reshape(self.p.beats_per_tile, -1))


@given(
    pass_=st.sampled_from(Pass),
    bits=st.tuples(st.sampled_from([1, 2, 3, 5, 8, 16]), st.sampled_from([1, 3, 4, 8, 16])),
    shape=st.tuples(st.integers(1, 90), st.integers(1, 60), st.integers(1, 300)),
    spatial_bits=st.sampled_from([1, 4]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_programs_compute_the_product(
    pass_: Pass,
    bits: tuple[int, int],
    shape: tuple[int, int, int],
    spatial_bits: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = (
        rng.integers(*value_range(width, signed), (count, shape[2]), endpoint=True)
        for width, signed, count in (
            (bits[0], pass_.row.signed, shape[0]),
            (bits[1], pass_.column.signed, shape[1]),
        )
    )
    program = MatrixProgram(pass_, rows, columns, bits, machine(array__spatial_bits=spatial_bits))
    for fetch_first in (True, False):
        beats = Interpreter(program).run(fetch_first=fetch_first)
        assert beats.shape[0] == program.beats
        assert np.array_equal(program.collect(beats), rows @ columns.T)


def test_what_is_loaded_once_serves_many_tiles() -> None:
    """A product whose columns fit into half a buffer loads every block exactly once."""
    p = machine()
    rows, columns = np.ones((160, 36), int), np.ones((24, 36), int)
    program = MatrixProgram(Pass.FORWARD, rows, columns, (4, 4), p)
    per_plane = p.lane_groups
    assert len(program.blocks) == (160 // 8 + 24 // 8) * 4 * per_plane


@pytest.mark.parametrize("bits", [(16, 16), (1, 1), (9, 2)])
def test_chunks_never_overflow_the_accumulators(bits: tuple[int, int]) -> None:
    p: Parameters = machine("zc706", buffers__row_words=65536, buffers__column_words=65536)
    shape = plan(Pass.GRADIENT, (32, 16), 10**9, bits, p)
    largest = (2 ** bits[0] - 1) * 2 ** (bits[1] - 1) * shape.chunk_slices * p.array.lanes
    assert largest < 2**47
