"""A small machine with the ports of the matrix engine, to test the harness around the engine.

It has no array: a command echoes blocks as results. What it can do beyond that is go wrong.
"""

import enum

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.contract.matrix_commands import COMMAND_BITS, HEADER, LOAD_FIELDS, Fault
from hw.contract.matrix_registers import ADDRESS_BITS, CAUSE, FAULT_INDEX, STATUS
from hw.contract.parameters import Parameters


class Opcode(enum.IntEnum):
    ECHO = 1
    """Take as many blocks as the field ``slices`` says and send a beat for each."""
    HANG = 2
    """Never be idle again."""


class Flaw(enum.Enum):
    """A way to break the stream rules on the results."""

    NONE = "none"
    DROPS_VALID = "takes back an offer that was not accepted at once"
    CHANGES_PAYLOAD = "changes the payload while it waits"
    EXTRA_BEAT = "sends one beat more than asked for"


def command_word(opcode: int, count: int = 0) -> int:
    return opcode << HEADER["opcode"].offset | count << LOAD_FIELDS["slices"].offset


class StandIn(wiring.Component):
    """Echo of blocks: result ``r`` repeats the bits of its share of the block to the full width.

    An unknown opcode is a fault. Registers: 0..15 keep what is written; STATUS and FAULT_INDEX
    as in the engine.
    """

    def __init__(self, parameters: Parameters, flaw: Flaw = Flaw.NONE) -> None:
        self._parameters, self._flaw = parameters, flaw
        width = parameters.precision.accumulator_bits
        self._beat = data.StructLayout(
            {"data": data.ArrayLayout(width, parameters.results_per_beat), "last": 1}
        )
        super().__init__(
            {
                "commands": In(stream.Signature(COMMAND_BITS)),
                "load": In(stream.Signature(parameters.block_bits)),
                "results": Out(stream.Signature(self._beat)),
                "registers": In(
                    wiring.Signature(
                        {
                            "address": Out(ADDRESS_BITS),
                            "write": Out(1),
                            "write_data": Out(32),
                            "read_data": In(32),
                        }
                    )
                ),
                "idle": Out(1),
                "fault": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = SyncFIFOBuffered(width=COMMAND_BITS, depth=4)
        remaining, waiting, hung, executed = Signal(16), Signal(), Signal(), Signal(32)
        opcode = queue.r_data[: HEADER["opcode"].width]
        m.d.comb += [
            queue.w_data.eq(self.commands.payload),
            queue.w_en.eq(self.commands.valid),
            self.commands.ready.eq(queue.w_rdy),
            self.idle.eq((queue.level == 0) & (remaining == 0) & ~waiting & ~hung),
        ]
        with m.If(queue.r_rdy & (remaining == 0) & ~hung & ~self.fault):
            m.d.comb += queue.r_en.eq(1)
            m.d.sync += executed.eq(executed + 1)
            with m.Switch(opcode):
                with m.Case(Opcode.ECHO):
                    extra = int(self._flaw is Flaw.EXTRA_BEAT)
                    field = LOAD_FIELDS["slices"]
                    count = queue.r_data[field.offset : field.offset + field.width]
                    m.d.sync += remaining.eq(count + extra)
                with m.Case(Opcode.HANG):
                    m.d.sync += hung.eq(1)
                with m.Default():
                    m.d.sync += self.fault.eq(1)
        self._echo(m, remaining, waiting)
        self._registers(m, executed)
        return m

    def _echo(self, m: Module, remaining: Signal, waiting: Signal) -> None:
        """One register between load stream and result stream."""
        width = self._parameters.precision.accumulator_bits
        share = self._parameters.block_bits // self._parameters.results_per_beat
        beat = Signal(self._beat)
        held = Signal()  # an offer that was not accepted in its first cycle
        taken = self.results.ready & self.results.valid
        shown = ~(held & (self._flaw is Flaw.DROPS_VALID))
        drift = held & (self._flaw is Flaw.CHANGES_PAYLOAD)
        m.d.comb += [
            self.load.ready.eq((remaining != 0) & (~waiting | taken)),
            self.results.valid.eq(waiting & shown),
            self.results.payload.eq(Cat(beat.as_value()[:-1] ^ drift, beat.last)),
        ]
        m.d.sync += held.eq(self.results.valid & ~self.results.ready)
        with m.If(taken):
            m.d.sync += waiting.eq(0)
        with m.If(self.load.ready & self.load.valid):
            m.d.sync += [
                remaining.eq(remaining - 1),
                waiting.eq(1),
                beat.last.eq(remaining == 1),
            ]
            for index in range(self._parameters.results_per_beat):
                bits = self.load.payload.word_select(index, share)
                m.d.sync += beat.data[index].eq(bits.replicate(-(-width // share)))

    def _registers(self, m: Module, executed: Signal) -> None:
        m.submodules.kept = kept = Memory(shape=32, depth=16, init=[])
        read, write = kept.read_port(), kept.write_port()
        chosen = Signal(ADDRESS_BITS)
        m.d.sync += chosen.eq(self.registers.address)
        m.d.comb += [
            read.addr.eq(self.registers.address),
            read.en.eq(1),
            write.addr.eq(self.registers.address),
            write.data.eq(self.registers.write_data),
            write.en.eq(self.registers.write),
            self.registers.read_data.eq(read.data),
        ]
        with m.If(chosen == STATUS.address):
            cause = Mux(self.fault, Fault.OPCODE.value, 0)
            m.d.comb += self.registers.read_data.eq(cause << CAUSE.offset)
        with m.If(chosen == FAULT_INDEX.address):
            m.d.comb += self.registers.read_data.eq(executed)
