"""From a CONVOLVE to its passes: the loop nest in which every bit costs time."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import FIELDS, Opcode, Stage, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.expander import Expander
from fractrain.hw.flow.layouts import array_pass, excess_bits
from fractrain.hw.flow.parties import parties
from fractrain.hw.flow.ram_style import DISTRIBUTED
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import INDEX_BITS, command_view, digit_bits, field_bits, stage_task

__all__ = ["PassSequencer", "job_layout"]

ADDRESS_BITS = FIELDS[Opcode.CONVOLVE]["column_address"].width
COUNTS = ("images", "tiles_y", "tiles_x", "slices")
KEPT = ("start", "finish", "row_signed", "column_signed", "groups")
LOOPS = 6
TASKS_INSIDE = 1 + LOOPS * (StreamRegister.CAPACITY + 1)
"""Most tasks on their way through the loops."""


def below_bits(parameters: Parameters) -> int:
    """Width of the number of digits below those of a pass, of both operands together."""
    return max(1, (2 * (parameters.digits(parameters.precision.max_bits) - 1)).bit_length())


def job_layout(parameters: Parameters) -> data.StructLayout:
    """A CONVOLVE on its way through the loops; each multiplies it.

    first, last : of its tile (up to the places: of its task); ``ends``: the last of its task
    below : digits below the current ones: of the rows, then of both operands together
    column_below : digits of the columns, less one
    first_row_digit, last_row_digit : once that is chosen
    address : the column word, once the slice is chosen
    """
    digits = digit_bits(parameters)
    return data.StructLayout(
        field_bits(Opcode.CONVOLVE, *COUNTS, "reduce")
        | {
            "first": 1,
            "last": 1,
            "ends": 1,
            "row_digits": digits,
            "column_digits": digits,
            "below": below_bits(parameters),
            "column_below": digits,
            "first_row_digit": 1,
            "last_row_digit": 1,
            "address": ADDRESS_BITS,
            "stride": ADDRESS_BITS,
        }
    )


def kept_layout(parameters: Parameters) -> data.StructLayout:
    """What no loop changes, kept until the passes of the task come out.

    empty : a task without passes; all its counts are 1
    *_planes : planes that exist in the last digit
    """
    planes = parameters.array.spatial_bits
    return data.StructLayout(
        field_bits(Opcode.CONVOLVE, *KEPT)
        | {
            "empty": 1,
            "signal": len(parties(parameters).signal[Stage.EXECUTE]),
            "tag": Tag,
            "index": INDEX_BITS,
            "row_planes": planes,
            "column_planes": planes,
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
    item per cycle, without gaps between tiles and tasks of any length. Every loop is an `Expander`
    with a register in front of it; what no loop changes waits in a memory beside them.
    """

    latency_cycles = 2 + 2 * LOOPS
    """The task as it is read, the loops, the passes."""

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
        """For each part that can hold something, whether it does."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kept = Signal(kept_layout(self.parameters))
        taken, ended = Signal(), Signal()
        jobs = self._take_task(m, kept, taken)
        jobs, _ = self._repeat(m, "images", jobs)
        jobs, _ = self._repeat(m, "tiles_y", jobs)
        jobs, _ = self._repeat(m, "tiles_x", jobs, alone=True)
        jobs, shown = self._repeat(m, "slices", jobs)
        self._choose_word(m, jobs, shown)
        jobs, shown = self._repeat(m, "row_digits", jobs, {"below": -1})
        self._choose_row_digit(m, jobs, shown)
        jobs, shown = self._repeat(m, "column_digits", jobs, {"below": -1, "address": 1})
        m.d.comb += ended.eq(jobs.valid & jobs.ready & jobs.payload.ends)
        self._drive_passes(m, jobs, shown, self._keep(m, kept, taken, ended))

        nothing_held = Signal()
        m.d.sync += nothing_held.eq(~Cat(self.held).any())
        m.d.comb += self.empty.eq(nothing_held & ~self.held[0])
        return m

    def _take_task(self, m: Module, kept: data.View, taken: Signal) -> stream.Interface:
        """A register with the next task, its command read and its precision worked out."""
        task, spatial = self.tasks.payload, self.parameters.array.spatial_bits
        jobs = stream.Signature(self.layout).create()
        command = command_view(Opcode.CONVOLVE, task.command)

        def planes(tail: Value) -> Value:
            return Cat(plane < tail for plane in range(spatial))

        empty = task.skip | (command.opcode != Opcode.CONVOLVE)
        job: dict[str, ValueLike] = {name: Mux(empty, 1, command[name]) for name in COUNTS} | {
            "reduce": command.reduce,
            "first": 1,
            "last": 1,
            "ends": 1,
            "row_digits": Mux(empty, 1, task.digits),
            "column_digits": Mux(empty, 1, task.partner_digits),
            "below": (task.digits - 1)[: len(jobs.payload.below)],
            "column_below": task.partner_digits - 1,
            "address": command.column_address,
            "stride": command.column_slice_stride,
        }
        unchanged: dict[str, ValueLike] = {name: command[name] for name in KEPT} | {
            "empty": empty,
            "signal": command.signal[: len(kept.signal)],
            "tag": command.tag,
            "index": task.index,
            "row_planes": planes(task.tail),
            "column_planes": planes(task.partner_tail),
            "excess": (2 * spatial - task.tail - task.partner_tail)[: len(kept.excess)],
        }
        m.d.comb += self.tasks.ready.eq(~jobs.valid | jobs.ready)
        m.d.sync += taken.eq(self.tasks.valid & self.tasks.ready)
        with m.If(self.tasks.ready):
            m.d.sync += jobs.valid.eq(self.tasks.valid)
            m.d.sync += [jobs.payload[name].eq(value) for name, value in job.items()]
            m.d.sync += [kept[name].eq(value) for name, value in unchanged.items()]
        self.held.append(jobs.valid)
        return jobs

    def _keep(self, m: Module, kept: data.View, taken: Value, ended: Value) -> data.View:
        """``kept`` of every task ``taken``, in a queue that ``ended`` moves on; its head."""
        depth = 1 << (TASKS_INSIDE - 1).bit_length()
        m.submodules.kept = memory = Memory(
            shape=kept.shape(), depth=depth, init=[], attrs=DISTRIBUTED
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [write.en.eq(taken), write.data.eq(kept)]
        with m.If(taken):
            m.d.sync += write.addr.eq(write.addr + 1)
        with m.If(ended):
            m.d.sync += read.addr.eq(read.addr + 1)
        return read.data

    def _repeat(
        self,
        m: Module,
        count: str,
        jobs: stream.Interface,
        steps: Mapping[str, str | int] = {},
        *,
        alone: bool = False,
    ) -> tuple[stream.Interface, data.View]:
        """A register and a loop of ``count`` turns; returns its output, as jobs and as the
        `Expander` has it. The last turn of this loop and of those around it is the last of all;
        ``alone``: each turn is a tile of its own, unless the command reduces."""
        m.submodules[f"{count}_register"] = register = StreamRegister(self.layout)
        m.submodules[count] = loop = Expander(self.layout, len(jobs.payload[count]), steps)
        shown, made = loop.o.payload, stream.Signature(self.layout).create()
        wiring.connect(m, jobs, register.i)
        m.d.comb += [
            loop.i.valid.eq(register.o.valid),
            loop.i.payload.item.eq(register.o.payload),
            loop.i.payload.count.eq(register.o.payload[count]),
            register.o.ready.eq(loop.i.ready),
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
        self.held += [~register.empty, loop.o.valid]
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
        m.d.comb += [
            jobs.payload.below.eq(shown.item.below + shown.item.column_below),
            jobs.payload.first_row_digit.eq(shown.first),
            jobs.payload.last_row_digit.eq(shown.last),
        ]

    def _drive_passes(
        self, m: Module, jobs: stream.Interface, shown: data.View, kept: data.View
    ) -> None:
        m.submodules.output = output = StreamRegister(self.passes.payload.shape())
        job, spatial = jobs.payload, self.parameters.array.spatial_bits
        everything = Const((1 << spatial) - 1, spatial)
        values: dict[str, ValueLike] = {
            name: kept[name] for name in ("empty", "signal", "index", "tag", "groups", "excess")
        }
        values |= {
            "ends": job.ends,
            "new_window": shown.first & ~kept.empty,
            "column_address": job.address,
            "shift": Cat(Const(0, spatial.bit_length() - 1), job.below),
            "first": job.first & kept.start,
            "last": job.last & kept.finish & ~kept.empty,
            "row_enable": Mux(job.last_row_digit, kept.row_planes, everything),
            "row_negative": kept.row_signed & job.first_row_digit,
            "column_enable": Mux(shown.last, kept.column_planes, everything),
            "column_negative": kept.column_signed & shown.first,
        }
        m.d.comb += [output.i.valid.eq(jobs.valid), jobs.ready.eq(output.i.ready)]
        m.d.comb += [output.i.payload[name].eq(value) for name, value in values.items()]
        wiring.connect(m, output.o, wiring.flipped(self.passes))
        self.held.append(~output.empty)
