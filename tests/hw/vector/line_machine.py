"""The line path between its memories, with others that want turns and a memory that stalls."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fractrain.hw.contract.numerics import NARROW_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.unit_layouts import record_write, side_line
from fractrain.hw.memory.line_memory import LineMemory, line_pair, line_write, pair_count
from fractrain.hw.vector.line_layouts import line_task, vector_of
from fractrain.hw.vector.line_path import LinePath
from fractrain.hw.vector.parameter_memory import ParameterMemory
from fractrain.hw.vector.random_bytes import RandomBytes

__all__ = ["LineMachine"]

CLIENTS = 3
RESULT, FETCH, VECTOR = range(CLIENTS)


class LineMachine(wiring.Component):
    """`LinePath` with its memories and random bytes. The other clients are ports: RESULT
    writes what memories begin with and reads what they end with, FETCH reads, too."""

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.path = LinePath(parameters, primitives=primitives)
        vector, pixels = vector_of(parameters), parameters.array.rows
        self.parameters = parameters
        staging_bits, side_bits = NARROW_BITS * pixels, side_line(parameters).size
        self.staging = LineMemory(vector.staging_words, staging_bits, CLIENTS)
        self.side = LineMemory(vector.side_words, side_bits, CLIENTS)
        self.records = ParameterMemory(vector.parameter_words, 2, 1)
        path = self.path.signature.members
        staging = stream.Signature(range(pair_count(vector.staging_words)))
        side = stream.Signature(range(pair_count(vector.side_words)))
        kept = (
            "plane_write blocks settled peaks carried carries stream_shift carry_room "
            "carry_done ended banks writes line fault busy"
        ).split()
        super().__init__(
            {
                "tasks": In(stream.Signature(line_task())),
                **{name: path[name] for name in ("seed", "step", *kept)},
                "staging_write": In(
                    stream.Signature(line_write(vector.staging_words, staging_bits))
                ),
                "side_write": In(stream.Signature(line_write(vector.side_words, side_bits))),
                "record_write": In(stream.Signature(record_write(vector.parameter_words))),
                "staging_read": In(staging),
                "staging_other": In(staging),
                "side_read": In(side),
                "side_other": In(side),
                "record_other": In(stream.Signature(range(vector.parameter_words))),
                "staging_data": Out(line_pair(staging_bits)),
                "side_data": Out(line_pair(side_bits)),
                "side_lost": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        path, staging, side, records = self.path, self.staging, self.side, self.records
        m.submodules.path = path
        m.submodules.staging, m.submodules.side = staging, side
        m.submodules.records = records
        m.submodules.random = random = RandomBytes()
        connect(m, path.counters, random.counters)
        connect(m, path.staging_reads, staging.reads[VECTOR])
        connect(m, path.staging_writes, staging.writes[VECTOR])
        connect(m, path.side_reads, side.reads[VECTOR])
        connect(m, path.side_writes, side.writes[VECTOR])
        connect(m, path.record_reads, records.reads[1])
        connect(m, flipped(self.record_other), records.reads[0])
        connect(m, flipped(self.record_write), records.writes[0])
        connect(m, flipped(self.staging_write), staging.writes[RESULT])
        connect(m, flipped(self.side_write), side.writes[RESULT])
        for memory, read, other in (
            (staging, self.staging_read, self.staging_other),
            (side, self.side_read, self.side_other),
        ):
            connect(m, flipped(read), memory.reads[RESULT])
            connect(m, flipped(other), memory.reads[FETCH])
        connect(m, path.peaks, flipped(self.peaks))
        connect(m, path.blocks, flipped(self.blocks))
        connect(m, flipped(self.tasks), path.tasks)
        m.d.comb += [
            path.seed.eq(self.seed),
            path.step.eq(self.step),
            path.staging.eq(staging.data),
            path.side.eq(side.data),
            path.answer.eq(records.answers[1]),
            path.record.eq(records.record),
            random.key.eq(path.key),
            random.load.eq(path.load),
            path.key_ready.eq(random.ready),
            path.random_valid.eq(random.valid),
            path.random.eq(random.random),
            path.settled.eq(self.settled),
            path.carry_room.eq(self.carry_room),
            path.carry_done.eq(self.carry_done),
            self.staging_data.eq(staging.data),
            self.side_data.eq(side.data),
            self.side_lost.eq(side.lost_writes[VECTOR]),
        ]
        for (
            name
        ) in "plane_write carried carries stream_shift ended banks writes line fault busy".split():
            m.d.comb += getattr(self, name).eq(getattr(path, name))
        return m
