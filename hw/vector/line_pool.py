"""Pooled sums: Σr of each image and channel, to memory."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.layouts import ADDRESS_BITS, write_block
from fractrain.hw.vector.adder_tree import adder_tree, tree_levels
from fractrain.hw.vector.line_layouts import line_step, line_task
from fractrain.hw.vector.reduce import ChannelSum

__all__ = ["LinePool"]

SUM_BITS = 32
"""Of a sum in memory."""
FRACTION = numerics.MAX_RESIDUAL_BITS - numerics.MIN_RESIDUAL_BITS
"""Most places below r, which comes at the top of its word."""


class LinePool(wiring.Component):
    """Adds up r over the pixels of each image and channel.

    Members
    -------
    start : In(1), task : In(`line_task`)
    claim : In(1), room : Out(1)     the last block of an image is going to come; it may
    line : In(1), step : In(`line_step`), odd : In(1), inside : In(pixels)
    numbers : In(ArrayLayout(16, pixels))      r at the top of its word
    blocks : Out(stream of `write_block`)      the sums of a group's channels, as whole blocks
    empty : Out(1)       no sum is on its way

    Timing: a line a cycle. Two images of a group are on their way at most: one that is added up,
    one that waits for memory.
    Numbers: modulo 2^32.
    """

    IMAGES = 2

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.pixels, self.channels = parameters.array.rows, parameters.block.channels
        self.parts = SUM_BITS * self.channels // parameters.block_bits
        super().__init__(
            {
                "start": In(1),
                "task": In(line_task()),
                "claim": In(1),
                "room": Out(1),
                "line": In(1),
                "step": In(line_step(parameters)),
                "odd": In(1),
                "inside": In(self.pixels),
                "numbers": In(data.ArrayLayout(numerics.MAX_RESIDUAL_BITS, self.pixels)),
                "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ends, sums = self._add(m)
        comes, group = self._collect(m, ends, sums)
        taken = self._offer(m, comes, group)
        on_way = Signal(range(self.IMAGES + 1))
        m.d.sync += on_way.eq(on_way + self.claim - taken)
        m.d.comb += [self.room.eq(on_way != self.IMAGES), self.empty.eq(on_way == 0)]
        return m

    def _add(self, m: Module) -> tuple[Value, Value]:
        """Σr of a line's channel so far, of an image; whether the image's last block has it."""
        step = self.step
        valid = Signal()
        m.d.sync += valid.eq(self.line & self.task.pooled & step.last_pass)
        numbers = []
        for pixel in range(self.pixels):
            number = Signal(signed(numerics.MAX_RESIDUAL_BITS + 1), name=f"r_{pixel}")
            with m.If(self.inside[pixel]):
                m.d.sync += number.eq(self.numbers[pixel])
            with m.Else():
                m.d.sync += number.eq(0)
            numbers.append(number)
        cycles = tree_levels(self.pixels)
        keep = delayed(m, valid, cycles - 1, name="keep", reset_less=False)
        total = adder_tree(m, numbers, name="sum", keep=keep)
        m.submodules.sums = sums = ChannelSum(
            self.channels, total.shape(), unsigned(SUM_BITS + FRACTION)
        )
        facts = Cat(self.odd, step.pair), step.image_block == 0, step.last_x & step.last_y
        channel, first, last = (
            delayed(m, each, 1 + cycles, name=name)
            for each, name in zip(facts, ("channel", "first", "last"), strict=True)
        )
        added = delayed(m, valid, cycles, name="added", reset_less=False)
        m.d.comb += [
            sums.channel.eq(channel),
            sums.value.eq(total),
            # what is added where there is no line is 0, and begins nothing
            sums.first.eq(first & added),
        ]
        ends = delayed(m, added & last, sums.latency_cycles, name="ends", reset_less=False)
        return ends, sums.total

    def _collect(self, m: Module, ends: Value, total: Value) -> tuple[Value, Value]:
        """The sums of all channels, a cycle after the last."""
        number = Signal(SUM_BITS)
        fewest = numerics.MIN_RESIDUAL_BITS
        with m.Switch(self.task.residual_bits):
            for bits in range(fewest, numerics.MAX_RESIDUAL_BITS + 1):
                with m.Case(bits):
                    m.d.comb += number.eq(total >> numerics.MAX_RESIDUAL_BITS - bits)
        group = Signal(SUM_BITS * self.channels, reset_less=True)
        place, comes = Signal(range(self.channels)), Signal()
        m.d.sync += comes.eq(ends & (place == self.channels - 1))
        with m.If(ends):
            m.d.sync += [group.eq(Cat(group[SUM_BITS:], number)), place.eq(place + 1)]
        return comes, group

    def _offer(self, m: Module, comes: Value, group: Value) -> Value:
        """The sums of images, groups outside, ``[image][group]`` in memory; that they have left."""
        task, blocks, bits = self.task, self.blocks, self.parameters.block_bits
        size = self.channels * SUM_BITS // 8
        held, left = Signal(len(group), reset_less=True), Signal(range(self.parts + 1))
        waits = Signal()  # sums that are collected while others are held
        loads = (comes | waits) & (left == 0)
        address, group_address = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        images = Signal.like(task.entry.images)
        moves, done = blocks.valid & blocks.ready, Signal()
        last_image = images == 1
        following = address + (task.entry.channel_groups * Const(size))
        m.d.comb += [
            blocks.valid.eq(left != 0),
            blocks.payload.address.eq(address + (self.parts - left) * (bits // 8)),
            blocks.payload.data.eq(held[:bits]),
            done.eq(moves & (left == 1)),
        ]
        m.d.sync += waits.eq((comes | waits) & ~loads)
        with m.If(loads):
            m.d.sync += [held.eq(group), left.eq(self.parts)]
        with m.Elif(moves):
            m.d.sync += [held.eq(held >> bits), left.eq(left - 1)]
        with m.If(self.start):
            m.d.sync += [
                address.eq(task.pool),
                group_address.eq(task.pool + size),
                images.eq(task.entry.images),
            ]
        with m.Elif(done):
            m.d.sync += [
                address.eq(Mux(last_image, group_address, following)),
                images.eq(Mux(last_image, task.entry.images, images - 1)),
            ]
            with m.If(last_image):
                m.d.sync += group_address.eq(group_address + size)
        return done
