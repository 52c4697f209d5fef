"""Walks through the lines of a tensor, a pair a step."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.vector.digit_sets import digit_sets
from fractrain.hw.vector.line_layouts import line_step, tensor_shape

__all__ = ["LineWalker"]


class LineWalker(wiring.Component):
    """``for group: for image: for tile row: for tile: for set: for pair`` of lines.

    Members
    -------
    start : In(1)        begin, unless it is at work
    shape : In(`tensor_shape`), sets : In(number of `digit_sets`)    held from ``start`` to the last
                         step: the tensor, whose counts are not 0, and the sets, one or more, as
                         which each of its blocks passes, the lowest first
    steps : Out(stream of `line_step`)
    busy : Out(1)

    Timing: the first step is on offer the cycle after ``start``, then one a cycle.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.set_count = len(digit_sets(parameters.block.channels))
        super().__init__(
            {
                "start": In(1),
                "shape": In(tensor_shape()),
                "sets": In(self.set_count),
                "steps": Out(stream.Signature(line_step(parameters))),
                "busy": Out(1),
            }
        )
        self.step = Signal(line_step(parameters), reset_less=True)
        """The step on offer, but for what follows from the counts that are left."""
        self.left = {
            count: Signal.like(self.shape[count], name=f"left_{count}", reset_less=True)
            for count in ("tiles_x", "tiles_y", "images", "channel_groups")
        }
        """Of each loop, with the one at work."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        moves, begins = Signal(), Signal()
        m.d.comb += [
            begins.eq(self.start & ~self.busy),
            moves.eq(self.steps.valid & self.steps.ready),
            self.steps.valid.eq(self.busy),
        ]
        last_pair = self.step.pair == self.parameters.block.channels // 2 - 1
        later, last_pass = self._later_set()
        block_done, last = Signal(), Signal()
        m.d.comb += block_done.eq(moves & last_pair & last_pass)
        with m.If(moves):
            m.d.sync += self.step.pair.eq(self.step.pair + 1)
            with m.If(last_pair):
                m.d.sync += self.step.set.eq(Mux(last_pass, self._lowest(), later))
        with m.If(begins):
            m.d.sync += [
                self.busy.eq(1),
                self.step.pair.eq(0),
                self.step.set.eq(self._lowest()),
            ]
        with m.Elif(block_done & last):
            m.d.sync += self.busy.eq(0)
        ends = self._count(m, begins, block_done)
        m.d.comb += last.eq(ends["channel_groups"])
        self._number(m, begins, block_done, ends)
        at_end = last_pair & last_pass
        m.d.comb += [
            self.steps.payload.eq(self.step),
            self.steps.payload.last_x.eq(self.left["tiles_x"] == 1),
            self.steps.payload.last_y.eq(self.left["tiles_y"] == 1),
            self.steps.payload.last_pass.eq(last_pass),
            self.steps.payload.ends_group.eq(at_end & ends["images"]),
            self.steps.payload.ends.eq(at_end & ends["channel_groups"]),
        ]
        return m

    def _lowest(self) -> Value:
        """The first of the sets."""
        found: Value = Const(self.set_count - 1)
        for number in reversed(range(self.set_count - 1)):
            found = Mux(self.sets[number], number, found)
        return found

    def _later_set(self) -> tuple[Value, Value]:
        """The set behind the one at work, and whether there is none."""
        found: Value = Const(0)
        some: Value = Const(0)
        for number in reversed(range(1, self.set_count)):
            there = self.sets[number] & (self.step.set < number)
            found, some = Mux(there, number, found), some | there
        return found, ~some

    def _count(self, m: Module, begins: Value, block_done: Value) -> dict[str, Value]:
        """Nested counts: whether each, and all inside it, are at their ends."""
        ends: dict[str, Value] = {}
        inner: Value = Const(1, 1)
        for name, left in self.left.items():
            with m.If(begins | (block_done & inner)):
                m.d.sync += left.eq(Mux(begins | (left == 1), self.shape[name], left - 1))
            inner = inner & (left == 1)
            ends[name] = inner
        return ends

    def _number(self, m: Module, begins: Value, block_done: Value, ends: dict[str, Value]) -> None:
        """What follows from block to block: numbers and offsets."""
        step, shape = self.step, self.shape
        stash, planes = (
            Signal.like(step[name], name=f"group_{name}", reset_less=True)
            for name in ("stash_offset", "plane_offset")
        )
        next_stash, next_planes = (
            stash + shape.stash_group_stride,
            planes + shape.plane_group_stride,
        )
        with m.If(begins):
            m.d.sync += [
                each.eq(0)
                for each in (
                    *(step[name] for name in ("block", "image_block", "group", "image")),
                    *(step[name] for name in ("stash_offset", "plane_offset")),
                    *(stash, planes),
                )
            ]
        with m.Elif(block_done):
            m.d.sync += [
                step.block.eq(step.block + 1),
                step.image_block.eq(Mux(ends["tiles_y"], 0, step.image_block + 1)),
            ]
            with m.If(ends["images"]):
                m.d.sync += [
                    step.group.eq(step.group + 1),
                    step.image.eq(0),
                    step.stash_offset.eq(next_stash),
                    step.plane_offset.eq(next_planes),
                    stash.eq(next_stash),
                    planes.eq(next_planes),
                ]
            with m.Else():
                m.d.sync += [
                    step.image.eq(step.image + ends["tiles_y"]),
                    step.stash_offset.eq(step.stash_offset + 1),
                    step.plane_offset.eq(step.plane_offset + 1),
                ]
