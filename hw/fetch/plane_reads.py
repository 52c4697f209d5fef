"""MOVE: words of the plane memory, in the order in which the column memory gets them."""

from amaranth.hdl import Module, Signal, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import FIELDS, Fault, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.unit_targets import report
from fractrain.hw.flow.expander import Expander
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import CHIP_ADDRESS_BITS, plane_answer
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import command_view, digit_bits, field_bits

__all__ = ["PlaneReads", "move_source", "move_source_of"]

STRIDES = ("digit_stride", "run_stride")
COUNTS = ("runs", "words")
WAITING = 16
"""Words that are being read, or wait for the column memory."""


def move_source(parameters: Parameters) -> data.StructLayout:
    """Which words a MOVE reads."""
    return data.StructLayout(
        {
            **field_bits(Opcode.MOVE, "address", *STRIDES, *COUNTS),
            "digits": digit_bits(parameters),
        }
    )


def move_source_of(task: data.View) -> dict[str, ValueLike]:
    """The `move_source` of a `stage_task`."""
    move = command_view(Opcode.MOVE, task.command)
    fields = {name: move[name] for name in ("address", *STRIDES, *COUNTS)}
    return {**fields, "digits": task.digits}


class PlaneReads(wiring.Component):
    """Reads the words of one MOVE after the other.

    Members
    -------
    sources : In(stream of `move_source`)    a MOVE that may read
    reads : Out(stream of a word's address)  its transfer is the grant
    answers : In(`plane_answer`)             in the order of the grants, without back-pressure
    words : Out(stream of words)
    fault : Out(Fault)   ADDRESS for a cycle: a word beyond the memory; neither it nor any after it
                         is read
    halt : In(1)         report nothing

    Timing: the first read `latency_cycles` after its MOVE, then one a cycle, as long as no more
    than `WAITING` words are on their way to ``words``.
    """

    LOOPS = 3
    latency_cycles = LOOPS * (Expander.latency_cycles + StreamRegister.latency_cycles)

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        source = move_source(parameters).members
        digits = (1 << digit_bits(parameters)) - 1
        sum_limit = (1 << CHIP_ADDRESS_BITS) - 1
        for name, count in (("digit_stride", digits), ("run_stride", 1 << source["runs"])):
            sum_limit += count * ((1 << FIELDS[Opcode.MOVE][name].width) - 1)
        address = {"address": (sum_limit + (1 << source["words"])).bit_length()}
        strides = {name: source[name] for name in STRIDES}
        counts = {name: source[name] for name in COUNTS}
        self.digit = data.StructLayout({**address, **strides, **counts})
        self.run = data.StructLayout(
            {**address, "run_stride": source["run_stride"], "words": source["words"]}
        )
        self.word = data.StructLayout(address)
        super().__init__(
            {
                "sources": In(stream.Signature(move_source(parameters))),
                "reads": Out(stream.Signature(CHIP_ADDRESS_BITS)),
                "answers": In(plane_answer(parameters)),
                "words": Out(stream.Signature(8 * parameters.word_bytes)),
                "fault": Out(Fault),
                "halt": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        source = self.sources.payload
        digits = Expander(self.digit, len(source.digits), {"address": "digit_stride"})
        runs = Expander(self.run, len(source.runs), {"address": "run_stride"})
        words = Expander(self.word, len(source.words), {"address": 1})
        m.submodules.digits, m.submodules.runs, m.submodules.words = digits, runs, words
        m.d.comb += [
            *(digits.i.payload.item[name].eq(source[name]) for name in self.digit.members),
            digits.i.payload.count.eq(source.digits),
            digits.i.valid.eq(self.sources.valid),
            self.sources.ready.eq(digits.i.ready),
        ]
        for name, outer, inner, count in (
            ("run", digits, runs, "runs"),
            ("word", runs, words, "words"),
        ):
            between = StreamRegister(inner.i.payload.shape())
            m.submodules[f"{name}_begins"] = between
            item = between.i.payload.item
            m.d.comb += [
                *(item[each].eq(outer.o.payload.item[each]) for each in item.shape().members),
                between.i.payload.count.eq(outer.o.payload.item[count]),
                between.i.valid.eq(outer.o.valid),
                outer.o.ready.eq(between.i.ready),
            ]
            wiring.connect(m, between.o, inner.i)
        found = StreamRegister(self.word)
        m.submodules.found = found
        m.d.comb += [
            found.i.payload.eq(words.o.payload.item),
            found.i.valid.eq(words.o.valid),
            words.o.ready.eq(found.i.ready),
        ]
        self._ask(m, found)
        return m

    def _ask(self, m: Module, found: StreamRegister) -> None:
        """With room for the answer."""
        m.submodules.fifo = fifo = Fifo(8 * self.parameters.word_bytes, WAITING + Fifo.SLACK)
        free = Signal(range(WAITING + 1), init=WAITING)
        asked, given, beyond = Signal(), Signal(), Signal()
        address = found.o.payload.address
        m.d.comb += [
            beyond.eq(address >= self.parameters.buffers.plane_words),
            self.reads.payload.eq(address),
            self.reads.valid.eq(found.o.valid & ~beyond & (free != 0)),
            found.o.ready.eq(self.reads.ready & ~beyond & (free != 0)),
            asked.eq(self.reads.valid & self.reads.ready),
            given.eq(self.words.valid & self.words.ready),
            fifo.w_data.eq(self.answers.data),
            fifo.w_en.eq(self.answers.valid),
            self.words.payload.eq(fifo.r_data),
            self.words.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.words.ready),
        ]
        m.d.sync += free.eq(free - asked + given)
        report(m, found.o.valid & beyond & ~self.halt, self.fault)
