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
    `Expander`; ``ready`` passes no more than two of them between registers.
    """

    latency_cycles = 11
    """The task as it is read, a register, two loops, three times; the passes."""

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
        self.held: list[Value] = []
        """That something is held, of each part that can."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        jobs = self._register(m, "entrance", self._take_task(m))
        jobs, _ = self._repeat(m, "images", jobs)
        jobs, _ = self._repeat(m, "tiles_y", jobs)
        jobs = self._register(m, "middle", jobs)
        jobs, _ = self._repeat(m, "tiles_x", jobs, alone=True)
        jobs, shown = self._repeat(m, "slices", jobs)
        self._choose_word(m, jobs, shown)
        jobs = self._register(m, "inner", jobs)
        jobs, shown = self._repeat(m, "row_digits", jobs, {"below": -1})
        self._choose_row_digit(m, jobs, shown)
        jobs, shown = self._repeat(m, "column_digits", jobs, {"below": -1, "address": 1})
        self._drive_passes(m, jobs, shown)

        nothing_held = Signal()
        m.d.sync += nothing_held.eq(~Cat(self.held).any())
        m.d.comb += self.empty.eq(nothing_held & ~self.held[0])
        return m

    def _take_task(self, m: Module) -> stream.Interface:
        """A register with the next task, its command read and its precision worked out."""
        task, spatial = self.tasks.payload, self.parameters.array.spatial_bits
        jobs = stream.Signature(self.layout).create()
        job = jobs.payload

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
        m.d.comb += self.tasks.ready.eq(~jobs.valid | jobs.ready)
        with m.If(self.tasks.ready):
            m.d.sync += jobs.valid.eq(self.tasks.valid)
            m.d.sync += [job[name].eq(value) for name, value in values.items()]
        self.held.append(jobs.valid)
        return jobs

    def _register(self, m: Module, name: str, jobs: stream.Interface) -> stream.Interface:
        m.submodules[name] = register = StreamRegister(self.layout)
        wiring.connect(m, jobs, register.i)
        self.held.append(~register.empty)
        return register.o

    def _repeat(
        self,
        m: Module,
        count: str,
        jobs: stream.Interface,
        steps: Mapping[str, str | int] = {},
        *,
        alone: bool = False,
    ) -> tuple[stream.Interface, data.View]:
        """A loop of as many turns as the field ``count`` says; what comes out of it, as jobs and
        as the `Expander` shows it. An end of the loop and of those around it is an end of all;
        ``alone``: each turn is a tile by itself, unless it is to be summed."""
        m.submodules[count] = loop = Expander(self.layout, len(jobs.payload[count]), steps)
        shown, made = loop.o.payload, stream.Signature(self.layout).create()
        m.d.comb += [
            loop.i.valid.eq(jobs.valid),
            loop.i.payload.item.eq(jobs.payload),
            loop.i.payload.count.eq(jobs.payload[count]),
            jobs.ready.eq(loop.i.ready),
            made.valid.eq(loop.o.valid),
            made.payload.eq(shown.item),
            made.payload.first.eq(shown.item.first & shown.first),
            made.payload.last.eq(shown.item.last & shown.last),
            made.payload.ends.eq(shown.item.ends & shown.last),
            loop.o.ready.eq(made.ready),
        ]
        if alone:
            for mark in ("first", "last"):
                together = shown.item[mark] & shown[mark]
                m.d.comb += made.payload[mark].eq(together | ~shown.item.reduce)
        self.held.append(loop.o.valid)
        return made, shown

    def _choose_word(self, m: Module, jobs: stream.Interface, shown: data.View) -> None:
        """The first column word of a slice: the tile's first, or a stride beyond the last."""
        address, following = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        m.d.comb += [
            address.eq(Mux(jobs.payload.first, shown.item.address, following)),
            jobs.payload.address.eq(address),
        ]
        with m.If(jobs.valid & jobs.ready):
            m.d.sync += following.eq(address + shown.item.stride)

    def _choose_row_digit(self, m: Module, jobs: stream.Interface, shown: data.View) -> None:
        job = shown.item
        m.d.comb += [
            jobs.payload.below.eq(job.below + job.column_below),
            jobs.payload.row_enable.eq(self._enable(shown.last, job.row_planes)),
            jobs.payload.row_negative.eq(job.row_signed & shown.first),
        ]

    def _enable(self, last_digit: Value, planes: Value) -> Value:
        spatial = self.parameters.array.spatial_bits
        return planes | Mux(last_digit, 0, Const((1 << spatial) - 1, spatial))

    def _drive_passes(self, m: Module, jobs: stream.Interface, shown: data.View) -> None:
        m.submodules.output = output = StreamRegister(self.passes.payload.shape())
        job, spatial = jobs.payload, self.parameters.array.spatial_bits
        values: dict[str, ValueLike] = {
            name: job[name]
            for name in ("empty", "ends", "signal", "index", "tag", "groups", "excess")
        }
        values |= {
            "new_window": shown.first & ~job.empty,
            "column_address": job.address,
            "shift": Cat(Const(0, spatial.bit_length() - 1), job.below),
            "first": job.first & job.start,
            "last": job.last & job.finish & ~job.empty,
            "row_enable": job.row_enable,
            "row_negative": job.row_negative,
            "column_enable": self._enable(shown.last, job.column_planes),
            "column_negative": job.column_signed & shown.first,
        }
        m.d.comb += [output.i.valid.eq(jobs.valid), jobs.ready.eq(output.i.ready)]
        m.d.comb += [output.i.payload[name].eq(value) for name, value in values.items()]
        wiring.connect(m, output.o, wiring.flipped(self.passes))
        self.held.append(~output.empty)
