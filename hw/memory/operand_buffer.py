"""Operand buffers: filled block by block, read a whole word (one digit of a slice) per cycle."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.contract.parameters import Parameters
from hw.shared_module import SharedModule

__all__ = ["BlockMemory", "OperandBuffer"]


class BlockMemory(wiring.Component):
    """``depth`` words of ``width`` bits with one write and one read port, the output registered.

    Members
    -------
    write_enable, write_address, write_data : In
    read_enable, read_address : In
    read_data : Out(width)

    Timing: ``read_data`` follows the address by `LATENCY_CYCLES`. A word read in the cycle in
    which it is written comes out old.
    """

    LATENCY_CYCLES = 2

    def __init__(self, width: int, depth: int):
        self.width, self.depth = width, depth
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(range(depth)),
                "write_data": In(width),
                "read_enable": In(1),
                "read_address": In(range(depth)),
                "read_data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.width, depth=self.depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            read.en.eq(self.read_enable),
            read.addr.eq(self.read_address),
        ]
        m.d.sync += self.read_data.eq(read.data)
        return m


class OperandBuffer(wiring.Component):
    """One side's operand memory: ``words`` words, each a digit of a slice for ``vectors`` vectors.

    A word is ``spatial_bits`` planes x ``lane_groups`` parts of ``channels`` lanes x ``vectors``
    bits; a part is written at a time, with bit ``vector * channels + channel`` as in the block
    layout.

    Members
    -------
    write_enable, write_address : In
    write_part : In(range(parts))    ``plane * lane_groups + lane_group``
    write_data : In(vectors * channels)
    read_enable, read_address : In
    vectors : Out(ArrayLayout(spatial_bits * lanes, vectors))    bit ``plane * lanes + lane``

    Timing: read latency `BlockMemory.LATENCY_CYCLES`, one word per cycle.
    """

    def __init__(self, parameters: Parameters, *, vectors: int, words: int):
        self.parameters, self.vector_count, self.words = parameters, vectors, words
        self.parts = parameters.array.spatial_bits * parameters.lane_groups
        lanes = parameters.array.spatial_bits * parameters.array.lanes
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(range(words)),
                "write_part": In(range(max(2, self.parts))),
                "write_data": In(vectors * parameters.block.channels),
                "read_enable": In(1),
                "read_address": In(range(words)),
                "vectors": Out(data.ArrayLayout(lanes, vectors)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width, channels = len(self.write_data), self.parameters.block.channels
        parts = []
        for part in range(self.parts):
            memory = SharedModule(
                BlockMemory(width, self.words), f"block_memory_{width}x{self.words}"
            )
            m.submodules[f"part_{part}"] = memory
            selected = Signal(name=f"selected_{part}")
            m.d.comb += [
                selected.eq(self.write_part == part),
                memory.write_enable.eq(self.write_enable & selected),
                memory.write_address.eq(self.write_address),
                memory.write_data.eq(self.write_data),
                memory.read_enable.eq(self.read_enable),
                memory.read_address.eq(self.read_address),
            ]
            parts.append(memory.read_data)
        for vector in range(self.vector_count):
            bits = slice(vector * channels, (vector + 1) * channels)
            m.d.comb += self.vectors[vector].eq(Cat(part[bits] for part in parts))
        return m
