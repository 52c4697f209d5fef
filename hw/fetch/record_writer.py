"""SET: records from memory, each to its place in the parameter memory."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BITS, RECORD_BYTES
from fractrain.hw.fetch.unit_targets import report, target_members, unit_target
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.unit_layouts import record_write

__all__ = ["RecordWriter"]


class RecordWriter(wiring.Component):
    """Members: `target_members`.

    Timing: a record a cycle; three cycles more for a task.
    """

    def __init__(self, parameters: Parameters) -> None:
        assert parameters.vector is not None
        self.size = parameters.vector.parameter_words
        self.parts = parameters.word_bytes // RECORD_BYTES
        self.write = record_write(self.size)
        super().__init__(target_members(parameters, self.write))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        target, words = self.targets.payload, self.words
        m.submodules.leaving = leaving = StreamRegister(self.write)
        wiring.connect(m, leaving.o, wiring.flipped(self.writes))
        address = Signal(range(2 * (1 << len(target.destination))))
        left, part = Signal(unit_target()["count"].shape), Signal(range(max(2, self.parts)))
        working, draining, whole = Signal(), Signal(), Signal()
        moves, refused = Signal(), Signal()
        m.d.comb += [
            refused.eq(working & (address >= self.size)),
            leaving.i.valid.eq(working & words.valid & ~refused & ~self.halt),
            leaving.i.payload.address.eq(address),
            leaving.i.payload.data.eq(words.payload.word_select(part, RECORD_BITS)),
            moves.eq(leaving.i.valid & leaving.i.ready),
            whole.eq(part == self.parts - 1),
            words.ready.eq(working & leaving.i.ready & ~refused & ~self.halt & whole),
            self.taken.eq(moves & whole),
            self.ends.eq(draining & leaving.empty),
            self.targets.ready.eq(self.ends),
        ]
        report(m, refused & ~self.halt, self.fault)
        with m.If(~working & ~draining):
            m.d.sync += [address.eq(target.destination), left.eq(target.count), part.eq(0)]
            m.d.sync += working.eq(self.targets.valid)
        with m.Elif(moves):
            m.d.sync += [address.eq(address + 1), part.eq(part + 1)]
            with m.If(whole):
                m.d.sync += [part.eq(0), left.eq(left - 1)]
                with m.If(left == 1):
                    m.d.sync += [working.eq(0), draining.eq(1)]
        with m.Elif(self.ends):
            m.d.sync += draining.eq(0)
        return m
