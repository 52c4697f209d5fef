"""Pairs of lines out of the memories, a line a beat for the lanes."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.layouts import CHIP_ADDRESS_BITS
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.flow.unit_layouts import side_line
from fractrain.hw.memory.line_memory import PAIR, LineMemory, line_pair, pair_count
from fractrain.hw.vector.line_layouts import line_step, line_task, vector_of

__all__ = ["LineReader", "line_beat"]


def line_beat(parameters: Parameters) -> data.StructLayout:
    """A beat of the lanes: a line, or one of the two terms of a line.

    second : it is the shortcut's, behind the line's own
    final : the last of its line
    half, channel : of the `ChannelTable`
    ends_group : the last of the group
    """
    return data.StructLayout(
        {
            "valid": 1,
            "second": 1,
            "final": 1,
            "half": 1,
            "channel": range(parameters.block.channels),
            "ends_group": 1,
        }
    )


class LineReader(wiring.Component):
    """Reads what a step needs, and shows it line by line.

    Members
    -------
    start : In(1), task : In(`line_task`)        a command begins; held
    steps : In(stream of `line_step`)     taken when the last of its reads is granted
    go : In(1)                    the step that was on offer in the cycle before may begin: what it
                                  needs, and what it makes, has room
    staging_reads, side_reads : Out(stream of a pair's address), staging, side : In    of the
                                  memories, `LineMemory.READ_CYCLES` after the grant
    banks : Out(1)                a step waits for a turn of a memory
    early : Out(`line_beat`)      the beat a cycle ahead
    beat : Out(`line_beat`)       with it, if the command reads them:
    numbers : Out(ArrayLayout(signed(16), pixels))      y, E, or x̂ of a shortcut (``second``, or
                                  where there is no y)
    value : Out(signed(16))       of a command that ``spreads``: for all pixels of the line
    side_numbers : Out(ArrayLayout(side_bits, pixels)), mask : Out(pixels)     x̂ or r, and its mask
    beyond : Out(1)               a read beyond a memory: nothing more is read

    Timing: a pair every other cycle, with y and a shortcut every fourth. Both memories are asked
    only in a cycle in which both give a turn, so lines of a pair come together and none has to be
    kept: they follow each other without back-pressure. With y and a shortcut, y of both lines waits
    for x̂ of both.
    """

    PAIR_CYCLES = LineMemory.READ_CYCLES + 1
    """From the grant of a single step to its first beat."""
    COOL_SINGLE, COOL_DOUBLE = 1, 3
    """Cycles without a read behind the last one of a step: what the lines take, but one."""

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        vector = vector_of(parameters)
        self.parameters, self.primitives = parameters, primitives
        self.pixels = pixels = parameters.array.rows
        self.staging_pairs = pair_count(vector.staging_words)
        self.side_pairs = pair_count(vector.side_words)
        # an image behind the last one may be counted
        self.value_line = Signal(CHIP_ADDRESS_BITS + 1, reset_less=True)
        number = data.ArrayLayout(numerics.NARROW_BITS, pixels)
        super().__init__(
            {
                "start": In(1),
                "task": In(line_task()),
                "steps": In(stream.Signature(line_step(parameters))),
                "go": In(1),
                "staging_reads": Out(stream.Signature(range(self.staging_pairs))),
                "staging": In(line_pair(number.size)),
                "side_reads": Out(stream.Signature(range(self.side_pairs))),
                "side": In(line_pair(side_line(parameters).size)),
                "banks": Out(1),
                "early": Out(line_beat(parameters)),
                "beat": Out(line_beat(parameters)),
                "numbers": Out(number),
                "value": Out(signed(numerics.NARROW_BITS)),
                "side_numbers": Out(data.ArrayLayout(vector.side_bits, pixels)),
                "mask": Out(pixels),
                "beyond": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        begins, ends = self._issue(m)
        self._beats(m, ends)
        self._staging_lines(m, begins, ends)
        self._side_lines(m, ends)
        return m

    # -- reads --------------------------------------------------------------------------------

    def _issue(self, m: Module) -> tuple[Value, Value]:
        """Grants, of the first and of the last reads of a step."""
        task = self.task
        reads_own = task.normalizes | task.applies | task.carries
        double = Signal()
        m.d.sync += double.eq(reads_own & task.shortcut)
        second = Signal()  # y is on its way, x̂ of the shortcut is next
        cool = Signal(range(self.COOL_DOUBLE + 1))
        uses_staging = reads_own | task.shortcut
        reads_side = task.residual | task.recomputes | task.applies | task.reads_side
        uses_side = reads_side & ~second
        found, outside, looked = self._addresses(m, reads_own)
        # the lowest bit of an address is that of a line inside its pair
        at_staging, side = Mux(second, found["other"], found["own"]), found["side"]
        staging_out = uses_staging & Mux(second, outside["other"], outside["own"])
        side_out = uses_side & outside["side"]
        ready_step, wants = Signal(), Signal()
        m.d.comb += [
            ready_step.eq(self.steps.valid & looked & (self.go | second) & (cool == 0)),
            wants.eq(ready_step & ~staging_out & ~side_out & ~self.beyond),
        ]
        staging_turn = ~uses_staging | self.staging_reads.ready
        side_turn = ~uses_side | self.side_reads.ready
        granted = Signal()
        m.d.comb += [
            granted.eq(wants & staging_turn & side_turn),
            self.staging_reads.valid.eq(granted & uses_staging),
            self.staging_reads.payload.eq(at_staging[1:]),
            self.side_reads.valid.eq(granted & uses_side),
            self.side_reads.payload.eq(side[1:]),
            self.banks.eq(wants & ~granted),
        ]
        last = ~double | second
        m.d.comb += self.steps.ready.eq(granted & last)
        m.d.sync += self.beyond.eq(self.beyond | (ready_step & (staging_out | side_out)))
        with m.If(granted):
            m.d.sync += second.eq(~last)
        with m.If(granted & last):
            m.d.sync += cool.eq(Mux(double, self.COOL_DOUBLE - 1, self.COOL_SINGLE))
        with m.Elif(cool != 0):
            m.d.sync += cool.eq(cool - 1)
        self._double = double
        self._walk_values(m, granted)
        return granted & ~(last & double), granted & last

    def _addresses(
        self, m: Module, reads_own: Value
    ) -> tuple[dict[str, Signal], dict[str, Signal], Value]:
        """Lines that the step on offer reads, of the first pair and the shortcut's, and of the side
        memory; whether they are no pair of it; whether they are known: the cycle after the step
        came."""
        task, step = self.task, self.steps.payload
        offset = (step.block * (self.parameters.block.channels // PAIR) + step.pair) << 1
        sources = {
            "own": Mux(reads_own, task.source, task.second_source),
            "other": task.second_source,
            "side": task.side_source,
        }
        found, outside = {}, {}
        for name, source in sources.items():
            pairs = self.side_pairs if name == "side" else self.staging_pairs
            outside[name] = Signal(name=f"outside_{name}", reset_less=True)
            address = Signal(len(source) + 1, name=f"at_{name}", reset_less=True)
            total = (source + offset)[: len(address) + 1]
            alone = total[0]
            if name == "own":
                total = Mux(task.spreads, self.value_line, total)
                alone = alone & ~task.spreads
            m.d.sync += [address.eq(total), outside[name].eq((total[1:] >= pairs) | alone)]
            found[name] = address
        looked = Signal()
        m.d.sync += looked.eq(self.steps.valid & ~self.steps.ready)
        return found, outside, looked

    def _walk_values(self, m: Module, granted: Value) -> None:
        """The line with the values of an image and group, where they are spread: after the last
        step of an image that of the next one."""
        task, step, line = self.task, self.steps.payload, self.value_line
        first = Signal.like(line, reset_less=True)  # of the group
        last_pair = step.pair == self.parameters.block.channels // PAIR - 1
        with m.If(self.start):
            m.d.sync += [line.eq(task.source), first.eq(task.source)]
        with m.Elif(granted & last_pair & step.last_x & step.last_y):
            m.d.sync += line.eq(line + task.entry.channel_groups)
            with m.If(step.ends_group):
                m.d.sync += [line.eq(first + 1), first.eq(first + 1)]

    # -- beats --------------------------------------------------------------------------------

    def _beats(self, m: Module, ends: Value) -> None:
        """A single step shows its first line the cycle after it came, a double one y in the cycle
        in which x̂ comes."""
        step = self.steps.payload
        facts = {
            "half": step.group[0],
            "channel": step.pair << 1,
            "ends_group": step.ends_group,
        }
        item = Signal(line_beat(self.parameters))
        m.d.comb += [item.valid.eq(ends)] + [item[name].eq(value) for name, value in facts.items()]
        cycles = LineMemory.READ_CYCLES - 2
        double = delayed(m, item, cycles, name="double_item", reset_less=False)
        single = delayed(m, double, 1, name="single_item", reset_less=False)
        early, left, ends_group = self.early, Signal(2), Signal()
        with m.If(self._double & double.valid):
            m.d.sync += [early.eq(double), left.eq(3), early.ends_group.eq(0)]
            m.d.sync += [early.final.eq(0), ends_group.eq(double.ends_group)]
        with m.Elif(~self._double & single.valid):
            m.d.sync += [early.eq(single), left.eq(1), early.ends_group.eq(0)]
            m.d.sync += [early.final.eq(1), ends_group.eq(single.ends_group)]
        with m.Elif(left != 0):
            m.d.sync += [left.eq(left - 1), early.ends_group.eq(ends_group & (left == 1))]
            with m.If(~self._double | early.second):
                m.d.sync += early.channel.eq(early.channel + 1)
            with m.If(self._double):
                m.d.sync += [early.second.eq(~early.second), early.final.eq(~early.second)]
        with m.Else():
            m.d.sync += early.eq(0)
        m.d.sync += self.beat.eq(early)

    def _staging_lines(self, m: Module, begins: Value, ends: Value) -> None:
        """``begins``: of the first reads of a double step, and of single ones."""
        width = len(self.staging[0])
        comes = delayed(m, begins, LineMemory.READ_CYCLES, name="comes", reset_less=False)
        follows = delayed(
            m, ends & self._double, LineMemory.READ_CYCLES, name="follows", reset_less=False
        )
        after = delayed(m, follows, 1, name="after", reset_less=False)
        now, next_, last = (
            Signal(width, name=name, reset_less=True) for name in ("now", "next", "last")
        )
        new = comes | follows
        from_memory = pair_mux(
            m, new, self.staging[0], next_, name="line", primitives=self.primitives
        )
        waiting = pair_mux(
            m, after, last, self.staging[1], name="waiting", primitives=self.primitives
        )
        # y of the first line waits for x̂, then all follow each other
        last_shift = delayed(m, after, 1, name="last_shift", reset_less=False)
        with m.If(~self._double | new | after | last_shift):
            m.d.sync += now.eq(from_memory)
        with m.If(comes | after):
            m.d.sync += next_.eq(waiting)
        with m.If(follows):
            m.d.sync += last.eq(self.staging[1])
        m.d.comb += self.numbers.eq(now)
        self._values(m, comes)

    def _values(self, m: Module, comes: Value) -> None:
        """Two values of a line that has come, one for each line of the pair."""
        bits, cycles = numerics.NARROW_BITS, LineMemory.READ_CYCLES
        odd = delayed(m, self.value_line[0], cycles, name="value_odd")
        pair = delayed(m, self.steps.payload.pair, cycles, name="value_pair")
        # signals, as each bit of a line is chosen by itself: an expression would be copied for each
        values = Signal(bits * self.parameters.block.channels)
        m.d.comb += values.eq(Mux(odd, self.staging[1], self.staging[0]))
        chosen = Signal(PAIR * bits)
        m.d.comb += chosen.eq(values.word_select(pair, PAIR * bits))
        following = Signal(bits, reset_less=True)
        value = Signal.like(self.value, reset_less=True)
        m.d.sync += value.eq(Mux(comes, chosen[:bits], following))
        with m.If(comes):
            m.d.sync += following.eq(chosen[bits:])
        m.d.comb += self.value.eq(value)

    def _side_lines(self, m: Module, ends: Value) -> None:
        """Those of a single step; there is no shortcut beside them."""
        comes = delayed(m, ends, LineMemory.READ_CYCLES, name="side_comes", reset_less=False)
        lines = [self.side[place] for place in range(PAIR)]
        now, next_ = (
            Signal(len(lines[0]), name=name, reset_less=True) for name in ("side_now", "side_next")
        )
        m.d.sync += now.eq(
            pair_mux(m, comes, lines[0], next_, name="side_line", primitives=self.primitives)
        )
        with m.If(comes):
            m.d.sync += next_.eq(lines[1])
        line = data.View(side_line(self.parameters), now)
        m.d.comb += [self.side_numbers.eq(line.numbers), self.mask.eq(line.mask)]
