"""The execute stage: windows and column words meet in the array, pass by pass."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Fault, Stage, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.feeder.feeder import WindowFeeder
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.layouts import (
    CHIP_ADDRESS_BITS,
    array_beat,
    column_write,
    excess_bits,
    pass_control,
    plane_answer,
    plane_write,
)
from fractrain.hw.flow.parties import parties
from fractrain.hw.flow.tasks import INDEX_BITS, stage_task
from fractrain.hw.mac.array import MacArray
from fractrain.hw.mac.flavour import Flavour
from fractrain.hw.memory.column_memory import ColumnMemory
from fractrain.hw.sequencer.pass_sequencer import PassSequencer

__all__ = ["ExecuteStage"]


class ExecuteStage(wiring.Component):
    """Runs CONVOLVE and PATTERN: one pass per cycle, while windows and room for results are there.

    Members
    -------
    tasks : In(stream of `stage_task`)   CONVOLVE and PATTERN; a PATTERN has no ``skip``
    plane_write : In(`plane_write`), column_write : In(`column_write`)    from the fetch stage
    may_finish : In(1)               a tile's last pass may be issued
    finish, excess : Out             a tile's last pass is issued, with its absent planes
    beats : Out                      results, as from `MacArray`
    issued : Out(1)                  a pass is issued in this cycle
    blocked_operand : Out(1)         a pass waits for its window
    blocked_result : Out(1)          a pass has its window, and waits for ``may_finish``
    waiting : Out(1)                 there is no pass
    tag : Out(Tag)                     of the pass at hand, or of the last one
    ended : Out(1), signal : Out     a command's last pass was issued in the cycle before; the
                                     tokens that it gives, one bit for each party that takes one
    fault, index : Out               for one cycle: `Fault.ADDRESS`, a read beyond a memory, and
                                     its command
    halt : In(1)                     issue no more passes
    idle : Out(1)                    no command and no read is inside

    With a vector unit ``plane_reads`` and ``plane_answers``, as ``moves`` and ``moved`` of
    `PlaneMemory`.

    Timing: a pass is issued as soon as its window is complete (if it is the first of one) and
    ``may_finish`` (if it is the last of a tile), without ``halt``. A finished tile's first beat
    comes ``latency_cycles`` after its last pass was issued.

    ``feeder`` : instead of a `WindowFeeder`, a component with the same members.
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        flavour: Flavour,
        feeder: wiring.Component | None = None,
    ):
        self.parameters = parameters
        self.array = MacArray(parameters.array, flavour=flavour)
        self.columns = ColumnMemory(parameters)
        primitives = flavour is Flavour.SYNTHESIS
        self.feeder = feeder or WindowFeeder(parameters, primitives=primitives)
        self.sequencer = PassSequencer(parameters)
        signals = len(parties(parameters).signal[Stage.EXECUTE])
        moves = {
            "plane_reads": In(stream.Signature(CHIP_ADDRESS_BITS)),
            "plane_answers": Out(plane_answer(parameters)),
        }
        super().__init__(
            {
                "tasks": In(stream.Signature(stage_task(parameters))),
                "plane_write": In(plane_write(parameters)),
                "column_write": In(column_write(parameters)),
                "may_finish": In(1),
                "finish": Out(1),
                "excess": Out(excess_bits(parameters)),
                "beats": Out(array_beat(parameters.array)),
                "issued": Out(1),
                "blocked_operand": Out(1),
                "blocked_result": Out(1),
                "waiting": Out(1),
                "tag": Out(Tag),
                "ended": Out(1),
                "signal": Out(signals),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
                "halt": In(1),
                "idle": Out(1),
                **(moves if parameters.vector is not None else {}),
            }
        )

    @property
    def latency_cycles(self) -> int:
        return ColumnMemory.LATENCY_CYCLES + self.array.latency_cycles

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name in ("sequencer", "feeder", "columns", "array"):
            m.submodules[name] = getattr(self, name)
        self._fork(m)
        self._issue(m)
        self._end(m)
        self._connect_operands(m)
        self._connect_array(m)
        self._check_addresses(m)
        m.d.comb += self.idle.eq(
            self.sequencer.empty & ~self.feeder.busy & (self.fault == Fault.NONE)
        )
        return m

    def _fork(self, m: Module) -> None:
        """Every task goes to the sequencer; those that are not skipped also to the feeder.

        Each takes it when ready; the task is gone when both have taken it.
        """
        task = self.tasks.payload
        given = []
        for name, branch, needless in (
            ("sequencer", self.sequencer.tasks, 0),
            ("feeder", self.feeder.tasks, task.skip),
        ):
            before = Signal(name=f"given_to_{name}")
            now = Signal(name=f"giving_to_{name}")
            m.d.comb += [
                branch.payload.eq(task),
                branch.valid.eq(self.tasks.valid & ~before & ~needless),
                now.eq(before | needless | branch.ready),
            ]
            m.d.sync += before.eq(self.tasks.valid & now & ~self.tasks.ready)
            given.append(now)
        m.d.comb += self.tasks.ready.eq(given[0] & given[1])

    def _issue(self, m: Module) -> None:
        passes, current = self.sequencer.passes, self.sequencer.passes.payload
        there, starved, full = Signal(), Signal(), Signal()
        m.d.comb += [
            there.eq(passes.valid & ~current.empty),
            # neither holds up an empty item
            starved.eq(current.new_window & ~self.feeder.complete),
            full.eq(current.last & ~self.may_finish),
            passes.ready.eq(~starved & ~full & ~self.halt),
            self.issued.eq(there & passes.ready),
            # without ``there``: long paths start here
            self.feeder.take.eq(passes.valid & current.new_window & passes.ready),
            self.finish.eq(passes.valid & current.last & passes.ready),
            self.excess.eq(current.excess),
            self.waiting.eq(~there),
            self.blocked_operand.eq(there & starved),
            self.blocked_result.eq(there & ~starved & full),
        ]
        tag = Signal.like(self.tag)
        m.d.comb += self.tag.eq(Mux(there, current.tag, tag))
        m.d.sync += tag.eq(self.tag)

    def _end(self, m: Module) -> None:
        passes = self.sequencer.passes
        ends = passes.valid & passes.ready & passes.payload.ends
        signals = ends.replicate(len(self.signal))
        m.d.sync += [self.ended.eq(ends), self.signal.eq(signals & passes.payload.signal)]

    def _connect_operands(self, m: Module) -> None:
        """Both operands of a pass are at the array two cycles after its issue."""
        current = self.sequencer.passes.payload
        m.d.comb += [
            self.feeder.write.eq(self.plane_write),
            self.feeder.halt.eq(self.halt),
            self.columns.write.eq(self.column_write),
            self.columns.read.enable.eq(self.issued),
            self.columns.read.address.eq(current.column_address),
            self.columns.read.groups.eq(current.groups),
            self.array.rows.eq(self.feeder.rows),
            self.array.columns.eq(self.columns.columns),
        ]
        if self.parameters.vector is not None:
            wiring.connect(m, wiring.flipped(self.plane_reads), self.feeder.moves)
            m.d.comb += self.plane_answers.eq(self.feeder.moved)

    def _connect_array(self, m: Module) -> None:
        """The array's control travels beside the operands."""
        current, control = self.sequencer.passes.payload, Signal.like(self.array.control)
        m.d.comb += [control.valid.eq(self.issued), self.beats.eq(self.array.results)]
        passed_on = pass_control(self.parameters.array).members.keys() - {"valid"}
        m.d.comb += [control[name].eq(current[name]) for name in sorted(passed_on)]
        latency = ColumnMemory.LATENCY_CYCLES
        m.d.comb += self.array.control.eq(
            delayed(m, control, latency, name="control", reset_less=False)
        )

    def _check_addresses(self, m: Module) -> None:
        """A column address beyond the memory comes before the feeder's fault: the feeder works on
        later windows."""
        current = self.sequencer.passes.payload
        reading = Signal()
        address, index = Signal.like(current.column_address), Signal(INDEX_BITS)
        m.d.sync += [
            reading.eq(self.issued),
            address.eq(current.column_address),
            index.eq(current.index),
        ]
        beyond: Value = reading & (address >= self.parameters.buffers.column_words)
        m.d.sync += [
            self.fault.eq(Mux(beyond, Fault.ADDRESS, self.feeder.fault)),
            self.index.eq(Mux(beyond, index, self.feeder.fault_index)),
        ]
