"""The memory of the array's column operand: wide words, filled in parts, read one per pass."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import CHIP_ADDRESS_BITS, column_operand, column_write
from fractrain.hw.memory.block_memory import BlockMemory
from fractrain.hw.shared_module import SharedModule

__all__ = ["ColumnMemory", "ColumnPart", "column_read"]


def column_read(parameters: Parameters) -> data.StructLayout:
    """A read of the column memory: the ``groups`` (bit g: lane group g) that are not zeroed."""
    return data.StructLayout(
        {"enable": 1, "address": CHIP_ADDRESS_BITS, "groups": parameters.lane_groups}
    )


class ColumnPart(wiring.Component):
    """``depth`` words of ``width`` bits; a read can give zeros instead.

    Members
    -------
    write_enable, write_address, write_data : In
    read_enable, read_address : In
    present : In(1)        with ``read_enable``: not zeros
    read_data : Out(width)

    Timing: ``read_data`` follows ``read_enable`` by `LATENCY_CYCLES` and holds. A word read in the
    cycle in which it is written comes out old.
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
                "present": In(1),
                "read_data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = BlockMemory(self.width, self.depth)
        show, clear = Signal(), Signal()
        m.d.comb += [
            memory.write_enable.eq(self.write_enable),
            memory.write_address.eq(self.write_address),
            memory.write_data.eq(self.write_data),
            memory.read_enable.eq(self.read_enable),
            memory.read_address.eq(self.read_address),
        ]
        m.d.sync += [show.eq(self.read_enable), clear.eq(self.read_enable & ~self.present)]
        with m.If(clear):
            m.d.sync += self.read_data.eq(0)
        with m.Elif(show):
            m.d.sync += self.read_data.eq(memory.read_data)
        return m


class ColumnMemory(wiring.Component):
    """``column_words`` words, each a digit of the column operand for all lanes of a slice.

    A word is ``lane_groups`` parts, each C channels (lanes) of all columns in ``S`` planes, which
    are written one at a time: a half-block of pixels by channels, or its transpose.

    Members
    -------
    write : In(`column_write`)
    read : In(`column_read`)
    columns : Out(`column_operand`)

    Timing: ``columns`` follows ``read`` by `LATENCY_CYCLES` and holds until the next; a write
    reaches the memory in its own cycle, one per cycle. Addresses beyond the memory wrap or read
    anything: the user checks them.
    """

    LATENCY_CYCLES = ColumnPart.LATENCY_CYCLES

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__(
            {
                "write": In(column_write(parameters)),
                "read": In(column_read(parameters)),
                "columns": Out(column_operand(parameters.array)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parts = [self._part(m, group) for group in range(self.parameters.lane_groups)]
        channels, planes = self.parameters.block.channels, self.parameters.array.spatial_bits
        for column, operand in enumerate(self.columns):
            starts = [(plane * channels + column) * channels for plane in range(planes)]
            m.d.comb += operand.eq(
                Cat(part[start : start + channels] for start in starts for part in parts)
            )
        return m

    def _part(self, m: Module, group: int) -> Value:
        width, depth = len(self.write.data), self.parameters.buffers.column_words
        part = SharedModule(ColumnPart(width, depth), f"column_part_{width}x{depth}")
        m.submodules[f"part_{group}"] = part
        m.d.comb += [
            part.write_enable.eq(self.write.valid & (self.write.group == group)),
            part.write_address.eq(self.write.address),
            part.write_data.eq(self.write.data),
            part.read_enable.eq(self.read.enable),
            part.read_address.eq(self.read.address),
            part.present.eq(self.read.groups[group]),
        ]
        return part.read_data
