"""The side of the fetch stage that runs ahead: which words of memory a LOAD needs."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.commands import LOAD_FIELDS, Opcode
from hw.contract.parameters import Parameters
from hw.flow.expander import Expander
from hw.flow.stream_register import StreamRegister
from hw.flow.tasks import digit_bits, field, stage_task

__all__ = ["ADDRESS_BITS", "WORDS_BITS", "LoadRequests", "read_request", "sum_bits", "word_shift"]

ADDRESS_BITS = LOAD_FIELDS["address"].width
WORDS_BITS = LOAD_FIELDS["words"].width


def read_request() -> data.StructLayout:
    """``words`` words of memory from byte ``address`` on."""
    return data.StructLayout({"address": ADDRESS_BITS, "words": WORDS_BITS})


def word_shift(parameters: Parameters) -> int:
    """Bits of an address within a word: ``word_bytes`` is two to this power."""
    return parameters.word_bytes.bit_length() - 1


def sum_bits(parameters: Parameters, start_bits: int, stride: str, run_stride: str) -> int:
    """Width of ``start + digit * stride + run * run_stride + word`` at the greatest values."""
    greatest = (1 << start_bits) - 1
    for name, count in (
        (stride, parameters.digits(parameters.precision.max_bits)),
        (run_stride, 1 << LOAD_FIELDS["runs"].width),
    ):
        greatest += (count - 1) * ((1 << LOAD_FIELDS[name].width) - 1)
    return (greatest + (1 << WORDS_BITS) - 1).bit_length()


class LoadRequests(wiring.Component):
    """For every digit and run of a LOAD, a request for the run's words.

    Members
    -------
    tasks : In(stream of `stage_task`)    a skipped one asks for nothing
    requests : Out(stream of `read_request`)
    halt : In(1)                          make no more requests: one at most is still offered

    Timing: a request per cycle, five cycles after its task, without a gap between tasks.
    Addresses beyond 32 bits are not wrapped: such a request is made for words up to beyond the
    end of the address space, which the reader refuses.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.shift = word_shift(parameters)
        width = sum_bits(parameters, ADDRESS_BITS - self.shift, "digit_stride", "run_stride")
        strides = {name: LOAD_FIELDS[name].width for name in ("digit_stride", "run_stride")}
        counts = {name: LOAD_FIELDS[name].width for name in ("runs", "words")}
        self.layout = data.StructLayout(
            {"skip": 1, "byte": self.shift, "address": width, **strides, **counts}
        )
        super().__init__(
            {
                "tasks": In(stream.Signature(stage_task(parameters))),
                "requests": Out(stream.Signature(read_request())),
                "halt": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = digit_bits(self.parameters)
        digits = Expander(self.layout, bits, {"address": "digit_stride"})
        runs = Expander(self.layout, LOAD_FIELDS["runs"].width, {"address": "run_stride"})
        m.submodules.entry = entry = StreamRegister(digits.i.payload.shape())
        m.submodules.digits, m.submodules.runs = digits, runs
        m.submodules.exit = leaving = StreamRegister(read_request())
        self._enter(m, entry)
        wiring.connect(m, entry.o, digits.i)
        m.d.comb += [
            runs.i.payload.item.eq(digits.o.payload.item),
            runs.i.payload.count.eq(digits.o.payload.item.runs),
            runs.i.valid.eq(digits.o.valid),
            digits.o.ready.eq(runs.i.ready),
        ]
        self._leave(m, runs, leaving)
        wiring.connect(m, leaving.o, wiring.flipped(self.requests))
        return m

    def _enter(self, m: Module, entry: StreamRegister) -> None:
        """A skipped task goes through as one run of one digit."""
        task, item = self.tasks.payload, entry.i.payload.item
        address = field(task.command, Opcode.LOAD, "address")
        for name in ("digit_stride", "run_stride", "words"):
            m.d.comb += item[name].eq(field(task.command, Opcode.LOAD, name))
        m.d.comb += [
            item.skip.eq(task.skip),
            item.byte.eq(address[: self.shift]),
            item.address.eq(address[self.shift :]),
            item.runs.eq(Mux(task.skip, 1, field(task.command, Opcode.LOAD, "runs"))),
            entry.i.payload.count.eq(Mux(task.skip, 1, task.digits)),
            entry.i.valid.eq(self.tasks.valid),
            self.tasks.ready.eq(entry.i.ready),
        ]

    def _leave(self, m: Module, runs: Expander, leaving: StreamRegister) -> None:
        """Skipped tasks end here; a register behind the question whether a sum is beyond."""
        inside = ADDRESS_BITS - self.shift
        item, held, kept, beyond = runs.o.payload.item, Signal(), Signal(self.layout), Signal()
        m.d.comb += [
            leaving.i.valid.eq(held & ~self.halt),
            leaving.i.payload.address.eq(
                Cat(kept.byte, kept.address[:inside] | beyond.replicate(inside))
            ),
            leaving.i.payload.words.eq(kept.words | beyond.replicate(WORDS_BITS)),
            runs.o.ready.eq(~held | (leaving.i.ready & ~self.halt)),
        ]
        with m.If(runs.o.ready):
            m.d.sync += [
                held.eq(runs.o.valid & ~item.skip),
                kept.eq(item),
                beyond.eq(item.address[inside:].any()),
            ]
