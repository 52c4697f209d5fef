"""The fetch stage: blocks from the load stream into the operand buffers."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.matrix_commands import Fault, Side
from hw.contract.parameters import Parameters
from hw.sequencer.tasks import ADDRESS_BITS, COUNT_BITS, INDEX_BITS, digit_bits, load_task

__all__ = ["FetchStage", "buffer_write"]


def buffer_write(parameters: Parameters) -> data.StructLayout:
    """A write of one part of a word: a whole block for rows, N rows of it for columns."""
    parts = parameters.array.spatial_bits * parameters.lane_groups
    return data.StructLayout(
        {
            "rows": 1,
            "columns": 1,
            "address": ADDRESS_BITS,
            "part": range(max(2, parts)),
            "tile": range(max(2, parameters.column_tiles_per_block)),
            "block": parameters.block_bits,
        }
    )


class FetchStage(wiring.Component):
    """Runs load tasks: for each slice, digit and part of a word, one block into a buffer.

    Members
    -------
    tasks : In(stream of `load_task`)
    blocks : In(stream of blocks)
    write : Out(`buffer_write`)      ``rows`` / ``columns``: write into that buffer
    retired, signal : Out(1)         a task has ended; it asks for a token to be given
    fault, index : Out               `Fault.ADDRESS` for the cycle of a write beyond the buffer,
                                     which is not performed, and the command that wanted it
    halt : In(1)                     take no more blocks
    idle : Out(1)

    Timing: one block per cycle into the row buffer, one per M / N cycles into the column buffer
    (a block holds M / N column tiles). A write is at the buffers two cycles after its block was
    taken, ``retired`` with the last one; one cycle between tasks.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__(
            {
                "tasks": In(stream.Signature(load_task(parameters))),
                "blocks": In(stream.Signature(parameters.block_bits)),
                "write": Out(buffer_write(parameters)),
                "retired": Out(1),
                "signal": Out(1),
                "fault": Out(8),
                "index": Out(INDEX_BITS),
                "halt": In(1),
                "idle": Out(1),
            }
        )
        self.parts = parameters.array.spatial_bits * parameters.lane_groups
        self.task = Signal(load_task(parameters))
        self.active = Signal()
        self.tile = Signal(range(max(2, parameters.column_tiles_per_block)))
        self.part = Signal(range(max(2, self.parts)))
        self.digits_left = Signal(digit_bits(parameters))
        self.slices_left = Signal(COUNT_BITS)
        self.in_last_slice = Signal()
        self.at_last_part = Signal()
        self.slice_base = Signal(ADDRESS_BITS)
        self.word = Signal(ADDRESS_BITS)
        self.tile_word = Signal(ADDRESS_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        columns = self.task.side == Side.COLUMNS
        writing, block_done, task_done = Signal(), Signal(), Signal()
        last_tile = Mux(columns, self.tile == self.parameters.column_tiles_per_block - 1, 1)
        m.d.comb += [
            writing.eq(self.active & self.blocks.valid & ~self.halt),
            block_done.eq(writing & last_tile),
            self.blocks.ready.eq(self.active & last_tile & ~self.halt),
            task_done.eq(
                block_done & self.at_last_part & (self.digits_left == 0) & self.in_last_slice
            ),
            self.tasks.ready.eq(~self.active),
        ]
        self._write(m, writing, columns)
        self._walk(m, writing, block_done)
        self._take_task(m)
        self._retire(m, task_done)
        return m

    def _write(self, m: Module, writing: Value, columns: Value) -> None:
        """Place and block in a register, checked from there on into the next."""
        buffers = self.parameters.buffers
        placed = Signal.like(self.write)
        index = Signal(INDEX_BITS)
        words = Mux(placed.columns, buffers.column_words, buffers.row_words)
        legal = placed.address < words
        m.d.sync += [
            placed.rows.eq(writing & ~columns),
            placed.columns.eq(writing & columns),
            placed.address.eq(self.tile_word),
            placed.part.eq(self.part),
            placed.tile.eq(self.tile),
            placed.block.eq(self.blocks.payload),
            index.eq(self.task.index),
            self.write.eq(placed),
            self.write.rows.eq(placed.rows & legal),
            self.write.columns.eq(placed.columns & legal),
            self.fault.eq(Mux((placed.rows | placed.columns) & ~legal, Fault.ADDRESS, Fault.NONE)),
            self.index.eq(index),
        ]

    def _walk(self, m: Module, writing: Value, block_done: Value) -> None:
        """Tile within part within digit within slice, innermost first."""
        with m.If(block_done):
            m.d.sync += [self.tile.eq(0), self.tile_word.eq(self.word)]
            with m.If(~self.at_last_part):
                m.d.sync += [
                    self.part.eq(self.part + 1),
                    self.at_last_part.eq(self.part == self.parts - 2),
                ]
            with m.Else():
                m.d.sync += [self.part.eq(0), self.at_last_part.eq(self.parts == 1)]
                self._next_word(m)
        with m.Elif(writing):
            m.d.sync += [
                self.tile.eq(self.tile + 1),
                self.tile_word.eq(self.tile_word + self.task.tile_stride),
            ]

    def _next_word(self, m: Module) -> None:
        with m.If(self.digits_left != 0):
            m.d.sync += [
                self.digits_left.eq(self.digits_left - 1),
                self.word.eq(self.word + 1),
                self.tile_word.eq(self.word + 1),
            ]
        with m.Elif(~self.in_last_slice):
            base = (self.slice_base + self.task.slice_stride)[:ADDRESS_BITS]
            m.d.sync += [
                self.slices_left.eq(self.slices_left - 1),
                self.in_last_slice.eq(self.slices_left == 1),
                self.digits_left.eq(self.task.digits - 1),
                self.slice_base.eq(base),
                self.word.eq(base),
                self.tile_word.eq(base),
            ]
        with m.Else():
            m.d.sync += self.active.eq(0)

    def _take_task(self, m: Module) -> None:
        incoming = self.tasks.payload
        with m.If(self.tasks.valid & self.tasks.ready):
            m.d.sync += [
                self.task.eq(incoming),
                self.active.eq(incoming.digits != 0),
                self.slices_left.eq(incoming.slices - 1),
                self.in_last_slice.eq(incoming.slices == 1),
                self.at_last_part.eq(self.parts == 1),
                self.digits_left.eq(incoming.digits - 1),
                self.slice_base.eq(incoming.address),
                self.word.eq(incoming.address),
                self.tile_word.eq(incoming.address),
            ]

    def _retire(self, m: Module, task_done: Value) -> None:
        """A task retires when its last write is at the buffers; a skipped one (no digits) as if
        it had written in the cycle in which it was taken."""
        skipped = self.tasks.valid & self.tasks.ready & (self.tasks.payload.digits == 0)
        incoming, ending, signals = self.tasks.payload, Signal(), Signal()
        m.d.sync += [
            ending.eq(task_done | skipped),
            signals.eq(Mux(skipped, incoming.signal, self.task.signal)),
            self.retired.eq(ending),
            self.signal.eq(ending & signals),
        ]
        m.d.comb += self.idle.eq(~self.active & ~ending & ~self.retired)
