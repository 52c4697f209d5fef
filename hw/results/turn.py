"""The corner turn: results come in beats of whole numbers and leave in blocks of one bit each."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import MAX_BITS
from fractrain.hw.flow.copies import copies, copy_to
from fractrain.hw.flow.layouts import ADDRESS_BITS
from fractrain.hw.results.choice import choose
from fractrain.hw.results.layouts import beat_facts, item_layout

__all__ = ["GROUPS", "CornerTurn"]

GROUP_PLANES = 4
GROUP_BITS = (GROUP_PLANES - 1).bit_length()
GROUPS = MAX_BITS // GROUP_PLANES
"""Planes are selected in groups; one look-up table chooses from so many."""


class CornerTurn(wiring.Component):
    """Collects the beats of a tile and sends its planes, most significant first.

    While the planes of one tile leave, the next is collected.

    Members
    -------
    valid : In(1), facts : In(`beat_facts`), results : In    a narrowed beat
    completes_next : In(1)     in the next cycle there is one, and it is the last of its tile
    step : Out(`steps`) the beat is taken, or there is none; all bits are equal, each drives a part
    room, room_next : In(1)    an item may be issued; it may be in the next cycle
    issue : Out(1), item : Out(`item_layout`)    a block is issued
    blocks : Out        its bits, a cycle later: the OR of all of these; 0 if none was issued
    busy : Out(1)       planes are waiting to leave

    Timing: a beat per cycle in, a block per cycle out; the last beat of a tile is taken when the
    last block of the tile before is issued. The first block of a tile follows it by
    `latency_cycles`.
    """

    latency_cycles = 1

    def __init__(self, parameters: Parameters, steps: int):
        self.parameters, self.steps = parameters, steps
        self.beats = parameters.beats_per_tile
        results = data.ArrayLayout(MAX_BITS, parameters.results_per_beat)
        super().__init__(
            {
                "valid": In(1),
                "completes_next": In(1),
                "facts": In(beat_facts(parameters)),
                "results": In(results),
                "step": Out(steps),
                "room": In(1),
                "room_next": In(1),
                "issue": Out(1),
                "item": Out(item_layout(parameters)),
                "blocks": Out(data.ArrayLayout(parameters.block_bits, GROUPS)),
                "busy": Out(1),
            }
        )
        self.collected = [
            Signal(results, name=f"collected_{i}", reset_less=True) for i in range(self.beats - 1)
        ]
        self.leaving = [
            Signal(results, name=f"leaving_{i}", reset_less=True) for i in range(self.beats)
        ]
        self.now = Signal(beat_facts(parameters), reset_less=True)
        self.final = Signal()
        # a tile is complete, but the last plane of the one before is not issued in this cycle
        self.stuck = copies(steps, name="stuck")
        # the same, and that a tile is complete, for each of the beats that then leave together
        self.stay = copies(self.beats, name="stay")
        self.completes = copies(self.beats, name="completes")
        self.plane = Signal(range(MAX_BITS), reset_less=True)
        # its low bits, for each group
        self.choices = copies(GROUPS, name="choice", width=GROUP_BITS, reset_less=True)
        self.real = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        load = Signal(self.beats)  # all bits are equal
        copy_to(m, self.completes, self.completes_next)
        m.d.comb += [
            self.issue.eq(self.busy & self.room),
            self.step.eq(~Cat(self.stuck)),
            load.eq(Cat(self.completes) & ~Cat(self.stay)),
        ]
        self._collect(m, load)
        self._count_planes(m, load[0])
        self._select(m)
        self._address(m, load[0])
        return m

    def _collect(self, m: Module, load: Value) -> None:
        place = Signal(max(1, self.beats - 1), init=1)  # where the next beat goes, one-hot
        for number, register in enumerate(self.collected):
            with m.If(self.valid & place[number]):
                m.d.sync += register.eq(self.results)
        for number, source in enumerate([*self.collected, self.results]):
            with m.If(load[number]):
                m.d.sync += self.leaving[number].eq(source)
        with m.If(load[0]):
            m.d.sync += place.eq(1)
        with m.Elif(self.valid & self.step[0]):
            m.d.sync += place.eq(place << 1)

    def _count_planes(self, m: Module, load: Value) -> None:
        left = Signal.like(self.facts.blocks)
        busy, final = Signal(), Signal()  # in the next cycle
        m.d.comb += [busy.eq(self.busy), final.eq(self.final)]
        m.d.sync += [
            self.busy.eq(busy),
            self.final.eq(final),
        ]
        stuck = self.completes_next & busy & ~(final & self.room_next)
        copy_to(m, [*self.stuck, *self.stay], stuck)
        with m.If(load):
            m.d.comb += [busy.eq(1), final.eq(self.facts.blocks == 1)]
            m.d.sync += [
                self.now.eq(self.facts),
                left.eq(self.facts.blocks),
                self.plane.eq(self.facts.top_plane),
                self.real.eq(1),
            ]
            copy_to(m, self.choices, self.facts.top_plane[:GROUP_BITS])
        with m.Elif(self.issue):
            m.d.comb += [busy.eq(~self.final), final.eq(left == 2)]
            below = (self.plane - 1)[: len(self.plane)]
            m.d.sync += [left.eq(left - 1), self.plane.eq(below)]
            copy_to(m, self.choices, below[:GROUP_BITS])
            with m.If(self.plane == 0):  # what follows fills up the last digit
                m.d.sync += self.real.eq(0)

    def _select(self, m: Module) -> None:
        for group in range(GROUPS):
            hit = self.issue & self.real & (self.plane // GROUP_PLANES == group)
            block = Signal(self.parameters.block_bits, name=f"block_{group}", reset_less=True)
            m.d.comb += self.blocks[group].eq(block)
            with m.If(hit):
                self._choose_plane(m, block, group)
            with m.Else():
                m.d.sync += block.eq(0)

    def _choose_plane(self, m: Module, block: Signal, group: int) -> None:
        def show(number: int) -> None:
            m.d.sync += block.eq(self._plane(group * GROUP_PLANES + number))

        choose(m, self.choices[group], range(GROUP_PLANES), show)

    def _plane(self, bit: int) -> Value:
        """Beat b has column ``cluster * beats + b`` of each row: a result's bit is at
        ``(row * clusters + cluster) * beats + b``."""
        results = range(self.parameters.results_per_beat)
        return Cat(beat[index][bit] for index in results for beat in self.leaving)

    def _address(self, m: Module, load: Value) -> None:
        """Planes of one digit lie one behind the other, digits ``digit_stride`` words apart."""
        planes = self.parameters.array.spatial_bits
        digit, block = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        following = Signal(ADDRESS_BITS)
        place = Signal(range(max(2, planes)))
        m.d.comb += following.eq(digit + self.now.digit_stride * Const(self.parameters.word_bytes))
        with m.If(load):
            m.d.sync += [digit.eq(self.facts.address), block.eq(self.facts.address), place.eq(0)]
        with m.Elif(self.issue):
            with m.If(place == planes - 1):
                m.d.sync += [digit.eq(following), block.eq(following), place.eq(0)]
            with m.Else():
                m.d.sync += [block.eq(block + self.parameters.block_bytes), place.eq(place + 1)]
        m.d.comb += [
            self.item.block.eq(1),
            self.item.end.eq(self.now.end & self.final),
            self.item.signal.eq(self.now.signal),
            self.item.tag.eq(self.now.tag),
            self.item.index.eq(self.now.index),
            self.item.address.eq(block),
        ]
