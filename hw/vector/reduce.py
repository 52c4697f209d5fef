"""Sums over the pixels of each channel: what batch norm needs, forward and back."""

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.ram_style import DISTRIBUTED
from fractrain.hw.vector.adder_tree import adder_tree, tree_levels
from fractrain.hw.vector.dsp_slice import Base, First, SlicePlan, dsp_slice, steer
from fractrain.hw.vector.words import shape_of

__all__ = ["ChannelSum", "Reducer"]

CHAIN = 4
"""Products that the slices of one chain add up: a longer one delays operands in look-up tables."""


class ChannelSum(wiring.Component):
    """A running sum of each channel.

    Members
    -------
    channel : In, value : In(signed)     what its sum grows by; 0 reads it
    first : In(1)            the sum begins with this value
    total : Out(shape)       the channel's sum, this value included

    Timing: ``latency_cycles``, a value a cycle, of the same channel again at once. Before its
    ``first`` value a sum is anything.
    Numbers: modulo the width of ``shape``.
    """

    latency_cycles = 2

    def __init__(self, channels: int, value: Shape, shape: Shape) -> None:
        self.channels, self.shape = channels, shape
        super().__init__(
            {
                "channel": In(range(channels)),
                "value": In(value),
                "first": In(1),
                "total": Out(shape),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.shape.width, depth=self.channels, init=[], attrs=DISTRIBUTED
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        channel = delayed(m, self.channel, 1, name="channel")
        value = delayed(m, self.value, 1, name="value")
        kept, total = Signal(self.shape, reset_less=True), Signal(self.shape, reset_less=True)
        # the sum of the beat before is not in the memory yet
        again, first = Signal(reset_less=True), Signal(reset_less=True)
        m.d.comb += [
            read.addr.eq(self.channel),
            write.addr.eq(channel),
            write.en.eq(1),
            write.data.eq(value + Mux(first, 0, Mux(again, total, kept))),
            self.total.eq(total),
        ]
        m.d.sync += [
            kept.eq(read.data),
            again.eq(self.channel == channel),
            first.eq(self.first),
            total.eq(write.data),
        ]
        return m


class Reducer(wiring.Component):
    """Σv, and Σv² or Σv·x̂, of each channel; a beat has ``lanes`` pixels of one channel.

    With v = y these are S₁ and S₂ of docs/numerics.md, with v = E and ``correlate`` T₁ and
    2^(7−g)·T₂: x̂ is lifted, x̂·2^(7−g), as the channel unit and the lanes take it.

    Members
    -------
    valid : In(1)         the beat counts; one that does not shows the sums of its channel
    channel : In, first : In(1)     of the beat; its sums begin with it
    correlate : In(1)         multiply by x̂, else by v itself
    numbers : In(ArrayLayout(signed, lanes)), normalized : In(ArrayLayout(signed, lanes))    v, x̂
    total : Out(signed), ``total_cycles`` after the beat     Σv of its channel so far
    product : Out(signed), ``product_cycles`` after the beat Σv² or Σv·x̂, modulo 2^48: unsigned and
                          signed

    The greatest |v| before saturation is `hw.vector.peak`'s: of a tensor, not of a channel.

    Timing: a beat a cycle, of the same channel again at once. Flow-through, no back-pressure. A
    DSP48E1 a lane; `CHAIN` of them add up over the column's own wires.
    Errors: `ParameterError` unless ``lanes`` is a multiple of `CHAIN`, two at least, and there is a
    channel.
    """

    def __init__(
        self,
        lanes: int,
        channels: int,
        *,
        number_bits: int = numerics.NARROW_BITS,
        normalized_bits: int = numerics.LIFTED_BITS,
        primitives: bool = False,
    ) -> None:
        if lanes < 2 * CHAIN or lanes % CHAIN:
            raise ParameterError("lanes", lanes, f"a multiple of {CHAIN}, from {2 * CHAIN} on")
        if channels < 1:
            raise ParameterError("channels", channels, "at least 1")
        self.lanes, self.channels, self.primitives = lanes, channels, primitives
        self.plans = [SlicePlan(First.EITHER, cascaded=place > 0) for place in range(CHAIN)]
        self.product_bits = number_bits + max(number_bits, normalized_bits)
        super().__init__(
            {
                "valid": In(1),
                "channel": In(range(channels)),
                "first": In(1),
                "correlate": In(1),
                "numbers": In(data.ArrayLayout(signed(number_bits), lanes)),
                "normalized": In(data.ArrayLayout(signed(normalized_bits), lanes)),
                "total": Out(shape_of("Σy")),
                "product": Out(signed(numerics.SQUARES_BITS)),
            }
        )

    @property
    def total_cycles(self) -> int:
        return self._total_levels + ChannelSum.latency_cycles

    @property
    def product_cycles(self) -> int:
        return self._chain_cycles + self._product_levels + ChannelSum.latency_cycles

    @property
    def _total_levels(self) -> int:
        return tree_levels(self.lanes)

    @property
    def _chain_cycles(self) -> int:
        """The last slice of a chain takes its operands last."""
        return self.plans[0].latency_cycles + CHAIN - 1

    @property
    def _product_levels(self) -> int:
        return tree_levels(self.lanes // CHAIN)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        chains = [self._chain(m, first) for first in range(0, self.lanes, CHAIN)]
        for name, numbers, cycles, result in (
            ("total", list(self.numbers), self._total_levels, self.total),
            ("product", chains, self._chain_cycles + self._product_levels, self.product),
        ):
            keep = delayed(m, self.valid, cycles - 1, name=f"{name}_valid")
            value = adder_tree(m, numbers, name=name, keep=keep)
            m.submodules[name] = each = ChannelSum(self.channels, value.shape(), result.shape())
            m.d.comb += [
                each.value.eq(value),
                each.channel.eq(delayed(m, self.channel, cycles, name=f"{name}_channel")),
                each.first.eq(delayed(m, self.first & self.valid, cycles, name=f"{name}_first")),
                result.eq(each.total),
            ]
        return m

    def _chain(self, m: Module, first: int) -> Value:
        """Σ of the products of `CHAIN` lanes from ``first`` on, `_chain_cycles` later. Each slice
        adds the one below a cycle after it, so it takes its operands a cycle later."""
        below: Value = Const(0, 1)
        for place, plan in enumerate(self.plans):
            lane = first + place
            m.submodules[f"slice_{lane}"] = each = dsp_slice(plan, primitives=self.primitives)
            number, normalized, correlate = (
                delayed(m, value, place, name=f"{name}_{lane}")
                for name, value in (
                    ("number", self.numbers[lane]),
                    ("normalized", self.normalized[lane]),
                    ("correlate", self.correlate),
                )
            )
            m.d.comb += [
                each.a.eq(number),
                each.b.eq(number),
                each.d.eq(normalized),
                each.use_d.eq(correlate),
                each.control.eq(steer(Base.BELOW if place else Base.ZERO)),
                each.below.eq(below),
            ]
            below, value = each.cascade, each.p
        return value[: self.product_bits + tree_levels(CHAIN)].as_signed()
