"""The vector unit: its memories, the way of results into them, and the vector stage."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import port_beat
from fractrain.hw.flow.tasks import INDEX_BITS
from fractrain.hw.flow.unit_layouts import record_write
from fractrain.hw.memory.line_memory import LineMemory, line_write
from fractrain.hw.vector.memories import vector_parameters
from fractrain.hw.vector.moments import MomentUnit
from fractrain.hw.vector.parameter_memory import ParameterMemory
from fractrain.hw.vector.peaks import PeakMemory
from fractrain.hw.vector.result_layouts import result_task
from fractrain.hw.vector.result_path import ResultPath
from fractrain.hw.vector.stage import VectorStage

__all__ = ["VectorUnit"]

RESULT, FETCH, VECTOR = range(3)
"""Clients of both line memories."""
SIDE_ORDER = (RESULT, VECTOR, FETCH)
"""RESULT does not write the side memory, so lines of the vector stage have their turn always."""


class VectorUnit(wiring.Component):
    """All around the convolutions of a machine with a vector unit.

    ::

        results ─ ResultPath ─┐                       ┌ planes, blocks
        fetch ────────────────┼─ memories ─ VectorStage
                                                      └ tasks, words

    Members
    -------
    result_tasks : In(stream of `result_task`)   NARROW and JOIN that are carried out
    result_beats : In(stream of `port_beat`)     the sums of their tiles
    result_ended : Out(1)          one has ended, in their order
    result_fault, result_index     of `ResultPath`
    record_writes, staging_writes, side_writes : In     of the fetch stage
    tasks, seed, step, ended, signal, fault, index, tag, line, channel, banks, writes, reads;
    plane_write, requests, words, blocks, block_index, block_tag, writer_idle; beat_reads,
    beat_answer, beat
                                   of the `VectorStage`
    halt : In(1)                   of both, until reset
    idle_stage, idle : Out(1)      the vector stage has no task; neither has one, and memory has
                                   acknowledged all blocks

    Timing: see there. A reset leaves the memories as they are.
    """

    PASSED = (
        *("tasks", "seed", "step", "ended", "signal", "fault", "index", "tag"),
        *("line", "channel", "banks", "writes", "reads"),
        *("plane_write", "requests", "words", "blocks", "writer_idle"),
        *("block_index", "block_tag"),
        *("beat_reads", "beat_answer", "beat"),
    )

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.primitives = parameters, primitives
        sizes = vector_parameters(parameters)
        self.stage = VectorStage(parameters, primitives=primitives)
        self.results = ResultPath(parameters, primitives=primitives)
        line_bits, side_bits = self.results.line_bits, self.results.side_bits
        self.staging = LineMemory(sizes.staging_words, line_bits, 3)
        self.side = LineMemory(sizes.side_words, side_bits, 3, SIDE_ORDER)
        self.records = ParameterMemory(sizes.parameter_words, 1 + VectorStage.RECORD_USERS, 2)
        self.moments = MomentUnit(parameters, primitives=primitives)
        self.peaks = PeakMemory(parameters)
        stage = self.stage.signature.members
        super().__init__(
            {
                "result_tasks": In(stream.Signature(result_task())),
                "result_beats": In(stream.Signature(port_beat(parameters.array))),
                "result_ended": Out(1),
                "result_fault": Out(Fault),
                "result_index": Out(INDEX_BITS),
                "record_writes": In(stream.Signature(record_write(sizes.parameter_words))),
                "staging_writes": In(stream.Signature(line_write(sizes.staging_words, line_bits))),
                "side_writes": In(stream.Signature(line_write(sizes.side_words, side_bits))),
                **{name: stage[name] for name in self.PASSED},
                "halt": In(1),
                "idle_stage": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name in ("stage", "results", "staging", "side", "records", "moments", "peaks"):
            m.submodules[name] = getattr(self, name)
        self._pass(m)
        self._take_results(m)
        self._connect_lines(m)
        self._connect_records(m)
        self._connect_sums(m)
        m.d.comb += [
            self.stage.halt.eq(self.halt),
            self.results.halt.eq(self.halt),
            self.idle_stage.eq(self.stage.idle),
            self.idle.eq(self.stage.idle & self.stage.settled & self.results.idle),
        ]
        return m

    def _pass(self, m: Module) -> None:
        """Ports of the stage go through."""
        for name in self.PASSED:
            inner, outer = getattr(self.stage, name), getattr(self, name)
            member = self.stage.signature.members[name]
            if not member.is_signature:
                m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
            elif member.flow == In:
                connect(m, flipped(outer), inner)
            else:
                connect(m, inner, flipped(outer))

    def _take_results(self, m: Module) -> None:
        results = self.results
        connect(m, flipped(self.result_tasks), results.tasks)
        connect(m, flipped(self.result_beats), results.beats)
        m.d.comb += [
            self.result_ended.eq(results.ended),
            self.result_fault.eq(results.fault),
            self.result_index.eq(results.index),
        ]

    def _connect_lines(self, m: Module) -> None:
        stage, results, staging, side = self.stage, self.results, self.staging, self.side
        for name, memory in (("staging", staging), ("side", side)):
            connect(m, getattr(results, f"{name}_reads"), memory.reads[RESULT])
            connect(m, getattr(stage, f"{name}_reads"), memory.reads[VECTOR])
            connect(m, flipped(getattr(self, f"{name}_writes")), memory.writes[FETCH])
            connect(m, getattr(stage, f"{name}_writes"), memory.writes[VECTOR])
            m.d.comb += [
                getattr(stage, name).eq(memory.data),
                getattr(results, name).eq(memory.data),
                getattr(results, f"{name}_answer").eq(memory.answers[RESULT]),
                memory.reads[FETCH].valid.eq(0),
            ]
        connect(m, results.staging_writes, staging.writes[RESULT])
        m.d.comb += [
            stage.staging_answer.eq(staging.answers[VECTOR]),
            side.writes[RESULT].valid.eq(0),
        ]

    def _connect_records(self, m: Module) -> None:
        stage, results, records = self.stage, self.results, self.records
        users: list[Any] = [results.record_reads, *stage.record_reads]
        for number, reads in enumerate(users):
            connect(m, reads, records.reads[number])
        connect(m, flipped(self.record_writes), records.writes[0])
        connect(m, stage.record_writes, records.writes[1])
        m.d.comb += [
            results.record_answer.eq(records.answers[0]),
            stage.record_answer.eq(records.answers[1:]),
            results.record.eq(records.record),
            stage.record.eq(records.record),
        ]

    def _connect_sums(self, m: Module) -> None:
        stage, results, moments, peaks = self.stage, self.results, self.moments, self.peaks
        connect(m, stage.moment_lines, moments.lines)
        connect(m, stage.moment_reads, moments.reads)
        connect(m, results.peaks, peaks.values[0])
        connect(m, stage.peaks, peaks.values[1])
        connect(m, stage.peak_reads, peaks.reads)
        m.d.comb += [
            moments.result_valid.eq(results.moments_valid),
            moments.result.eq(results.moments),
            results.moments_busy.eq(moments.busy[0]),
            stage.moments_busy.eq(moments.busy[1]),
            stage.moment_answer.eq(moments.answer),
            stage.moments.eq(moments.data),
            stage.peak_answer.eq(peaks.answer),
            stage.peak.eq(peaks.data),
        ]
