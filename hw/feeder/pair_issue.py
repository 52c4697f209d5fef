"""From pairs of reads to steps of the two banks: pattern, address, range, conflict."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import VARIANT_BITS, Fault, Variant
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.window import SLOT_COLUMNS
from fractrain.hw.feeder.pattern_table import ENTRY, PatternTable, pattern_write
from fractrain.hw.feeder.place_walk import PLACE_BITS, pair_item
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = ["PIXEL_CLASSES", "PairIssue", "read_step"]

PIXEL_CLASSES = 3
"""Pixels of a quarter that are written alike: the first, those in the middle, the last."""
FIRST, MIDDLE, LAST = range(PIXEL_CLASSES)

ADDRESS_BITS = PLACE_BITS + 1
"""Of a read, with the sign that an offset may give it."""


def _read_layout() -> data.StructLayout:
    """Where a read is written: ``pixels`` has a bit for each class of pixels of each column of
    slots, bit ``PIXEL_CLASSES * (s % SLOT_COLUMNS) + class``."""
    read = ENTRY["a"].shape
    return data.StructLayout(
        {
            "pixels": SLOT_COLUMNS * PIXEL_CLASSES,
            "quarters": read["quarters"].shape,
            "rotations": read["rotations"].shape,
        }
    )


def read_step(parameters: Parameters, bank_address_bits: int) -> data.StructLayout:
    """What the memory reads in a cycle, and where that goes.

    banks : the word that each bank reads, and the variants that are made of it; of a bank that
        is not enabled, they are zeros
    swapped : read A comes from bank 1 and B from bank 0, not the other way round
    a, b : where the reads are written
    last : the window is complete with this step
    """
    bank = data.StructLayout(
        {"enable": 1, "address": bank_address_bits, "variants": ENTRY["a"].shape["variants"].shape}
    )
    return data.StructLayout(
        {
            "banks": data.ArrayLayout(bank, 2),
            "swapped": 1,
            "a": _read_layout(),
            "b": _read_layout(),
            "row_pixels": pair_item(parameters)["row_pixels"].shape,
            "gradient": 1,
            "last": 1,
        }
    )


class PairIssue(wiring.Component):
    """Looks up the reads of each pair and gives them to the banks, both at once if possible.

    Members
    -------
    write : In(pattern_write(parameters))
    pairs : In(stream({item: pair_item, first: 1, last: 1}))
    steps : Out(stream(read_step(parameters)))
        one step per pair; two, A first, if both reads need the same bank
    halt : In(1)             no more steps
    fault : Out(Fault), fault_index : Out(32)
        for one cycle: a read outside the plane memory; neither its step nor any after it is made
        until reset
    done : Out(1)            the last pair of a command has been looked up
    busy : Out(1)            a pair or step is inside, or there was a fault

    Timing: ``latency_cycles`` from ``pairs`` to ``steps``, a pair per cycle.
    """

    latency_cycles = 4

    def __init__(self, parameters: Parameters, bank_address_bits: int) -> None:
        self.parameters = parameters
        self.item = pair_item(parameters)
        self.step = read_step(parameters, bank_address_bits)
        pair = data.StructLayout({"item": self.item, "first": 1, "last": 1})
        super().__init__(
            {
                "write": In(pattern_write(parameters)),
                "pairs": In(stream.Signature(pair)),
                "steps": Out(stream.Signature(self.step)),
                "halt": In(1),
                "fault": Out(Fault),
                "fault_index": Out(INDEX_BITS),
                "done": Out(1),
                "busy": Out(1),
            }
        )
        self.table = PatternTable(parameters)
        self.register = StreamRegister(self.step)
        # the three stages in front of that register move together
        self.advance = Signal()
        self.found_valid = Signal()
        self.summed = Signal(self._stage_layout())
        self.checked = Signal(self._stage_layout())
        self.swapped = Signal()
        """A's bank is 1, or B's is 0; in a conflict, they are so one after the other."""
        self.second = Signal()
        """The other step of a conflict, without A."""
        self.final = Signal()
        """The pair's last step, with B."""
        self.stopped = Signal()
        """There was a fault."""
        self.closed = Signal()
        """No more steps."""

    def _stage_layout(self) -> data.StructLayout:
        read = data.StructLayout(
            {
                "pixels": SLOT_COLUMNS * PIXEL_CLASSES,
                "memory": 1,
                "address": signed(ADDRESS_BITS),
                "variants": ENTRY["a"].shape["variants"].shape,
                "quarters": ENTRY["a"].shape["quarters"].shape,
                "rotations": ENTRY["a"].shape["rotations"].shape,
            }
        )
        layout = {"valid": 1, "a": read, "b": read, "index": INDEX_BITS, "row_pixels": 2}
        return data.StructLayout(layout | {"gradient": 1, "last": 1})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.table = self.table
        m.submodules.register = self.register
        wiring.connect(m, self.register.o, wiring.flipped(self.steps))
        m.d.comb += [
            self.table.write.eq(self.write),
            self.pairs.ready.eq(self.advance),
            self.busy.eq(
                self.found_valid
                | self.summed.valid
                | self.checked.valid
                | self.stopped
                | ~self.register.empty
            ),
        ]
        self._sum(m)
        self._check(m)
        self._issue(m)
        return m

    def _sum(self, m: Module) -> None:
        """Table look-up, then addresses and zeros."""
        pair = self.pairs.payload
        item = Signal(self.item, reset_less=True)
        last = Signal(reset_less=True)
        m.d.comb += [
            self.table.advance.eq(self.advance),
            self.table.address.eq(pair.item.entry),
            self.done.eq(self.advance & self.pairs.valid & pair.item.ends & pair.last),
        ]
        conditions = Cat(item.top, item.bottom, item.left, item.right, 1)
        with m.If(self.advance):
            m.d.sync += [
                self.found_valid.eq(self.pairs.valid),
                item.eq(pair.item),
                last.eq(pair.last),
                self.summed.valid.eq(self.found_valid),
                self.summed.last.eq(last),
            ]
            for name in ("index", "row_pixels", "gradient"):
                m.d.sync += self.summed[name].eq(item[name])
            for name in ("a", "b"):
                entry, read = self.table.entry[name], self.summed[name]
                zero = (entry.zero & conditions).any()
                m.d.sync += [
                    read.pixels.eq(_pixels(entry)),
                    read.memory.eq(entry.enable & ~zero),
                    read.address.eq(item.place + entry.offset),
                ]
                for each in ("variants", "quarters", "rotations"):
                    m.d.sync += read[each].eq(entry[each])

    def _check(self, m: Module) -> None:
        """Range and conflict; a pair that reads outside stays here and blocks all after it."""
        a, b = self.summed.a, self.summed.b
        outside, failed = Signal(), Signal()
        m.d.comb += outside.eq((a.memory & self._beyond(a)) | (b.memory & self._beyond(b)))
        m.d.sync += [failed.eq(0), self.fault.eq(0)]
        with m.If(self.advance):
            m.d.sync += [
                self.checked.eq(self.summed),
                self.checked.valid.eq(self.summed.valid & ~outside),
                self.second.eq(0),
                self.final.eq(~(a.memory & b.memory & (a.address[0] == b.address[0]))),
                self.swapped.eq(Mux(a.memory, a.address[0], b.memory & ~b.address[0])),
                failed.eq(self.summed.valid & outside),
            ]
        with m.If(failed & ~self.stopped):
            m.d.sync += [
                self.stopped.eq(1),
                self.fault.eq(Fault.ADDRESS),
                self.fault_index.eq(self.checked.index),
            ]
        # The next pair comes with ``failed`` at the earliest.
        m.d.sync += self.closed.eq(self.halt | failed | self.stopped)

    def _beyond(self, read: data.View) -> Value:
        # a negative address is a large one without its sign
        address, words = read.address.as_unsigned(), self.parameters.buffers.plane_words
        bits = (words - 1).bit_length()
        return address[bits:].any() if words == 1 << bits else address >= words

    def _issue(self, m: Module) -> None:
        """One step of a pair, or both steps of a conflict."""
        checked, step, to = self.checked, self.register.i.payload, self.register.i
        m.d.comb += [
            to.valid.eq(checked.valid & ~self.closed),
            self.advance.eq(~checked.valid | (~self.closed & to.ready & self.final)),
            step.row_pixels.eq(checked.row_pixels),
            step.gradient.eq(checked.gradient),
            step.last.eq(checked.last & self.final),
        ]
        with m.If(to.valid & to.ready & ~self.final):
            m.d.sync += [self.second.eq(1), self.final.eq(1)]
        self._banks(m, step)
        for read, on, place in (
            (checked.a, ~self.second, step.a),
            (checked.b, self.final, step.b),
        ):
            m.d.comb += [
                place.pixels.eq(Mux(on, read.pixels, 0)),
                place.quarters.eq(read.quarters),
                place.rotations.eq(read.rotations),
            ]

    def _banks(self, m: Module, step: data.View) -> None:
        """Which read comes from which bank.

        A read of zeros, or none, gets the bank that the other read leaves; so does the read that
        this step of a conflict leaves out.
        """
        a, b = self.checked.a, self.checked.b
        a_reads, b_reads = a.memory & ~self.second, b.memory & self.final
        m.d.comb += step.swapped.eq(self.swapped ^ self.second)
        for bank in range(2):
            has_b = ~step.swapped if bank else step.swapped
            to = step.banks[bank]
            m.d.comb += [
                to.enable.eq(Mux(has_b, b_reads, a_reads)),
                to.address.eq(Mux(has_b, b.address, a.address)[1:]),
                to.variants.eq(Mux(has_b, b.variants, a.variants)),
            ]


def _pixels(read: data.View) -> Value:
    """Which pixels of a quarter are written, for each class of slots; see `_read_layout`."""
    bits = []
    for column in range(SLOT_COLUMNS):
        variant = read.variants.word_select(column, VARIANT_BITS)
        from_left, from_right = variant == Variant.FROM_LEFT, variant == Variant.FROM_RIGHT
        written = {FIRST: ~from_right, MIDDLE: ~from_left & ~from_right, LAST: ~from_left}
        bits += [read.enable & written[each] for each in range(PIXEL_CLASSES)]
    return Cat(bits)
