"""A feeder whose windows are numbers: what the execute stage needs of one, and no more."""

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import plane_write
from fractrain.hw.flow.tasks import INDEX_BITS, stage_task

CHUNK_BITS = 32
FACTOR, STEP = 0x9E3779B1, 0x85EBCA6B


class WindowSource(wiring.Component):
    """The members of `WindowFeeder`.

    A write to an odd address makes tasks and windows wait for one another at random from then on,
    one to an even address ends that. Window ``n`` is made of chunks of 32 bits, number ``i`` of
    them ``n * FACTOR + i * STEP``.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        array = parameters.array
        super().__init__(
            {
                "tasks": In(stream.Signature(stage_task(parameters))),
                "write": In(plane_write(parameters)),
                "complete": Out(1),
                "take": In(1),
                "rows": Out(data.ArrayLayout(array.spatial_bits * array.lanes, array.rows)),
                "halt": In(1),
                "fault": Out(8),
                "fault_index": Out(INDEX_BITS),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        noise, number, shown = Signal(16, init=1), Signal(CHUNK_BITS), Signal(CHUNK_BITS)
        chunks = -(-len(self.rows.as_value()) // CHUNK_BITS)
        rows = Cat((shown * FACTOR + i * STEP)[:CHUNK_BITS] for i in range(chunks))
        m.d.sync += noise.eq(Cat(noise[15] ^ noise[13] ^ noise[12] ^ noise[10], noise))
        gaps, idle = Signal(), Signal()
        with m.If(self.write.valid):
            m.d.sync += gaps.eq(self.write.address[0])
        m.d.comb += [idle.eq(gaps & noise[0]), self.tasks.ready.eq(~gaps | noise[7])]
        m.d.sync += self.complete.eq(Mux(self.complete & ~self.take, 1, ~idle))
        with m.If(self.take):
            m.d.sync += [number.eq(number + 1), shown.eq(number)]
        m.d.sync += self.rows.as_value().eq(rows)
        return m


def window_bits(parameters: Parameters, number: int) -> np.ndarray:
    """Window ``number`` as bits [row, plane, lane]."""
    array = parameters.array
    size = array.rows * array.spatial_bits * array.lanes
    chunks = np.arange(-(-size // CHUNK_BITS), dtype=np.uint64) * STEP + number * FACTOR
    bits = np.unpackbits(chunks.astype("<u4").view(np.uint8), bitorder="little")[:size]
    return bits.reshape(array.rows, array.spatial_bits, array.lanes)
