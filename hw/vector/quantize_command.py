"""QUANTIZE: master weights in memory become planes of weights in memory."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import FIELDS, Fault, Opcode
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.numerics import MASTER_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BITS, Record
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.layouts import ADDRESS_BITS, read_request, write_block
from fractrain.hw.flow.tasks import INDEX_BITS
from fractrain.hw.vector.memories import RECORD_ADDRESS_BITS, record_view, vector_parameters
from fractrain.hw.vector.memory_tasks import quantize_task
from fractrain.hw.vector.quantize import WeightQuantizer
from fractrain.hw.vector.record_fields import clamped
from fractrain.hw.vector.run_walker import RunWalker
from fractrain.hw.vector.weight_turn import WeightTurn

__all__ = ["Quantize"]

TOGETHER = 2
"""Blocks whose planes leave side by side, so that memory is written in longer bursts."""


class Quantize(wiring.Component):
    """Carries out QUANTIZE.

    Members
    -------
    tasks : In(stream of `quantize_task`)
    runs : Out(stream of `read_request`), weights : In(stream of words)    as `ReadAhead` has them
    record_reads : Out(stream of a record's address), record_answer : In(1), record : In(128)
                            parameter memory: the record is there with its answer
    blocks : Out(stream of `write_block`), settled : In(1)    as `WriteBehind` has them
    ended : Out(1)          the command has ended: memory has acknowledged all
    fault : Out(Fault)      for a cycle, then nothing until reset: ADDRESS for a record beyond the
                            parameter memory; WINDOW for planes beyond 32 bits, after all that
                            went before is acknowledged. Words beyond 32 bits are requested, and
                            refused.
    index : Out             of the command at work

    Timing: ``lanes`` weights a cycle, whatever their bits, if memory keeps up.
    Numbers: as `WeightQuantizer`: the mantissa of the record has its top bit set, or is 0.
    What is read must not be what is written: it is read ahead.
    Errors: `ParameterError` for a machine without a vector unit, and for lanes that do not divide
    the weights of a word of memory.
    """

    def __init__(self, parameters: Parameters, lanes: int = 4, *, primitives: bool = False) -> None:
        self.parameters, self.lanes = parameters, lanes
        self.records = vector_parameters(parameters).parameter_words
        self.word_weights = 8 * parameters.word_bytes // MASTER_BITS
        if self.word_weights % lanes:
            raise ParameterError("lanes", lanes, f"a divisor of {self.word_weights}")
        self.turn = WeightTurn(parameters, lanes)
        self.quantizer = WeightQuantizer(lanes, primitives=primitives)
        words = 8 * parameters.word_bytes
        super().__init__(
            {
                "tasks": In(stream.Signature(quantize_task())),
                "runs": Out(stream.Signature(read_request())),
                "weights": In(stream.Signature(words)),
                "record_reads": Out(stream.Signature(RECORD_ADDRESS_BITS)),
                "record_answer": In(1),
                "record": In(RECORD_BITS),
                "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
                "settled": In(1),
                "ended": Out(1),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
            }
        )
        fields = FIELDS[Opcode.QUANTIZE]
        self.task = Signal(quantize_task())
        self.blocks_left = Signal(fields["blocks"].width)
        """Blocks whose planes are still to leave."""
        self.address = Signal(ADDRESS_BITS + 1)
        """Of the first plane of the next block, with a carry for what is beyond 32 bits."""
        self.plane_address, self.block_address = (
            Signal(ADDRESS_BITS + 2, name=name) for name in ("plane_address", "block_address")
        )
        self.plane, self.top = Signal.like(self.turn.plane), Signal.like(self.turn.top)
        self.member = Signal(range(TOGETHER))
        self.cause = Signal(Fault)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.turn, m.submodules.quantizer = self.turn, self.quantizer
        runs = MASTER_BITS // RunWalker.WORDS
        blocks = FIELDS[Opcode.QUANTIZE]["blocks"].width
        m.submodules.walker = walker = RunWalker(self.parameters, blocks + (runs - 1).bit_length())
        wiring.connect(m, walker.runs, wiring.flipped(self.runs))
        m.d.comb += [
            walker.address.eq(self.task.source),
            walker.count.eq(self.task.blocks * runs),
            walker.index.eq(self.task.index),
            self.index.eq(self.task.index),
            self.record_reads.payload.eq(self.task.scale),
        ]
        self._feed(m)
        self._control(m, walker)
        return m

    def _feed(self, m: Module) -> None:
        """Words through the quantizer into the turn, which must have room for their block."""
        turn, quantizer = self.turn, self.quantizer
        # a plane is a word, so a block of weights has a word for each of their bits
        parts = self.parameters.block_bits // self.lanes
        part = Signal(range(parts))
        enters, room = Signal(), Signal()
        in_word = part[: (self.word_weights // self.lanes - 1).bit_length()]
        m.d.comb += [
            room.eq(turn.room | (part != 0)),
            enters.eq(self.weights.valid & room),
            turn.begin.eq(enters & (part == 0)),
            self.weights.ready.eq(room & in_word.all()),
            quantizer.weights.eq(
                self.weights.payload.word_select(in_word, self.lanes * MASTER_BITS)
            ),
            quantizer.bits.eq(self.task.bits),
            turn.top.eq(self.top),
            turn.weights.eq(quantizer.results),
            turn.enter.eq(
                delayed(m, enters, quantizer.latency_cycles, name="enters", reset_less=False)
            ),
        ]
        with m.If(enters):
            m.d.sync += part.eq(part + 1)

    def _control(self, m: Module, walker: RunWalker) -> None:
        task, given, quantizer = self.task, self.tasks.payload, self.quantizer
        least, most = quantizer.LEAST_SHIFT, quantizer.MOST_SHIFT
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.tasks.ready.eq(1)
                with m.If(self.tasks.valid):
                    m.d.sync += [
                        task.eq(given),
                        self.top.eq(given.bits - 1),
                        self.blocks_left.eq(given.blocks),
                        self.address.eq(given.destination),
                        self.cause.eq(Fault.ADDRESS),
                    ]
                    m.next = "RECORD"
            with m.State("RECORD"):
                with m.If(task.scale >= self.records):
                    m.next = "FAIL"
                with m.Else():
                    m.d.comb += self.record_reads.valid.eq(1)
                    with m.If(self.record_reads.ready):
                        m.next = "BEGIN"
            with m.State("BEGIN"):
                with m.If(self.record_answer):
                    scale = record_view(Record.SCALE, self.record)
                    m.d.sync += [
                        quantizer.mantissa.eq(scale.mantissa),
                        quantizer.shift.eq(clamped(scale.shift, least, most)),
                    ]
                    m.d.comb += walker.begin.eq(1)
                    m.next = "NEXT"
            self._leave(m)
            with m.State("DRAIN"):
                with m.If(self.settled):
                    m.d.comb += self.ended.eq(1)
                    m.next = "IDLE"
            with m.State("FAIL"):
                with m.If(self.settled):
                    m.d.comb += self.fault.eq(self.cause)
                    m.next = "FAILED"
            with m.State("FAILED"):
                pass

    def _leave(self, m: Module) -> None:
        """Planes of some blocks side by side, plane after plane."""
        turn, task = self.turn, self.task
        size = self.parameters.block_bytes
        count, last_member = Signal(range(TOGETHER + 1)), Signal(range(TOGETHER))
        few = self.blocks_left[TOGETHER.bit_length() - 1 :] == 0
        # a cycle later: the turn counts them before it is looked at again
        releases, release = Signal(), Signal.like(turn.release)
        following = Signal.like(self.member)
        m.d.sync += [release.eq(Mux(releases, count, 0)), self.member.eq(following)]
        m.d.comb += [
            following.eq(self.member),
            turn.release.eq(release),
            turn.number.eq(following),
            turn.plane.eq(self.plane),
            self.blocks.payload.address.eq(self.block_address),
            self.blocks.payload.data.eq(turn.block),
        ]
        with m.State("NEXT"):
            m.d.sync += [
                count.eq(Mux(few, self.blocks_left, TOGETHER)),
                last_member.eq(Mux(few, self.blocks_left - 1, TOGETHER - 1)),
                self.plane_address.eq(self.address),
                self.block_address.eq(self.address),
                self.plane.eq(0),
            ]
            m.d.comb += following.eq(0)
            m.next = "WAIT"
        with m.State("WAIT"):
            with m.If(count == 0):
                m.next = "DRAIN"
            with m.Elif(turn.whole >= count):
                m.next = "PLANES"
        with m.State("PLANES"):
            last = self.member == last_member
            plane_address = self.plane_address + task.plane_stride * size
            with m.If(self.block_address[ADDRESS_BITS:].any()):
                m.d.sync += self.cause.eq(Fault.WINDOW)
                m.next = "FAIL"
            with m.Else():
                m.d.comb += self.blocks.valid.eq(1)
            with m.If(self.blocks.valid & self.blocks.ready):
                m.d.sync += self.block_address.eq(self.block_address + size)
                m.d.comb += following.eq(Mux(last, 0, self.member + 1))
                with m.If(last):
                    m.d.sync += [
                        self.plane.eq(self.plane + 1),
                        self.plane_address.eq(plane_address),
                        self.block_address.eq(plane_address),
                    ]
                    with m.If(self.plane == self.top):
                        m.d.comb += releases.eq(1)
                        m.d.sync += [
                            self.blocks_left.eq(self.blocks_left - count),
                            self.address.eq(self.address + TOGETHER * size),
                        ]
                        m.next = "NEXT"
