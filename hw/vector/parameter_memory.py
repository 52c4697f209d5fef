"""The parameter memory: records, for all that compute with them."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.records import RECORD_BITS
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.unit_layouts import record_write
from fractrain.hw.memory.block_memory import BlockMemory

__all__ = ["ParameterMemory"]


class ParameterMemory(wiring.Component):
    """``words`` records of 128 bits (`hw.contract.records`).

    Members, one for each reader or writer; the first that wants to has its turn
    -------
    reads : In(stream of a record's number)     its transfer is the grant
    answers : Out(readers)       one-hot: ``record`` is what this reader has read
    record : Out(128)            until the next answer
    writes : In(stream of `record_write`)

    Timing: ``answers`` `READ_CYCLES` after the grant, in order, without back-pressure. A read that
    is granted after a write reads what was written, one granted with it or before what was there.
    Addresses beyond the memory wrap or read anything: users check them.
    Errors: `ParameterError` for no words, readers or writers.
    """

    READ_CYCLES = 3
    """The turn, the block RAM, its output register."""

    def __init__(self, words: int, readers: int, writers: int) -> None:
        for name, each in (("words", words), ("readers", readers), ("writers", writers)):
            if each < 1:
                raise ParameterError(f"{name} of a parameter memory", each, "at least 1")
        self.words, self.readers, self.writers = words, readers, writers
        super().__init__(
            {
                "reads": In(stream.Signature(range(words))).array(readers),
                "answers": Out(readers),
                "record": Out(RECORD_BITS),
                "writes": In(stream.Signature(record_write(words))).array(writers),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = BlockMemory(RECORD_BITS, self.words)
        reading, address = self._turn(m, self.reads)
        writing, write = self._turn(m, self.writes)
        write = data.View(record_write(self.words), write)
        m.d.sync += [
            memory.read_enable.eq(Cat(reading).any()),
            memory.read_address.eq(address),
            memory.write_enable.eq(Cat(writing).any()),
            memory.write_address.eq(write.address),
            memory.write_data.eq(write.data),
        ]
        shown = delayed(m, memory.read_enable, 1, name="shown", reset_less=False)
        with m.If(shown):
            m.d.sync += self.record.eq(memory.read_data)
        answers = delayed(m, Cat(reading), self.READ_CYCLES, name="answers", reset_less=False)
        m.d.comb += self.answers.eq(answers)
        return m

    @staticmethod
    def _turn(m: Module, streams: list) -> tuple[list[Value], Value]:
        """Who transfers, and what."""
        granted = []
        before: Value = Const(0, 1)
        chosen: Value = Const(0, 1)
        for each in streams:
            turn = Signal()
            m.d.comb += [each.ready.eq(~before), turn.eq(each.valid & ~before)]
            payload = Value.cast(each.payload)
            chosen = chosen | payload & turn.replicate(len(payload))
            granted.append(turn)
            before = before | each.valid
        return granted, chosen
