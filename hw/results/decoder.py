"""From the command word to what the result stage needs of a STORE."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Format, Opcode, RowPixels
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import MAX_BITS
from fractrain.hw.flow.tasks import command_view, stage_task
from fractrain.hw.results.gradient import GradientSum
from fractrain.hw.results.layouts import store_task

__all__ = ["StoreDecoder"]

ROWS = 4
"""Most rows in a tile: `RowPixels.QUARTER`."""


class StoreDecoder(wiring.Component):
    """Derives a `store_task` from a STORE; with a vector unit, from a NARROW or JOIN, too.

    Members
    -------
    tasks : In(stream of `stage_task`)
    decoded : Out(stream of `store_task`)
    empty : Out(1)     nothing is held

    Timing: ``latency_cycles`` from a task to what is derived from it; a task in every
    `INTERVAL_CYCLES` cycles.
    Fields beyond their range (``bits`` of 0 or more than 16, an unknown format, counts of 0) are
    refused before they come here.
    """

    INTERVAL_CYCLES = 2
    latency_cycles = 3

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__(
            {
                "tasks": In(stream.Signature(stage_task(parameters))),
                "decoded": Out(stream.Signature(store_task(parameters))),
                "empty": Out(1),
            }
        )
        self.with_unit = parameters.vector is not None
        self.task = Signal(stage_task(parameters), reset_less=True)
        self.derived = Signal(store_task(parameters), reset_less=True)
        self.held = Signal()
        # no column, no row is outside: more are valid than exist
        self.places = 1 << (parameters.array.rows - 1).bit_length()
        self.all_x, self.all_y = Signal(), Signal()
        self.beyond_x = Signal(parameters.array.rows, reset_less=True)
        self.beyond_y = Signal(ROWS, reset_less=True)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        prepared, moves = Signal(), Signal()
        # A derived task is not replaced in the cycle in which it is taken: no path through both.
        m.d.comb += [
            moves.eq(self.held & prepared & ~self.decoded.valid),
            self.tasks.ready.eq(~self.held | moves),
            self.empty.eq(~self.held & ~self.decoded.valid),
            self.decoded.payload.eq(self.derived),
        ]
        m.d.sync += prepared.eq(self.held & ~moves)
        self._prepare(m)
        with m.If(self.decoded.ready):
            m.d.sync += self.decoded.valid.eq(0)
        with m.If(moves):
            m.d.sync += [self.decoded.valid.eq(1), self.held.eq(0)]
            self._derive(m, self.derived)
        with m.If(self.tasks.valid & self.tasks.ready):
            m.d.sync += [self.task.eq(self.tasks.payload), self.held.eq(1)]
            new = command_view(Opcode.STORE, self.tasks.payload.command)
            m.d.sync += [
                self.all_x.eq(new.valid_x >= self.places),
                self.all_y.eq(new.valid_y >= ROWS),
            ]
        return m

    def _prepare(self, m: Module) -> None:
        """Two cycles after a task came: from which column and row on pixels may be outside."""
        low_x, low_y = self._field("valid_x") % self.places, self._field("valid_y") % ROWS
        pixels = range(len(self.beyond_x))
        m.d.sync += [
            self.beyond_x.eq(Cat(~self.all_x & (low_x <= x) for x in pixels)),
            self.beyond_y.eq(Cat(~self.all_y & (low_y <= y) for y in range(ROWS))),
        ]

    def _field(self, name: str) -> Value:
        return command_view(Opcode.STORE, self.task.command)[name]

    def _derive(self, m: Module, to: data.View) -> None:
        format_, skip = self._field("format"), self.task.skip
        raw48, other = format_ == Format.RAW48, skip
        if self.with_unit:
            unit = self._field("opcode") != Opcode.STORE
            m.d.sync += to.unit.eq(unit & ~skip)
            other = skip | unit
        m.d.sync += [
            to.index.eq(self.task.index),
            to.skip.eq(skip),
            to.port.eq((format_ == Format.PORT) & ~other),
            to.raw.eq(((format_ == Format.RAW32) | raw48) & ~other),
            to.raw48.eq(raw48),
            to.planes.eq((format_ == Format.PLANES) & ~other),
            to.add.eq(self._field("add") & ~other),
            to.keep.eq(self._field("keep") & ~other),
        ]
        for name in ("gradient_address", "address", "tile_stride", "digit_stride", "shift"):
            m.d.sync += to[name].eq(self._field(name))
        for name in ("signed", "signal", "tag"):
            m.d.sync += to[name].eq(self._field(name))
        self._derive_counts(m, to, skip)
        self._derive_precision(m, to)
        self._derive_outside(m, to)

    def _derive_counts(self, m: Module, to: data.View, skip: Value) -> None:
        """A skipped task counts as one tile of one beat, but no beat is taken."""
        loop, beats = GradientSum.LOOP_STEPS, self.parameters.beats_per_tile
        odd = self._field("gradient_address") % loop != 0 if beats % loop == 0 else 1
        m.d.sync += to.odd.eq(odd)
        for name, one in (("tiles_x", "one_x"), ("tiles_y", "one_y"), ("images", "one_image")):
            count = self._count(name)
            m.d.sync += [to[name].eq(count), to[one].eq((count == 1) | skip)]

    def _count(self, name: str) -> Value:
        """Of tiles; NARROW and JOIN have it in the same place."""
        count = self._field(name)
        if not self.with_unit:
            return count
        unit = self._field("opcode") != Opcode.STORE
        return Mux(unit, command_view(Opcode.NARROW, self.task.command)[name], count)

    def _derive_precision(self, m: Module, to: data.View) -> None:
        bits, planes = self._field("bits"), self.parameters.array.spatial_bits
        kept = bits - self._field("signed")
        m.d.sync += [
            to.beyond.eq(Cat(kept <= bit for bit in range(MAX_BITS))),
            to.top_plane.eq(bits - 1),
            to.blocks.eq((bits + planes - 1) & ~(planes - 1)),
        ]

    def _derive_outside(self, m: Module, to: data.View) -> None:
        """Pixel m of a row of W is at x = m % W, y = m // W."""
        pixels = self.parameters.array.rows
        outside_x, outside_y = Signal(pixels), Signal(pixels)
        with m.Switch(self._field("row_pixels")):
            for code, width in (
                (RowPixels.QUARTER, pixels // 4),
                (RowPixels.HALF, pixels // 2),
                (None, pixels),
            ):
                with m.Default() if code is None else m.Case(code):
                    m.d.comb += [
                        outside_x.eq(Cat(self.beyond_x[pixel % width] for pixel in range(pixels))),
                        outside_y.eq(Cat(self.beyond_y[pixel // width] for pixel in range(pixels))),
                    ]
        m.d.sync += [to.outside_x.eq(outside_x), to.outside_y.eq(outside_y)]
