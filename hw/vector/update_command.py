"""UPDATE: weights and momenta in memory descend by a tile of the gradient memory."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.numerics import RANDOM_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.contract.random_bits import SEED_BITS, STEP_BITS, WORD_PIXELS
from fractrain.hw.contract.records import RECORD_BITS, Record
from fractrain.hw.contract.threefry import WORD_BITS
from fractrain.hw.flow.layouts import read_request, write_block
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import INDEX_BITS
from fractrain.hw.vector.gradient_rows import GradientRows
from fractrain.hw.vector.memories import RECORD_ADDRESS_BITS, record_view, vector_parameters
from fractrain.hw.vector.memory_tasks import update_task
from fractrain.hw.vector.peaks import peak_value
from fractrain.hw.vector.random_bytes import counter_layout
from fractrain.hw.vector.record_fields import clamped
from fractrain.hw.vector.scale import Scaler
from fractrain.hw.vector.update import FACTORS, Updater, update_factors
from fractrain.hw.vector.update_blocks import UpdateBlocks
from fractrain.hw.vector.update_lanes import UpdateLanes
from fractrain.hw.vector.update_layouts import PLACE_BITS, half_block, word_weights
from fractrain.hw.vector.update_requests import UpdateRequests
from fractrain.hw.vector.weight_bytes import WeightBytes

__all__ = ["Update"]

MOST_LANES = 4
"""They take 16 bytes of weights and momenta a cycle and give as many: what memory moves."""


class Update(wiring.Component):
    """Carries out UPDATE.

    Members
    -------
    tasks : In(stream of `update_task`)
    seed, step : In          of the random bits, as the registers have them
    runs : Out(stream of `read_request`), weights : In(stream of words)    as `ReadAhead` has them
    record_reads : Out(stream of a record's address), record_answer : In(1), record : In(128)
                            parameter memory: the record is there with its answer
    beat_reads, beat_answer, beat          gradient memory, as `GradientRows` has them
    key, load, counters, random_valid, random    of a `RandomBytes`: the key is loaded anew
                            for each command
    peaks : Out(stream of `peak_value`)    the greatest |w|, and Σs²
    blocks : Out(stream of `write_block`), settled : In(1)    as `WriteBehind` has them
    ended : Out(1)          the command has ended: its peaks are given, and memory has acknowledged
                            all
    fault : Out(Fault)      for a cycle, then nothing until reset: ADDRESS for beats, records or
                            peaks that are not there, before anything is read
    index : Out             of the command at work

    Timing: ``lanes`` weights every four cycles, if memory keeps up; weights and momenta go in
    bursts of 128 bytes both ways. Between two commands nothing is read, as the next may need what
    this one writes.
    Numbers: as `Updater`; mantissas of the record have their top bit set or are 0, and no factor is
    2^22 or more, which whoever makes records must refuse.
    The half-blocks and their momenta must not overlap: they are read ahead.
    Errors: `ParameterError` for a machine without a vector unit, and those of `UpdateLanes`.
    """

    def __init__(
        self, parameters: Parameters, lanes: int | None = None, *, primitives: bool = False
    ) -> None:
        self.parameters = parameters
        self.vector = vector_parameters(parameters)
        self.lanes = lanes or min(MOST_LANES, word_weights(parameters))
        self.unit = UpdateLanes(parameters, self.lanes, primitives=primitives)
        results = parameters.results_per_beat
        super().__init__(
            {
                "tasks": In(stream.Signature(update_task())),
                "seed": In(SEED_BITS),
                "step": In(STEP_BITS),
                "runs": Out(stream.Signature(read_request())),
                "weights": In(stream.Signature(8 * parameters.word_bytes)),
                "record_reads": Out(stream.Signature(RECORD_ADDRESS_BITS)),
                "record_answer": In(1),
                "record": In(RECORD_BITS),
                "beat_reads": Out(stream.Signature(range(parameters.buffers.gradient_words))),
                "beat_answer": In(1),
                "beat": In(data.ArrayLayout(signed(SUM_BITS), results)),
                "key": Out(2 * WORD_BITS),
                "load": Out(1),
                "counters": Out(stream.Signature(counter_layout())),
                "random_valid": In(1),
                "random": In(data.ArrayLayout(RANDOM_BITS, WORD_PIXELS)),
                "peaks": Out(stream.Signature(peak_value(parameters))),
                "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
                "settled": In(1),
                "ended": Out(1),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
            }
        )
        self.task = Signal(update_task())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p, task = self.parameters, self.task
        unit, blocks = self.unit, UpdateBlocks(p, self.lanes)
        requests, rows, random = UpdateRequests(p), GradientRows(p), WeightBytes(p, self.lanes)
        m.submodules.unit, m.submodules.blocks = unit, blocks
        m.submodules.requests, m.submodules.rows = requests, rows
        m.submodules.random = random
        for name in ("velocity", "index"):
            m.d.comb += getattr(requests, name).eq(task[name])
        m.d.comb += [
            rows.start.eq(task.gradient_address),
            blocks.velocity.eq(task.velocity),
            random.filter_group.eq(task.filter_group),
            random.taps.eq(task.taps),
            random.random_valid.eq(self.random_valid),
            random.random.eq(self.random),
            self.key.eq(Cat(self.seed, Const(0, WORD_BITS - SEED_BITS), task.tensor, self.step)),
            self.index.eq(task.index),
            unit.absent.eq(task.absent),
            unit.room.eq(blocks.room),
            blocks.entered.eq(unit.entered),
            rows.beat_answer.eq(self.beat_answer),
            rows.beat.eq(self.beat),
        ]
        for name in ("momentum_valid", "momenta", "weight_valid", "weights"):
            m.d.comb += getattr(blocks, name).eq(getattr(unit, name))
        wiring.connect(m, requests.runs, wiring.flipped(self.runs))
        wiring.connect(m, wiring.flipped(self.weights), unit.words)
        wiring.connect(m, rows.beat_reads, wiring.flipped(self.beat_reads))
        wiring.connect(m, rows.o, unit.sums)
        wiring.connect(m, random.counters, wiring.flipped(self.counters))
        wiring.connect(m, random.o, unit.bytes)
        wiring.connect(m, blocks.blocks, wiring.flipped(self.blocks))
        self._control(m, [requests, random, blocks], rows, blocks)
        return m

    def _control(
        self, m: Module, users: list[wiring.Component], rows: GradientRows, blocks: UpdateBlocks
    ) -> None:
        """Checks, the record, both half-blocks to all who work on them; the ends."""
        task, unit = self.task, self.unit
        half = Signal(half_block(self.parameters))
        give = Signal()
        for number, user in enumerate([*users, rows]):
            # two half-blocks at most, for which there is room as a command begins
            m.submodules[f"halves_{number}"] = halves = StreamRegister(half.shape())
            wiring.connect(m, halves.o, user.halves)
            wanted = give & ~task.absent if user is rows else give
            m.d.comb += [halves.i.payload.eq(half), halves.i.valid.eq(wanted)]
        factors = Signal(update_factors())
        m.d.comb += [unit.factors.eq(factors), self.record_reads.payload.eq(task.rule)]
        peak = self.peaks.payload
        places = {name: self._place(m, name) for name in "ab"}
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.tasks.ready.eq(1)
                m.d.sync += task.eq(self.tasks.payload)
                with m.If(self.tasks.valid):
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += [unit.clear.eq(1), self.load.eq(1)]
                m.next = "RECORD"
                with m.If(self._beyond()):
                    m.next = "FAIL"
            with m.State("RECORD"):
                m.d.comb += self.record_reads.valid.eq(1)
                with m.If(self.record_reads.ready):
                    m.next = "FACTORS"
            with m.State("FACTORS"):
                with m.If(self.record_answer):
                    m.d.sync += self._factors(factors)
                    m.next = "A"
            for name, second, following in (("a", 0, "B"), ("b", 1, "WORK")):
                with m.State(name.upper()):
                    m.d.comb += [
                        half.second.eq(second),
                        half.address.eq(task[f"{name}_address"]),
                        half.place.eq(places[name]),
                        give.eq(task[f"{name}_enable"]),
                    ]
                    m.next = following
            with m.State("WORK"):
                m.next = "LAST"
                with m.If(~task.a_enable & ~task.b_enable):
                    m.next = "SETTLE"
            self._end(m, blocks, peak)

    def _place(self, m: Module, name: str) -> Value:
        """Of the half-block's first pixel: known long before it is needed. The product is a sum of
        few terms, so that no DSP slice is taken for it."""
        channels = (self.parameters.block.channels - 1).bit_length()
        product = Signal(PLACE_BITS - channels, name=f"{name}_product", reset_less=True)
        place = Signal(PLACE_BITS, name=f"{name}_place", reset_less=True)
        group, taps = self.task[f"{name}_group"], self.task.taps
        terms = [Mux(tap, group << number, 0) for number, tap in enumerate(taps)]
        parts = []
        for number in range(0, len(terms), 2):
            total = sum(terms[number : number + 2], Const(0))
            parts.append(Signal(len(product), name=f"{name}_part_{number}", reset_less=True))
            m.d.sync += parts[-1].eq(total)
        m.d.sync += [
            product.eq(sum(parts, Const(0))),
            place.eq(Cat(Const(0, channels), product) + self.task[f"{name}_tap"]),
        ]
        return place

    def _end(self, m: Module, blocks: UpdateBlocks, peak: data.View) -> None:
        task, unit = self.task, self.unit
        waiting = Signal()
        m.d.comb += waiting.eq(m.submodules.halves_2.o.valid)
        with m.State("LAST"):
            with m.If(~blocks.busy & ~waiting & ~unit.busy):
                m.d.comb += unit.collect.eq(1)
                m.next = "COLLECT"
        with m.State("COLLECT"):
            with m.If(unit.done):
                m.next = "PEAK"
        for name, following, value, adds in (
            ("PEAK", "SQUARES", unit.greatest, 0),
            ("SQUARES", "SETTLE", unit.squares, 1),
        ):
            with m.State(name):
                m.d.comb += [
                    self.peaks.valid.eq(1),
                    peak.address.eq(task.peak + adds),
                    peak.value.eq(value),
                    peak.adds.eq(adds),
                ]
                with m.If(self.peaks.ready):
                    m.next = following
        with m.State("SETTLE"):
            with m.If(self.settled):
                m.d.comb += self.ended.eq(1)
                m.next = "IDLE"
        with m.State("FAIL"):
            m.d.comb += self.fault.eq(Fault.ADDRESS)
            m.next = "FAILED"
        with m.State("FAILED"):
            pass

    def _beyond(self) -> Signal:
        task, p = self.task, self.parameters
        return (
            (task.gradient_address > p.buffers.gradient_words - p.beats_per_tile)
            | (task.peak > self.vector.peak_words - 2)
            | (task.rule >= self.vector.parameter_words)
        )

    def _factors(self, factors: data.View) -> list:
        rule = record_view(Record.UPDATE, self.record)
        most = Updater.MOST_PRESHIFT
        assigned = [factors.preshift.eq(Mux(rule.before > most, most, rule.before))]
        for name in FACTORS:
            shift = clamped(rule[f"{name}_shift"], Scaler.LEAST_SHIFT, Scaler.MOST_SHIFT)
            assigned += [
                factors[name].mantissa.eq(rule[f"{name}_mantissa"]),
                factors[name].shift.eq(shift),
            ]
        return assigned
