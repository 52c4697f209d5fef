"""The result path with its memories, fed from queues: all cycles are played in one call."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import COMMAND_BITS, Fault
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BITS
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import port_beat
from fractrain.hw.flow.tasks import INDEX_BITS
from fractrain.hw.memory.line_memory import LineMemory, line_pair, line_write, pair_count
from fractrain.hw.vector.memories import vector_parameters
from fractrain.hw.vector.moments import MomentUnit, moment_line, moment_pair
from fractrain.hw.vector.peaks import PEAK_BITS, PeakMemory, peak_read, peak_value
from fractrain.hw.vector.result_layouts import fill_result_task, result_task
from fractrain.hw.vector.result_path import ResultPath

__all__ = ["ResultTop", "queued_task"]

BEATS, TASKS = 2048, 32
RECORD_CYCLES = 3


def queued_task() -> data.StructLayout:
    """A command on its way to the path."""
    return data.StructLayout(
        {"index": INDEX_BITS, "command": COMMAND_BITS, "joins": 1, "masked": 1}
    )


class ResultTop(wiring.Component):
    """``open_*``: in this cycle a beat, a task, a record may be offered or granted. The first
    client of both line memories is the bench: it fills and reads them, and takes turns away."""

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters = parameters
        self.sizes = sizes = vector_parameters(parameters)
        self.path = ResultPath(parameters, primitives=primitives)
        self.line_bits, self.side_bits = self.path.line_bits, self.path.side_bits
        self.staging = LineMemory(sizes.staging_words, self.line_bits, 2)
        self.side = LineMemory(sizes.side_words, self.side_bits, 2)
        self.moments = MomentUnit(parameters, primitives=primitives)
        self.peaks = PeakMemory(parameters)
        members: dict[str, object] = {
            "beat_valid": In(1),
            "beat": In(port_beat(parameters.array)),
            "queued_valid": In(1),
            "queued": In(queued_task()),
            "open_beats": In(1),
            "open_tasks": In(1),
            "open_records": In(1),
            "record_valid": In(1),
            "record_address": In(range(sizes.parameter_words)),
            "record": In(RECORD_BITS),
            "moment_lines": In(stream.Signature(moment_line(parameters))),
            "moment_reads": In(stream.Signature(range(sizes.moment_words))),
            "moment_answer": Out(1),
            "moment_data": Out(moment_pair()),
            "peak_values": In(stream.Signature(peak_value(parameters))),
            "peak_reads": In(stream.Signature(peak_read(parameters))),
            "peak_answer": Out(1),
            "peak_data": Out(PEAK_BITS),
            "ended": Out(1),
            "fault": Out(Fault),
            "index": Out(INDEX_BITS),
            "idle": Out(1),
            "halt": In(1),
            "beats_left": Out(1),
            "wrote": Out(1),
        }
        for name, words, bits in (
            ("staging", sizes.staging_words, self.line_bits),
            ("side", sizes.side_words, self.side_bits),
        ):
            members |= {
                f"{name}_reads": In(stream.Signature(range(pair_count(words)))),
                f"{name}_answer": Out(1),
                f"{name}_data": Out(line_pair(bits)),
                f"{name}_writes": In(stream.Signature(line_write(words, bits))),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        path = self.path
        m.submodules.path, m.submodules.staging, m.submodules.side = path, self.staging, self.side
        m.submodules.moments, m.submodules.peaks = self.moments, self.peaks
        m.submodules.beats = beats = Fifo(port_beat(self.parameters.array), BEATS)
        m.submodules.tasks = tasks = Fifo(queued_task(), TASKS)
        task = Signal(result_task())
        fill_result_task(
            m,
            task,
            tasks.head.command,
            index=tasks.head.index,
            joins=tasks.head.joins,
            masked=tasks.head.masked,
        )
        m.d.comb += [
            beats.w_en.eq(self.beat_valid),
            beats.w_data.eq(self.beat),
            tasks.w_en.eq(self.queued_valid),
            tasks.w_data.eq(self.queued),
            path.beats.payload.eq(beats.head),
            path.tasks.payload.eq(task),
            self.beats_left.eq(beats.r_rdy),
            path.halt.eq(self.halt),
        ]
        self._gate(m, beats, path.beats, self.open_beats, "beats")
        self._gate(m, tasks, path.tasks, self.open_tasks, "tasks")
        self._lines(m)
        self._records(m)
        self._sums(m)
        for name in ("ended", "fault", "index", "idle"):
            m.d.comb += getattr(self, name).eq(getattr(path, name))
        return m

    @staticmethod
    def _gate(m: Module, queue: Fifo, to: object, opens: Value, name: str) -> None:
        """An offer stays."""
        offered = Signal(name=f"{name}_offered")
        m.d.comb += [
            to.valid.eq(queue.r_rdy & (opens | offered)),
            queue.r_en.eq(to.ready & to.valid),
        ]
        m.d.sync += offered.eq(to.valid & ~to.ready)

    def _lines(self, m: Module) -> None:
        path = self.path
        for name, memory in (("staging", self.staging), ("side", self.side)):
            wiring.connect(m, wiring.flipped(getattr(self, f"{name}_reads")), memory.reads[0])
            wiring.connect(m, wiring.flipped(getattr(self, f"{name}_writes")), memory.writes[0])
            wiring.connect(m, getattr(path, f"{name}_reads"), memory.reads[1])
            m.d.comb += [
                getattr(self, f"{name}_answer").eq(memory.answers[0]),
                getattr(self, f"{name}_data").eq(memory.data),
                getattr(path, f"{name}_answer").eq(memory.answers[1]),
                getattr(path, name).eq(memory.data),
            ]
        wiring.connect(m, path.staging_writes, self.staging.writes[1])
        writes = self.staging.writes[1]
        m.d.comb += self.wrote.eq(writes.valid & writes.ready)

    def _records(self, m: Module) -> None:
        path = self.path
        m.submodules.records = records = Memory(
            shape=RECORD_BITS, depth=self.sizes.parameter_words, init=[]
        )
        write, read = records.write_port(), records.read_port()
        granted = path.record_reads.valid & path.record_reads.ready
        m.d.comb += [
            write.addr.eq(self.record_address),
            write.data.eq(self.record),
            write.en.eq(self.record_valid),
            path.record_reads.ready.eq(self.open_records),
            read.addr.eq(path.record_reads.payload),
            read.en.eq(granted),
            path.record_answer.eq(
                delayed(m, granted, RECORD_CYCLES, name="granted", reset_less=False)
            ),
            # anything but while it is the answer
            path.record.eq(
                delayed(m, read.data, RECORD_CYCLES - 1, name="word")
                & path.record_answer.replicate(RECORD_BITS)
            ),
        ]

    def _sums(self, m: Module) -> None:
        path, moments, peaks = self.path, self.moments, self.peaks
        wiring.connect(m, wiring.flipped(self.moment_lines), moments.lines)
        wiring.connect(m, wiring.flipped(self.moment_reads), moments.reads)
        wiring.connect(m, wiring.flipped(self.peak_values), peaks.values[1])
        wiring.connect(m, wiring.flipped(self.peak_reads), peaks.reads)
        wiring.connect(m, path.peaks, peaks.values[0])
        m.d.comb += [
            moments.result_valid.eq(path.moments_valid),
            moments.result.eq(path.moments),
            path.moments_busy.eq(moments.busy[0]),
            self.moment_answer.eq(moments.answer),
            self.moment_data.eq(moments.data),
            self.peak_answer.eq(peaks.answer),
            self.peak_data.eq(peaks.data),
        ]
