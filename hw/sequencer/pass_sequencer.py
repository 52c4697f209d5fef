"""From a CONVOLVE to its passes: the loop nest that makes precision a matter of time."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.commands import FIELDS, Opcode
from hw.contract.parameters import Parameters
from hw.flow.expander import Expander
from hw.flow.stream_register import StreamRegister
from hw.flow.tasks import INDEX_BITS, digit_bits, field, stage_task
from hw.sequencer.passes import ADDRESS_BITS, array_pass, below_bits, excess_bits

__all__ = ["PassSequencer", "job_layout"]

_FIELDS = FIELDS[Opcode.CONVOLVE]
COUNTS = ("images", "tiles_y", "tiles_x", "slices")
COPIED = ("reduce", "start", "finish", "row_signed", "column_signed", "groups", "tag")


def job_layout(parameters: Parameters) -> data.StructLayout:
    """A CONVOLVE on its way through the loops, each of which makes several of it.

    first, last : of its tile (up to the places: of its task); ``ends``: the last of its task
    empty : a task without passes; all its counts are 1
    below : digits below the current ones: of the rows, then of both operands together
    column_below : digits of the columns, less one
    *_planes : planes that exist in the last digit; ``row_enable``, ``row_negative``: of the
        row digit at hand
    address : the column word, once the slice is chosen
    """
    digits, below = digit_bits(parameters), below_bits(parameters)
    planes = parameters.array.spatial_bits
    return data.StructLayout(
        {name: _FIELDS[name].width for name in (*COUNTS, *COPIED)}
        | {
            "first": 1,
            "last": 1,
            "ends": 1,
            "empty": 1,
            "signal": 1,
            "index": INDEX_BITS,
            "row_digits": digits,
            "column_digits": digits,
            "below": below,
            "column_below": digits,
            "row_planes": planes,
            "column_planes": planes,
            "row_enable": planes,
            "row_negative": planes,
            "address": ADDRESS_BITS,
            "stride": ADDRESS_BITS,
            "excess": excess_bits(parameters),
        }
    )


class PassSequencer(wiring.Component):
    """Issues every pass of every task exactly once, in the order of `Convolve`.

    For image, y, x (the place), slice, row digit p, column digit q, each most significant first:
    the column word is ``column_address + step * column_slice_stride + q`` with ``step`` counting
    the slices of the tile, the shift ``spatial_bits * ((P-1-p) + (Q-1-q))`` for operands of P and
    Q digits. A task that is skipped, and anything but a CONVOLVE, becomes one ``empty`` item, so
    that tasks end in their order.

    Members
    -------
    tasks : In(stream of `stage_task`)    counts and digits >= 1 in a CONVOLVE without ``skip``
    passes : Out(stream of `array_pass`)
    empty : Out(1)                        nothing is held (said a cycle late)

    Timing: the first pass of a task is on offer ``latency_cycles`` after the task was taken; one
    item per cycle, without gaps between tiles and tasks of any length. Every loop is an
    `Expander`; ``tasks.ready`` and what they see of ``passes.ready`` come from registers.
    """

    latency_cycles = 9
    """The task as it is read, a register, six loops, a register."""

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        self.layout = job_layout(parameters)
        super().__init__(
            {
                "tasks": In(stream.Signature(stage_task(parameters))),
                "passes": Out(stream.Signature(array_pass(parameters))),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        digits = digit_bits(self.parameters)
        loops = {name: Expander(self.layout, _FIELDS[name].width) for name in COUNTS}
        loops["rows"] = Expander(self.layout, digits, {"below": -1})
        loops["columns"] = Expander(self.layout, digits, {"below": -1, "address": 1})
        entrance, output = StreamRegister(self.layout), StreamRegister(self.passes.payload.shape())
        for name, loop in loops.items():
            m.submodules[name] = loop
        m.submodules.entrance, m.submodules.output = entrance, output
        images, tiles_y, tiles_x, slices, rows, columns = loops.values()

        job, job_held = self._take_task(m, entrance.i.ready)
        m.d.comb += [entrance.i.valid.eq(job_held), entrance.i.payload.eq(job)]
        self._enter(m, entrance.o.valid, entrance.o.payload, images, "images")
        m.d.comb += entrance.o.ready.eq(images.i.ready)
        self._connect(m, images, tiles_y, "tiles_y")
        self._connect(m, tiles_y, tiles_x, "tiles_x")
        self._connect(m, tiles_x, slices, "slices", self._tile_marks(tiles_x))
        self._connect(m, slices, rows, "row_digits", self._address(m, slices, rows))
        self._connect(m, rows, columns, "column_digits", self._row_digit(rows))
        self._drive_passes(m, columns, output)
        wiring.connect(m, output.o, wiring.flipped(self.passes))

        nothing_held = Signal()
        held = Cat(job_held, *(loop.o.valid for loop in loops.values()))
        m.d.sync += nothing_held.eq(~held.any() & entrance.empty & output.empty)
        m.d.comb += self.empty.eq(nothing_held & ~job_held)
        return m

    def _take_task(self, m: Module, ready: Value) -> tuple[data.View, Signal]:
        """A register with the next task, its command read and its precision worked out."""
        task, spatial = self.tasks.payload, self.parameters.array.spatial_bits
        job, held = Signal(self.layout), Signal()

        def read(name: str) -> Value:
            return field(task.command, Opcode.CONVOLVE, name)

        def planes(tail: Value) -> Value:
            return Cat(plane < tail for plane in range(spatial))

        empty = task.skip | (read("opcode") != Opcode.CONVOLVE)
        values: dict[str, ValueLike] = {name: read(name) for name in COPIED}
        values |= {name: Mux(empty, 1, read(name)) for name in COUNTS}
        values |= {
            "first": 1,
            "last": 1,
            "ends": 1,
            "empty": empty,
            "signal": read("signal")[0],
            "index": task.index,
            "row_digits": Mux(empty, 1, task.digits),
            "column_digits": Mux(empty, 1, task.partner_digits),
            "below": (task.digits - 1)[: len(job.below)],
            "column_below": task.partner_digits - 1,
            "row_planes": planes(task.tail),
            "column_planes": planes(task.partner_tail),
            "address": read("column_address"),
            "stride": read("column_slice_stride"),
            "excess": (2 * spatial - task.tail - task.partner_tail)[: len(job.excess)],
        }
        m.d.comb += self.tasks.ready.eq(~held | ready)
        with m.If(self.tasks.ready):
            m.d.sync += held.eq(self.tasks.valid)
            m.d.sync += [job[name].eq(value) for name, value in values.items()]
        return job, held

    @staticmethod
    def _enter(m: Module, valid: Value, job: data.View, loop: Expander, count: str) -> None:
        m.d.comb += [
            loop.i.valid.eq(valid),
            loop.i.payload.item.eq(job),
            loop.i.payload.count.eq(job[count]),
        ]

    def _connect(
        self,
        m: Module,
        outer: Expander,
        inner: Expander,
        count: str,
        changes: Mapping[str, ValueLike] = {},
    ) -> None:
        """``inner`` repeats what ``outer`` makes; an end of both is an end of the two together."""
        job = outer.o.payload.item
        self._enter(m, outer.o.valid, job, inner, count)
        m.d.comb += outer.o.ready.eq(inner.i.ready)
        changed = {**self._marks(outer), **changes}
        m.d.comb += [inner.i.payload.item[name].eq(value) for name, value in changed.items()]

    @staticmethod
    def _marks(loop: Expander) -> dict[str, ValueLike]:
        shown = loop.o.payload
        return {
            "first": shown.item.first & shown.first,
            "last": shown.item.last & shown.last,
            "ends": shown.item.ends & shown.last,
        }

    def _tile_marks(self, places: Expander) -> dict[str, ValueLike]:
        """From places of a task to tiles: all of them are one if they are to be summed."""
        marks, alone = self._marks(places), ~places.o.payload.item.reduce
        return {name: marks[name] | alone for name in ("first", "last")}

    def _address(self, m: Module, slices: Expander, rows: Expander) -> dict[str, ValueLike]:
        """The first column word of a slice: of the tile's first, or a stride beyond the last."""
        job = slices.o.payload.item
        address, following = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        m.d.comb += address.eq(Mux(self._marks(slices)["first"], job.address, following))
        with m.If(slices.o.valid & rows.i.ready):
            m.d.sync += following.eq(address + job.stride)
        return {"address": address}

    def _row_digit(self, rows: Expander) -> dict[str, ValueLike]:
        shown = rows.o.payload
        job = shown.item
        return {
            "below": job.below + job.column_below,
            "row_enable": self._enable(shown.last, job.row_planes),
            "row_negative": job.row_signed & shown.first,
        }

    def _enable(self, last_digit: Value, planes: Value) -> Value:
        spatial = self.parameters.array.spatial_bits
        return planes | Mux(last_digit, 0, Const((1 << spatial) - 1, spatial))

    def _drive_passes(self, m: Module, columns: Expander, output: StreamRegister) -> None:
        shown, spatial = columns.o.payload, self.parameters.array.spatial_bits
        job, marks = shown.item, self._marks(columns)
        values: dict[str, ValueLike] = {
            name: job[name] for name in ("empty", "index", "tag", "groups", "excess")
        }
        values |= {
            "ends": marks["ends"],
            "signal": job.signal,
            "new_window": shown.first & ~job.empty,
            "column_address": job.address,
            "shift": Cat(Const(0, spatial.bit_length() - 1), job.below),
            "first": marks["first"] & job.start,
            "last": marks["last"] & job.finish & ~job.empty,
            "row_enable": job.row_enable,
            "row_negative": job.row_negative,
            "column_enable": self._enable(shown.last, job.column_planes),
            "column_negative": job.column_signed & shown.first,
        }
        m.d.comb += [output.i.valid.eq(columns.o.valid), columns.o.ready.eq(output.i.ready)]
        m.d.comb += [output.i.payload[name].eq(value) for name, value in values.items()]
