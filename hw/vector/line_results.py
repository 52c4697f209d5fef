"""What leaves the lanes: rows for the corner turn, lines, a peak, pooled sums."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fractrain.hw.contract import numerics
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import plane_write, write_block
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.vector.digit_rows import DigitRows
from fractrain.hw.vector.image_edges import ImageEdges
from fractrain.hw.vector.line_lanes import LineLanes, lane_results
from fractrain.hw.vector.line_layouts import line_step, line_task, peak_report, vector_of
from fractrain.hw.vector.line_pool import LinePool
from fractrain.hw.vector.line_store import LineStore
from fractrain.hw.vector.peak import Peak
from fractrain.hw.vector.plane_sender import PlaneSender, leaving_block
from fractrain.hw.vector.plane_turn import PlaneTurn
from fractrain.hw.vector.words import bits_of

__all__ = ["LineResults"]

STEPS = 16
"""Steps on their way through the lanes."""


class LineResults(wiring.Component):
    """Takes what `LineLanes` makes to where the command wants it.

    Members
    -------
    start : In(1), task : In(`line_task`)
    steps : In(stream of `line_step`)     of the lines on their way, the oldest first
    step : Out(`line_step`), drop : In(1) the oldest; forget it: no line of it comes from the lanes
    inside : Out(pixels)                  of the image, in the block of ``step``
    sum, sums, line, … : In               of `LineLanes`
    claim_lines, claim_pool : In(1)       of `LineStore`, of `LinePool`, with their ``rooms``
    drains : In(1)       push the last block out of the turn: for as many cycles as it has rows
    collect : In(1)      no line comes any more: report the peak, if the command raises one
    staging_writes, side_writes, plane_write, blocks, peaks : Out      as of `LinePath`
    prepared, sets, words, gone : Out     of `PlaneSender`
    last_line, done : Out(1)       the command's last line; a line's last pass
    contiguous, part : Out         of `ImageEdges`
    empty, beyond : Out(1)         nothing waits but a peak; something was to be written beyond a
                                   memory
    """

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.primitives = parameters, primitives
        pixels, channels = parameters.array.rows, parameters.block.channels
        self.rows, self.pool = DigitRows(parameters), LinePool(parameters)
        self.turn = PlaneTurn(pixels, channels, primitives=primitives)
        self.sender, self.store = PlaneSender(parameters), LineStore(parameters)
        self.edges = ImageEdges(parameters)
        self.peak = Peak(pixels, bits_of("W"), primitives=primitives)
        sender, store = self.sender.signature.members, self.store.signature.members
        super().__init__(
            {
                "start": In(1),
                "task": In(line_task()),
                "steps": In(stream.Signature(line_step(parameters))),
                "step": Out(line_step(parameters)),
                "drop": In(1),
                "inside": Out(pixels),
                **{name: In(shape) for name, shape in lane_results(parameters).items()},
                "claim_lines": In(1),
                "lines_room": Out(1),
                "claim_pool": In(1),
                "pool_room": Out(1),
                "drains": In(1),
                "collect": In(1),
                **{name: store[name] for name in ("staging_writes", "side_writes")},
                "plane_write": Out(plane_write(parameters)),
                "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
                "peaks": Out(stream.Signature(peak_report())),
                **{name: sender[name] for name in ("prepared", "sets", "words", "gone")},
                "last_line": Out(1),
                "done": Out(1),
                "contiguous": Out(1),
                "part": self.edges.signature.members["part"],
                "empty": Out(1),
                "beyond": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sender, store, pool, edges = self.sender, self.store, self.pool, self.edges
        for name in ("rows", "turn", "sender", "store", "edges", "pool", "peak"):
            m.submodules[name] = getattr(self, name)
        for each in (store, sender, pool):
            m.d.comb += each.task.eq(self.task)
        m.submodules.work = self.work = Fifo(line_step(self.parameters), STEPS + Fifo.SLACK)
        connect(m, flipped(self.steps), self.work.w_stream)
        m.d.comb += [
            self.step.eq(self.work.head),
            edges.shape.eq(self.task.entry),
            sender.start.eq(self.start),
            pool.start.eq(self.start),
            store.claim.eq(self.claim_lines),
            self.lines_room.eq(store.room),
            pool.claim.eq(self.claim_pool),
            self.pool_room.eq(pool.room),
            self.contiguous.eq(edges.contiguous),
            self.part.eq(edges.part),
            self.empty.eq(sender.empty & store.empty & pool.empty),
            self.beyond.eq(sender.beyond | store.beyond),
            self.words.eq(sender.words),
            *(
                getattr(self, name).eq(getattr(sender, name))
                for name in ("prepared", "sets", "gone")
            ),
        ]
        self._finish_lines(m)
        return m

    def _finish_lines(self, m: Module) -> None:
        """What a line's sum says, then what its digits say."""
        lanes, task, work = self, self.task, self.work
        odd = Signal()
        m.d.sync += odd.eq(odd ^ lanes.sum)
        m.d.comb += work.r_en.eq((lanes.sum & odd) | self.drop)
        facts = [work.head]
        for cycle in range(1, LineLanes.APPLY_ROWS + 1):
            # with reset: no shift registers, which take look-up tables
            facts.append(delayed(m, facts[-1], 1, name=f"facts_{cycle}", reset_less=False))
        form, apply = LineLanes.FORM_ROWS, LineLanes.APPLY_ROWS
        line = Signal(line_step(self.parameters))
        m.d.comb += [
            line.eq(Mux(task.applies, facts[apply].as_value(), facts[form].as_value())),
            self.rows.set_next.eq(Mux(task.applies, facts[apply - 1].set, facts[form - 1].set)),
        ]
        self._raise_peak(m, facts[0])
        self._turn_rows(m, line)
        second = delayed(m, odd, form, name="second_line", reset_less=False)
        second_late = delayed(m, second, apply - form, name="second_late", reset_less=False)
        second_line = Mux(task.applies, second_late, second)
        store = self.store
        connect(m, store.staging_writes, flipped(self.staging_writes))
        connect(m, store.side_writes, flipped(self.side_writes))
        m.d.comb += [
            store.sum.eq(lanes.sum),
            store.sum_step.eq(facts[0]),
            store.sum_odd.eq(odd),
            store.sums.eq(lanes.sums),
            store.sum_inside.eq(self.inside),
            store.line.eq(lanes.line),
            store.line_step.eq(line),
            store.line_odd.eq(second_line),
            store.inside.eq(self._inside(line)),
            store.numbers.eq(self._residual()),
            store.mask.eq(lanes.mask),
            *self._pooling(line, second_line),
            self.inside.eq(self._inside(facts[0])),
            self.last_line.eq(lanes.line & line.ends & second_line),
            self.done.eq(lanes.line & line.last_pass),
        ]

    def _inside(self, step: Value) -> Value:
        edges, pixels = self.edges, self.parameters.array.rows
        beyond_x = edges.beyond_x & step.last_x.replicate(pixels)
        return ~(beyond_x | (edges.beyond_y & step.last_y.replicate(pixels)))

    def _residual(self) -> Value:
        """r, or what came, at the top of words of the side memory."""
        bits = vector_of(self.parameters).side_bits
        made = Cat(each[len(each) - bits :] for each in self.stream)
        return Mux(self.task.copies, self.side.as_value(), made)

    def _raise_peak(self, m: Module, step: Value) -> None:
        lanes, task, report = self, self.task, self.peaks
        counts = Cat(task.applies | ~each[-1] for each in lanes.sums) & self.inside
        greatest = self.peak.greatest
        lifted = greatest >> numerics.LIFTED_FRACTION
        asked = Signal()  # and not reported
        with m.If(self.collect):
            m.d.sync += asked.eq(1)
        with m.Elif(report.valid & report.ready):
            m.d.sync += asked.eq(0)
        m.d.comb += [
            self.peak.clear.eq(self.start),
            self.peak.collect.eq(self.collect),
            report.valid.eq(self.peak.done & asked),
            report.payload.address.eq(task.peak),
            report.payload.magnitude.eq(Mux(task.applies, greatest, lifted)),
            self.peak.numbers.eq(lanes.sums),
            self.peak.take.eq(
                counts & (lanes.sum & step.last_pass).replicate(self.parameters.array.rows)
            ),
        ]

    def _turn_rows(self, m: Module, line: Value) -> None:
        rows, turn, sender, lanes = self.rows, self.turn, self.sender, self
        bits = vector_of(self.parameters).side_bits
        residual = self._residual()
        tops = (residual[bits * pixel :][:bits] for pixel in range(self.parameters.array.rows))
        top = Cat(each[bits - 8 :] for each in tops)
        entering = Signal(leaving_block(self.parameters), reset_less=True)
        leaving = Signal(leaving_block(self.parameters))
        here = Signal()
        m.d.comb += [
            rows.inside.eq(self._inside(line)),
            rows.activations.eq(lanes.activations),
            rows.residual.eq(top),
            rows.normalized.eq(lanes.normalized),
            rows.errors.eq(lanes.errors),
            rows.mask.eq(lanes.mask),
            turn.comes.eq(lanes.line | self.drains),
            turn.rows.eq(rows.rows),
            sender.comes.eq(here),
            sender.place.eq(turn.place),
            sender.word.eq(turn.word),
            sender.block.eq(leaving),
            self.plane_write.eq(sender.plane_write),
        ]
        self._merge_blocks(m)
        m.d.sync += [
            here.eq(turn.comes),
            entering.there.eq(lanes.line),
            *(entering[name].eq(line[name]) for name in ("set", "stash_offset", "plane_offset")),
        ]
        with m.If(here & (turn.place == self.parameters.block.channels - 1)):
            m.d.sync += leaving.eq(entering)

    def _pooling(self, line: Value, odd: Value) -> list:
        """r of all its bits: those of the side memory, and what is below them."""
        pool, bits = self.pool, vector_of(self.parameters).side_bits
        upper = self._residual()
        numbers = [
            Cat(each[: len(each) - bits], upper[bits * pixel :][:bits])
            for pixel, each in enumerate(self.stream)
        ]
        return [
            pool.line.eq(self.line),
            pool.step.eq(line),
            pool.odd.eq(odd),
            pool.inside.eq(self._inside(line)),
            pool.numbers.eq(Cat(numbers)),
        ]

    def _merge_blocks(self, m: Module) -> None:
        """Pooled sums go before the stash, but not before a block that is on offer."""
        stash, pooled, out = self.sender.blocks, self.pool.blocks, self.blocks
        pools = Signal()
        with m.If(~out.valid | out.ready):
            m.d.sync += pools.eq(pooled.valid & ~(pools & pooled.valid))
        m.d.comb += [
            out.valid.eq(Mux(pools, pooled.valid, stash.valid)),
            out.payload.address.eq(Mux(pools, pooled.payload.address, stash.payload.address)),
            out.payload.data.eq(
                pair_mux(
                    m,
                    pools,
                    pooled.payload.data,
                    stash.payload.data,
                    name="block",
                    primitives=self.primitives,
                )
            ),
            pooled.ready.eq(out.ready & pools),
            stash.ready.eq(out.ready & ~pools),
        ]
