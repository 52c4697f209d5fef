"""The result stage: what happens to tiles on their way out of the array."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Fault, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.copies import copies, copy_to
from fractrain.hw.flow.delay import stepped
from fractrain.hw.flow.layouts import array_beat, excess_bits, port_beat, write_block
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import INDEX_BITS, stage_task
from fractrain.hw.results.admission import TileAdmission
from fractrain.hw.results.decoder import StoreDecoder
from fractrain.hw.results.gradient import GradientSum
from fractrain.hw.results.layouts import beat_facts, signal_bits
from fractrain.hw.results.narrow import Narrower
from fractrain.hw.results.queue import BeatQueue
from fractrain.hw.results.raw import RawSerializer
from fractrain.hw.results.sender import BlockSender
from fractrain.hw.results.turn import CornerTurn
from fractrain.hw.results.unit_ways import BeatReads, UnitTasks, unit_members
from fractrain.hw.results.walker import TileWalker

__all__ = ["ResultStage"]


class ResultStage(wiring.Component):
    """Does what `hw.contract.commands.Store` says to the tiles that leave the array.

    ::

        array -> queue -> sums (with the gradient memory) -+-> port
                                                           +-> blocks of raw sums  ---+-> writer
                                                           +-> narrowed -> planes  ---+

    Members
    -------
    tasks : In(stream of `stage_task`)      STORE commands, and with a vector unit NARROW and JOIN
    admit : In(1), excess : In    the last pass of a tile is issued (only while ``ready``), with the
                                  count of absent planes of both operands' last digits
    ready : Out(1)                ``admit`` is allowed
    beats : In(`array_beat`)      from the array, which cannot wait
    port : Out(stream of `port_beat`)       results of the format PORT
    blocks : Out(stream of `write_block`)   to memory
    writer_idle : In(1)           everything that was taken is acknowledged; low from the second
                                  cycle on after a block was taken
    ended : Out(1), signal : Out  a command has ended, and the tokens that it gives, one bit for
                                  each party that takes one; in order
    fault, index : Out            `Fault.ADDRESS` for a cycle, and the command that addressed the
                                  gradient memory beyond its end. The stage then stops until reset.
    halt : In(1)                  offer nothing more, until reset
    idle : Out(1)                 no task, no tile and no block is here or on its way here
    blocks_sent : Out(1), tag : Out(Tag), sent_index : Out    a block of this command was taken
    clear : In(1)                 forget the queue's contents; with it, reset the rest

    With a vector unit, to which NARROW and JOIN are STOREs that leave at a port of their own

    unit_tasks : Out(stream of `stage_task`), unit_beats : Out(stream of `port_beat`)
                                  those of them that are carried out, and the sums of their tiles
    unit_ended : In(1)            it has done one, in their order
    beat_reads : In(stream of a beat's address)      of the gradient memory, in a cycle in which no
                                  beat begins
    beat_answer : Out(1), beat : Out                 what was read, in order, any time later

    Timing: a beat per cycle, through tiles and tasks of one format without a bubble. If nothing
    waits before it, a beat is offered at the port `latency_cycles` after the array gave it, its
    first raw block `raw_latency_cycles` after, and a tile's first plane `planes_latency_cycles`
    after the tile's last beat. Other formats wait until all planes before them have been issued.
    RAW32 and RAW48 take ``32 / beats_per_tile`` and ``48 / beats_per_tile`` cycles for a beat,
    PLANES as many for a tile as it has planes or beats, whichever are more. A task comes in every
    `task_interval_cycles`, one that is skipped too. A reset leaves the gradient memory as it is.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        self.with_unit = parameters.vector is not None
        super().__init__(
            {
                "tasks": In(stream.Signature(stage_task(parameters))),
                "admit": In(1),
                "excess": In(excess_bits(parameters)),
                "ready": Out(1),
                "beats": In(array_beat(parameters.array)),
                "port": Out(stream.Signature(port_beat(parameters.array))),
                "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
                "writer_idle": In(1),
                "ended": Out(1),
                "signal": Out(signal_bits(parameters)),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
                "halt": In(1),
                "idle": Out(1),
                "blocks_sent": Out(1),
                "tag": Out(Tag),
                "sent_index": Out(INDEX_BITS),
                "clear": In(1),
                **(unit_members(parameters) if self.with_unit else {}),
            }
        )
        # a beat on its way through the sums: being read, read, summed
        facts = beat_facts(parameters)
        self.reading, self.read, self.summed = Signal(facts), Signal(facts), Signal(facts)
        self.reading_valid, self.read_valid, self.summed_valid = Signal(), Signal(), Signal()
        self.queue = BeatQueue(parameters)
        self.sums = GradientSum(parameters)
        # Bit 0 moves the facts, each other bit a part of the sums. All are equal, and each comes
        # from its own registers: one net could not drive them all.
        self.step = Signal(1 + self.sums.steps)
        # the way of the summed beat: one of them while there is a beat
        self.ways = {
            way: copies(len(self.step), name=f"at_{way}")
            for way in ("port", "raw", "planes", "other", *(("unit",) if self.with_unit else ()))
        }
        self.at_port, self.at_raw, self.at_planes, self.at_other = (
            self.ways[way][0] for way in ("port", "raw", "planes", "other")
        )
        self.beyond = Signal()
        self.failed = Signal()
        self.turning = Signal()
        self.opens = copies(len(self.step), name="open")
        self.open = self.opens[0]
        self.coarse_shifts = copies(self.sums.adders, name="coarse_shift", width=2)

    @property
    def latency_cycles(self) -> int:
        """From the array's beat to the port: into the queue, and out of it to the sum."""
        return self.queue.latency_cycles + StreamRegister.latency_cycles + GradientSum.LATENCY_STEPS

    @property
    def raw_latency_cycles(self) -> int:
        """From the array's beat to its first block of raw sums, if nothing waits before it."""
        return self.latency_cycles + BlockSender.latency_cycles

    @property
    def planes_latency_cycles(self) -> int:
        """From a tile's last beat to its first plane, if nothing waits before it."""
        narrow, turn = Narrower.LATENCY_STEPS, CornerTurn.latency_cycles
        return self.latency_cycles + narrow + turn + BlockSender.latency_cycles

    @property
    def task_interval_cycles(self) -> int:
        """Between two tasks, where their tiles take no longer."""
        return StoreDecoder.INTERVAL_CYCLES

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = self.queue
        m.submodules.walker = walker = TileWalker(self.parameters)
        m.submodules.sums = sums = self.sums
        m.submodules.sender = sender = BlockSender(self.parameters)
        self._admit(m, queue, walker)
        begun = self._walk(m, queue, walker)
        self._add(m, begun, sums, queue)
        turn = self._narrow(m, sums, sender)
        self._leave(m, sums, sender, turn)
        self._report(m, walker, sender, turn)
        return m

    def _admit(self, m: Module, queue: BeatQueue, walker: TileWalker) -> None:
        m.submodules.admission = admission = TileAdmission(self.parameters)
        # a cycle late: the path from the port's ready ends here
        left = Signal()
        m.d.sync += left.eq(self.step[0] & self._reads_beat & self.reading.last)
        self.tiles_empty = admission.empty
        m.d.comb += [
            admission.admit.eq(self.admit),
            admission.left.eq(left),
            self.ready.eq(admission.ready),
            queue.admit.eq(self.admit),
            queue.excess.eq(self.excess),
            queue.beats.eq(self.beats),
            queue.clear.eq(self.clear),
            queue.claim.eq(walker.claim),
        ]

    def _walk(self, m: Module, queue: BeatQueue, walker: TileWalker) -> StreamRegister:
        """Begins beats; a register follows, as the state of the pipeline is known late."""
        m.submodules.decoder = self.decoder = decoder = StoreDecoder(self.parameters)
        if self.with_unit:
            m.submodules.unit_tasks = fork = UnitTasks(self.parameters)
            wiring.connect(m, wiring.flipped(self.tasks), fork.i)
            wiring.connect(m, fork.o, decoder.tasks)
            wiring.connect(m, fork.unit, wiring.flipped(self.unit_tasks))
        else:
            wiring.connect(m, wiring.flipped(self.tasks), decoder.tasks)
        wiring.connect(m, decoder.decoded, walker.tasks)
        m.submodules.begun = begun = StreamRegister(beat_facts(self.parameters))
        wiring.connect(m, walker.begun, begun.i)
        self.ahead = Signal()
        calm = Signal()
        m.d.comb += self.ahead.eq(
            ~begun.empty | self.reading_valid | self.read_valid | self.summed_valid
        )
        m.d.sync += calm.eq(~(walker.begun.valid | self.ahead))
        m.d.comb += [
            begun.o.ready.eq(self.step[0]),
            walker.available.eq(queue.available),
            walker.stop.eq(self.failed),
            walker.calm.eq(calm),
        ]
        return begun

    @property
    def _reads_beat(self) -> Value:
        return self.reading_valid & self.reading.beat

    def _add(self, m: Module, begun: StreamRegister, sums: GradientSum, queue: BeatQueue) -> None:
        """Three steps: address, word, sum. Beats stay in the queue until the second of them."""
        here = self.read_valid & ~(self.beyond | self.failed | self.halt)
        uses = self.reading.add | self.reading.keep
        words = self.parameters.buffers.gradient_words
        with m.If(self.step[0]):
            m.d.sync += [
                self.reading.eq(begun.o.payload),
                self.reading_valid.eq(begun.o.valid),
                self.read.eq(self.reading),
                self.read_valid.eq(self.reading_valid),
                self.beyond.eq(
                    self.reading_valid & uses & (self.reading.gradient_address >= words)
                ),
                self.summed.eq(self.read),
                self.summed_valid.eq(here),
            ]
            named = [way for way in self.ways if way != "other"]
            for way in named:
                copy_to(m, self.ways[way], here & self.read[way])
            other = ~reduce(or_, (self.read[way] for way in named))
            copy_to(m, self.ways["other"], here & other)
            copy_to(m, self.coarse_shifts, self.read.shift[4:])
        if self.with_unit:
            # of the next cycle
            self.at_unit = Mux(self.step[0], here & self.read.unit, self.ways["unit"][0])
        m.d.comb += [
            sums.step.eq(self.step[1:]),
            sums.address.eq(begun.o.payload.gradient_address),
            sums.use.eq(self.reading.add),
            sums.data.eq(queue.data),
            queue.step.eq(self.step[0]),
            queue.wanted.eq(self._reads_beat),
            sums.keep.eq(self.summed_valid & self.summed.keep),
            sums.keep_address.eq(self.summed.gradient_address),
        ]
        if self.with_unit:
            self._read_beats(m, begun, sums)

    def _read_beats(self, m: Module, begun: StreamRegister, sums: GradientSum) -> None:
        """Of the vector unit."""
        m.submodules.beat_reads = turns = BeatReads()
        reads = self.beat_reads
        m.d.comb += [
            turns.step.eq(self.step[0]),
            turns.begins.eq(begun.o.valid),
            turns.request.eq(reads.valid),
            reads.ready.eq(turns.ready),
            self.beat_answer.eq(turns.answer),
            # nothing was added: ``queue.data`` is 0
            self.beat.eq(sums.sums),
        ]
        with m.If(~begun.o.valid):
            m.d.comb += sums.address.eq(reads.payload)
        with m.If(turns.use):
            m.d.comb += sums.use.eq(1)

    def _narrow(self, m: Module, sums: GradientSum, sender: BlockSender) -> CornerTurn:
        """The facts of a beat travel beside it through the `Narrower`, to the `CornerTurn`."""
        parameters = self.parameters
        m.submodules.narrower = narrower = Narrower(
            parameters.results_per_beat, parameters.array.rows, parameters.array.cluster_rows
        )
        m.submodules.turn = turn = CornerTurn(parameters, steps=1 + narrower.parts)
        steps, moves = narrower.LATENCY_STEPS, turn.step[0]
        facts = stepped(m, self.summed, steps, moves, name="facts")
        valid = stepped(m, self.at_planes, steps, moves, name="facts_valid")
        previous, last = (valid[at] & facts[at].last for at in (-2, -1))
        m.d.comb += [
            narrower.outside.eq(facts[-2].outside),
            narrower.step.eq(turn.step[1:]),
            narrower.sums.eq(sums.sums),
            narrower.shift.eq(self.summed.shift[:4]),
            narrower.coarse.eq(Cat(self.coarse_shifts)),
            narrower.signed.eq(self.summed.signed),
            narrower.beyond.eq(self.summed.beyond),
            turn.valid.eq(valid[-1]),
            turn.completes_next.eq(Mux(moves, previous, last)),
            turn.facts.eq(facts[-1]),
            turn.results.eq(narrower.results),
            turn.room.eq(sender.room),
            turn.room_next.eq(sender.room_next),
            self.turning.eq(reduce(or_, valid, turn.busy)),
        ]
        return turn

    def _leave(self, m: Module, sums: GradientSum, sender: BlockSender, turn: CornerTurn) -> None:
        """Sends the summed beat on its way; only one way is open at a time."""
        m.submodules.raw = raw = RawSerializer(self.parameters)
        facts = self.summed
        m.d.comb += [
            self.port.valid.eq(self.at_port & self.open),
            self.port.payload.data.as_value().eq(sums.sums),
            self.port.payload.last.eq(facts.last),
            self.step.eq(
                Cat(
                    ~reduce(or_, self._waits(number, raw, turn)) for number in range(len(self.step))
                )
            ),
            raw.sums.eq(sums.sums),
            raw.load.eq(self.step[0]),
            raw.raw48.eq(self.read.raw48),
            raw.first.eq(self.read.first),
            raw.start.eq(facts.address),
            raw.issue.eq(self.at_raw & self.open),
        ]
        # once a beat is on offer it stays there
        offered = self.at_port & self.open & ~self.port.ready
        if self.with_unit:
            m.d.comb += [
                self.unit_beats.payload.data.as_value().eq(sums.sums),
                self.unit_beats.payload.last.eq(facts.last),
            ]
            offered = offered | (self.unit_beats.valid & ~self.unit_beats.ready)
        stopped = self.halt | self.failed
        opens = ~self.turning & ((sender.room & ~stopped) | offered)
        copy_to(m, self.opens, opens)
        if self.with_unit:
            # a register, as the unit is mapped by itself
            m.d.sync += self.unit_beats.valid.eq(self.at_unit & opens)
        self._issue(m, sender, turn, raw)

    def _waits(self, number: int, raw: RawSerializer, turn: CornerTurn) -> list[Value]:
        """Why the summed beat stays, by the way that it goes; as part ``number`` sees it."""
        at = {way: each[number] for way, each in self.ways.items()}
        opened = self.opens[number]
        found = [
            at["port"] & ~(opened & self.port.ready),
            at["other"] & ~opened,
            at["raw"] & ~(opened & raw.last),
            at["planes"] & ~turn.step[number % len(turn.step)],
        ]
        if self.with_unit:
            found.append(at["unit"] & ~(opened & self.unit_beats.ready))
        return found

    def _issue(self, m: Module, sender: BlockSender, turn: CornerTurn, raw: RawSerializer) -> None:
        facts, item = self.summed, sender.item
        direct = self.at_port | self.at_raw | self.at_other
        if self.with_unit:
            direct = direct | self.ways["unit"][0]
        ends = direct & facts.end & self.step[0]
        m.d.comb += [
            sender.issue.eq(turn.issue | raw.issue | ends),
            sender.planes.eq(turn.blocks),
            sender.raw.eq(raw.block),
        ]
        with m.If(turn.busy):
            m.d.comb += item.eq(turn.item)
        with m.Else():
            m.d.comb += [
                item.block.eq(facts.raw),
                item.end.eq(facts.end & (raw.last | ~facts.raw)),
                item.signal.eq(facts.signal),
                item.tag.eq(facts.tag),
                item.index.eq(facts.index),
                item.address.eq(raw.address),
            ]
            if self.with_unit:
                m.d.comb += item.unit.eq(facts.unit & facts.end)

    def _report(self, m: Module, walker: TileWalker, sender: BlockSender, turn: CornerTurn) -> None:
        wiring.connect(m, wiring.flipped(self.blocks), sender.blocks)
        stopped = Signal()
        fails = self.beyond & self.read_valid & self.step[0] & ~self.failed
        m.d.sync += [
            self.fault.eq(Mux(fails, Fault.ADDRESS, Fault.NONE)),
            self.index.eq(self.read.index),
            self.failed.eq(self.failed | fails),
            stopped.eq(self.halt | self.failed),
            self.ended.eq(sender.ended),
            self.signal.eq(sender.signal),
        ]
        m.d.comb += [
            sender.writer_idle.eq(self.writer_idle),
            *([sender.unit_ended.eq(self.unit_ended)] if self.with_unit else []),
            sender.halt.eq(stopped),
            self.blocks_sent.eq(sender.sent),
            self.tag.eq(sender.tag),
            self.sent_index.eq(sender.index),
        ]
        # a cycle late, so what is about to come in counts as well
        tasks = self.tasks.valid | ~self.decoder.empty | walker.busy
        beats = self.ahead | self.turning
        quiet = Signal()
        m.d.sync += quiet.eq(~tasks & ~beats & self.tiles_empty & sender.empty)
        m.d.comb += self.idle.eq(quiet & ~tasks & ~self.admit)
