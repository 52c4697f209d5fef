"""One loop of a loop nest as a stream: every item becomes several."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Expander"]


class Expander(wiring.Component):
    """Repeats each item of ``i`` ``count`` times.

    A nest of loops is a chain of expanders, the outermost first: what an inner loop needs travels
    in the item, and ``steps`` advances the fields that are sums over the loops.

    layout : of an item
    count_bits : width of ``count``
    steps : field of the item → what is added to it from one output to the next: the name of
        another field of the item, or a constant. The field has the width that the sum needs;
        signed fields are added with their sign.

    Members
    -------
    i : In(stream({item: layout, count: count_bits}))
        ``count`` is 1 or more; 0 is taken as 1
    o : Out(stream({item: layout, first: 1, last: 1}))
        the item ``count`` times, the fields of ``steps`` one step further each time; ``first`` and
        ``last`` of the item's outputs

    Timing: everything of ``o`` is registered, ``latency_cycles`` after its input; an output per
    cycle, without a gap between items. ``i.ready`` depends on ``o.ready`` (by one LUT): put a
    `StreamRegister` after every one or two.
    """

    latency_cycles = 1

    def __init__(
        self, layout: data.StructLayout, count_bits: int, steps: Mapping[str, str | int] = {}
    ) -> None:
        self.layout, self.steps = layout, dict(steps)
        self.after = Signal(signed(count_bits + 1))
        """Outputs of the item after the one shown, less one: negative at the last, so nothing needs
        comparing."""
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"item": layout, "count": count_bits}))),
                "o": Out(
                    stream.Signature(data.StructLayout({"item": layout, "first": 1, "last": 1}))
                ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shown, count, after = self.o.payload, self.i.payload.count, self.after
        enter = Signal()
        m.d.comb += [
            enter.eq(shown.last | ~self.o.valid),
            self.i.ready.eq(~self.o.valid | (self.o.ready & shown.last)),
            shown.last.eq(after < 0),
        ]
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += [
                self.o.valid.eq(self.i.valid | ~enter),
                # less 2 on entering, less 1 on every step
                after.eq(Mux(enter, count, after) + Cat(~enter, Const(-1, len(count)))),
                shown.first.eq(enter),
            ]
            with m.If(enter):
                m.d.sync += shown.item.eq(self.i.payload.item)
            with m.Else():
                for name, step in self.steps.items():
                    growth = shown.item[step] if isinstance(step, str) else step
                    m.d.sync += shown.item[name].eq(shown.item[name] + growth)
        return m
