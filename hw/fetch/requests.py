"""The side of the fetch stage that runs ahead: which words of memory a LOAD needs."""

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.expander import Expander
from fractrain.hw.flow.layouts import ADDRESS_BITS, WORDS_BITS, read_request
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import INDEX_BITS, command_view, digit_bits, field_bits, stage_task

__all__ = ["LoadRequests", "sum_bits", "word_shift"]


def word_shift(parameters: Parameters) -> int:
    """Bits of an address within a word: ``word_bytes`` is two to this power."""
    return parameters.word_bytes.bit_length() - 1


def sum_bits(parameters: Parameters, start_bits: int, stride: str, run_stride: str) -> int:
    """Width of ``start + digit * stride + run * run_stride + word`` at the greatest values."""
    greatest = (1 << start_bits) - 1
    for name, count in (
        (stride, parameters.digits(parameters.precision.max_bits)),
        (run_stride, 1 << FIELDS[Opcode.LOAD]["runs"].width),
    ):
        greatest += (count - 1) * ((1 << FIELDS[Opcode.LOAD][name].width) - 1)
    return (greatest + (1 << WORDS_BITS) - 1).bit_length()


class LoadRequests(wiring.Component):
    """For every digit and run of a LOAD, a request for the run's words.

    Members
    -------
    tasks : In(stream of `stage_task`)    a skipped one makes no request
    requests : Out(stream of `read_request`)
    halt : In(1)                          make no more requests: two at most are still offered

    Timing: a request per cycle, five cycles after its task, without a gap between tasks.
    Addresses beyond 32 bits do not wrap: such a request reaches beyond the end of the address
    space, and the reader refuses it.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.shift = word_shift(parameters)
        width = sum_bits(parameters, ADDRESS_BITS - self.shift, "digit_stride", "run_stride")
        fields = field_bits(Opcode.LOAD, "digit_stride", "run_stride", "runs", "words")
        self.layout = data.StructLayout(
            {
                "skip": 1,
                "byte": self.shift,
                "address": width,
                "index": INDEX_BITS,
                **fields,
            }
        )
        inside = ADDRESS_BITS - self.shift
        self.found = data.StructLayout(
            {
                "byte": self.shift,
                "address": inside,
                "words": WORDS_BITS,
                "index": INDEX_BITS,
                "beyond": 1,
            }
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
        runs = Expander(self.layout, FIELDS[Opcode.LOAD]["runs"].width, {"address": "run_stride"})
        entry = StreamRegister(digits.i.payload.shape())
        between = StreamRegister(runs.i.payload.shape())
        leaving = StreamRegister(self.found)
        m.submodules.entry, m.submodules.digits, m.submodules.between = entry, digits, between
        m.submodules.runs, m.submodules.exit = runs, leaving
        self._enter(m, entry)
        wiring.connect(m, entry.o, digits.i)
        m.d.comb += [
            between.i.payload.item.eq(digits.o.payload.item),
            between.i.payload.count.eq(digits.o.payload.item.runs),
            between.i.valid.eq(digits.o.valid),
            digits.o.ready.eq(between.i.ready),
        ]
        wiring.connect(m, between.o, runs.i)
        self._leave(m, runs, leaving)
        return m

    def _enter(self, m: Module, entry: StreamRegister) -> None:
        """A skipped task goes through as one run of one digit."""
        task, item = self.tasks.payload, entry.i.payload.item
        command = command_view(Opcode.LOAD, task.command)
        for name in ("digit_stride", "run_stride", "words"):
            m.d.comb += item[name].eq(command[name])
        m.d.comb += [
            item.skip.eq(task.skip),
            item.index.eq(task.index),
            item.byte.eq(command.address[: self.shift]),
            item.address.eq(command.address[self.shift :]),
            item.runs.eq(Mux(task.skip, 1, command.runs)),
            entry.i.payload.count.eq(Mux(task.skip, 1, task.digits)),
            entry.i.valid.eq(self.tasks.valid),
            self.tasks.ready.eq(entry.i.ready),
        ]

    def _leave(self, m: Module, runs: Expander, leaving: StreamRegister) -> None:
        """Skipped tasks end here. ``beyond`` is found before the register, used behind it."""
        inside = ADDRESS_BITS - self.shift
        item, request, beyond = runs.o.payload.item, leaving.o.payload, leaving.o.payload.beyond
        m.d.comb += [
            leaving.i.valid.eq(runs.o.valid & ~item.skip & ~self.halt),
            runs.o.ready.eq((leaving.i.ready | item.skip) & ~self.halt),
            leaving.i.payload.byte.eq(item.byte),
            leaving.i.payload.address.eq(item.address),
            leaving.i.payload.index.eq(item.index),
            leaving.i.payload.words.eq(item.words),
            leaving.i.payload.beyond.eq(item.address[inside:].any()),
            self.requests.payload.address.eq(
                Cat(request.byte, request.address | beyond.replicate(inside))
            ),
            self.requests.payload.words.eq(request.words | beyond.replicate(WORDS_BITS)),
            self.requests.payload.index.eq(request.index),
            self.requests.valid.eq(leaving.o.valid),
            leaving.o.ready.eq(self.requests.ready),
        ]
