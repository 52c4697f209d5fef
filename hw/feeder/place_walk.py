"""The loop nest of a CONVOLVE: for every pair of reads, where it reads and what is zero there."""

from collections.abc import Mapping

from amaranth.hdl import Const, Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.expander import Expander
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import INDEX_BITS, command_view, digit_bits, stage_task

__all__ = ["PLACE_BITS", "PlaceWalk", "pair_item"]

PLACE_BITS = 29
"""Holds address + Σ count * stride for the greatest values of all fields, so no place wraps."""

LOOPS = (
    ("images", "image_stride"),
    ("tiles_y", "y_stride"),
    ("tiles_x", "x_stride"),
    ("slices", "slice_stride"),
    ("digits", "digit_stride"),
)
"""Counts and strides of the loops over places, the outermost first."""


def _width(name: str) -> int:
    return FIELDS[Opcode.CONVOLVE][name].width


def pair_item(parameters: Parameters) -> data.StructLayout:
    """One pair of reads.

    place : the sum of address and strides, without the reads' own offsets
    entry : of the pattern table
    index : of the command, for fault reports
    top, bottom, left, right : the tile is the first or last (see `Zero`)
    ends : this is in the last turn of all loops but the one over pairs
    """
    return data.StructLayout(
        {
            "place": PLACE_BITS,
            "entry": _width("pattern"),
            "index": INDEX_BITS,
            "gradient": 1,
            "row_pixels": _width("row_pixels"),
            "top": 1,
            "bottom": 1,
            "left": 1,
            "right": 1,
            "ends": 1,
        }
    )


class PlaceWalk(wiring.Component):
    """The pairs of reads of one CONVOLVE after the other, in the order of `Convolve`.

    Members
    -------
    i : In(stream(stage_task(parameters)))    CONVOLVEs with at least one turn in every loop
    o : Out(stream({item: pair_item(parameters), first: 1, last: 1}))
        ``first`` and ``last`` pair of a window

    Timing: a pair per cycle without gaps, also between commands; the first
    ``latency_cycles`` after its command. At most `CAPACITY` commands are inside.
    """

    CAPACITY = (len(LOOPS) + 1) * (1 + StreamRegister.CAPACITY)

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.loops = self._make_loops()
        super().__init__(
            {
                "i": In(stream.Signature(stage_task(parameters))),
                "o": Out(stream.Signature(self.loops["pairs"].o.payload.shape())),
            }
        )

    @property
    def latency_cycles(self) -> int:
        return sum(
            loop.latency_cycles + StreamRegister.latency_cycles for loop in self.loops.values()
        )

    def _make_loops(self) -> dict[str, Expander]:
        """The expanders by the name of their count, the outermost first.

        From the inside out: an item of a loop has all that the loops inside it need.
        """
        members = dict(pair_item(self.parameters).members)
        loops = {"pairs": Expander(data.StructLayout(members), _width("pairs"), {"entry": 1})}
        inner, inner_bits = "pairs", _width("pairs")
        made_here = {"tiles_x": ("left", "right"), "tiles_y": ("top", "bottom")}
        for count, stride in reversed(LOOPS):
            bits = digit_bits(self.parameters) if count == "digits" else _width(count)
            for name in made_here.get(count, ()):
                del members[name]
            members |= {inner: inner_bits, stride: _width(stride)}
            if count == "tiles_y":
                members |= {"top_edge": 1, "bottom_edge": 1}
            loops[count] = Expander(data.StructLayout(members), bits, {"place": stride})
            inner, inner_bits = count, bits
        return dict(reversed(loops.items()))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        source: stream.Interface = self.i
        values = self._of_task()
        for name, loop in self.loops.items():
            m.submodules[name] = loop
            m.d.comb += [
                loop.i.valid.eq(source.valid),
                source.ready.eq(loop.i.ready),
                loop.i.payload.count.eq(values[name]),
            ]
            for each, _ in loop.layout:
                m.d.comb += loop.i.payload.item[each].eq(values[each])
            # no handshake passes more than one loop
            register = StreamRegister(loop.o.payload.shape())
            m.submodules[f"{name}_register"] = register
            wiring.connect(m, loop.o, register.i)
            source, values = register.o, self._of_loop(name, register.o.payload)
        wiring.connect(m, source, wiring.flipped(self.o))
        return m

    def _of_task(self) -> Mapping[str, Value]:
        """What the outermost loop begins with."""
        task = self.i.payload
        command = command_view(Opcode.CONVOLVE, task.command)
        named = {name: command[name] for name in FIELDS[Opcode.CONVOLVE]}
        return named | {
            "place": named["address"],
            "entry": named["pattern"],
            "index": task.index,
            "digits": task.digits,
            "ends": Const(1),
        }

    def _of_loop(self, name: str, shown: data.View) -> Mapping[str, Value]:
        """What a loop hands to the one inside it, with the flags of its turn."""
        values = {each: shown.item[each] for each, _ in self.loops[name].layout}
        values["ends"] = shown.item.ends & shown.last
        if name == "tiles_y":
            values["top"] = shown.first & shown.item.top_edge
            values["bottom"] = shown.last & shown.item.bottom_edge
        if name == "tiles_x":
            values["left"], values["right"] = shown.first, shown.last
        return values
