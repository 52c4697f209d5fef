"""From a multiply task to its passes: the loop nest that makes precision a matter of time."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.parameters import Parameters
from hw.sequencer.tasks import (
    ADDRESS_BITS,
    COUNT_BITS,
    digit_bits,
    excess_bits,
    multiply_task,
    plane_pass,
    shift_bits,
)

__all__ = ["PlaneSequencer"]


class DigitWalk:
    """Where one operand stands: its current word, and the digits that follow in this slice.

    Plain signals and the statements that move them; the sequencer owns the order. What is asked
    about a position is kept in flags beside it, so that no comparison delays a pass.
    """

    def __init__(self, parameters: Parameters, task: data.View, name: str):
        self.task = task
        self.spatial = parameters.array.spatial_bits
        self.word = Signal(ADDRESS_BITS, name=f"{name}_word")
        self.slice_base = Signal(ADDRESS_BITS, name=f"{name}_slice_base")
        self.next_base = Signal(ADDRESS_BITS, name=f"{name}_next_base")
        self.left = Signal(digit_bits(parameters), name=f"{name}_left")
        self.at_start = Signal(name=f"{name}_at_start")
        self.at_end = Signal(name=f"{name}_at_end")

    def begin(self, task: data.View) -> list:
        return [
            self.word.eq(task.address),
            self.slice_base.eq(task.address),
            self.next_base.eq(task.address + task.stride),
            *self._first_digit(task),
        ]

    def advance(self) -> list:
        return [
            self.word.eq(self.word + 1),
            self.left.eq(self.left - 1),
            self.at_start.eq(0),
            self.at_end.eq(self.left == 1),
        ]

    def rewind(self) -> list:
        """Back to the first digit of the slice."""
        return [self.word.eq(self.slice_base), *self._first_digit(self.task)]

    def next_slice(self) -> list:
        return [
            self.word.eq(self.next_base),
            self.slice_base.eq(self.next_base),
            self.next_base.eq(self.next_base + self.task.stride),
            *self._first_digit(self.task),
        ]

    def _first_digit(self, task: data.View) -> list:
        return [
            self.left.eq(task.digits - 1),
            self.at_start.eq(1),
            self.at_end.eq(task.digits == 1),
        ]

    def enable(self) -> Value:
        """Planes present in the current digit, most significant in bit 0."""
        return Cat(~self.at_end | (plane < self.task.tail) for plane in range(self.spatial))

    def negative(self) -> Value:
        """Planes of negative weight: the top plane of the first digit of a signed operand."""
        return Cat(self.task.signed & self.at_start, *([0] * (self.spatial - 1)))

    def absent(self) -> Value:
        """Planes missing in the last digit."""
        return (self.spatial - self.task.tail)[: self.spatial.bit_length()]


class PlaneSequencer(wiring.Component):
    """Issues every (row digit, column digit) pair of every slice of a task exactly once.

    Order: slice, then row digit p, then column digit q, each most significant first, so the row
    word is held while q runs. Pass (p, q) of operands with P and Q digits is shifted by
    ``spatial_bits * ((P-1-p) + (Q-1-q))``.

    Members
    -------
    tasks : In(stream of `multiply_task`)    slices >= 1; digits >= 1 unless ``skip``
    passes : Out(stream of `plane_pass`)
    retired : Out(1)                         the task's last pass is taken (or it is skipped)
    signal : Out(1)                          with ``retired``: the task asks for a token to be given

    Timing: the first pass is offered in the cycle after its task was taken; one pass per cycle
    that ``passes.ready`` is high; the next task is taken together with the last pass of the one
    before, so there is no bubble between tasks. A skipped task takes one cycle.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__(
            {
                "tasks": In(stream.Signature(multiply_task(parameters))),
                "passes": Out(stream.Signature(plane_pass(parameters))),
                "retired": Out(1),
                "signal": Out(1),
            }
        )
        self.task = Signal(multiply_task(parameters))
        self.active = Signal()
        self.fresh = Signal()
        self.slices_left = Signal(COUNT_BITS)
        self.in_last_slice = Signal()
        self.row = DigitWalk(parameters, self.task.row, "row")
        self.column = DigitWalk(parameters, self.task.column, "column")

    def elaborate(self, platform: object) -> Module:
        m = Module()
        final = Signal()
        taken = Signal()
        m.d.comb += [
            final.eq(self.row.at_end & self.column.at_end & self.in_last_slice),
            taken.eq(self.passes.valid & self.passes.ready),
            self.passes.valid.eq(self.active),
            self.tasks.ready.eq(~self.active | (taken & final)),
        ]
        self._drive_pass(m, final)
        self._walk(m, taken)
        self._take_task(m)
        self._retire(m, taken & final)
        return m

    def _drive_pass(self, m: Module, final: Value) -> None:
        payload, row, column = self.passes.payload, self.row, self.column
        spatial = self.parameters.array.spatial_bits
        shift = (row.left + column.left) * spatial
        m.d.comb += [
            payload.row_address.eq(row.word),
            payload.column_address.eq(column.word),
            payload.shift.eq(shift[: shift_bits(self.parameters)]),
            payload.first.eq(self.task.start & self.fresh),
            payload.last.eq(self.task.finish & final),
            payload.row_enable.eq(row.enable()),
            payload.row_negative.eq(row.negative()),
            payload.column_enable.eq(column.enable()),
            payload.column_negative.eq(column.negative()),
            payload.excess.eq((row.absent() + column.absent())[: excess_bits(self.parameters)]),
        ]

    def _walk(self, m: Module, taken: Value) -> None:
        with m.If(taken):
            m.d.sync += self.fresh.eq(0)
            with m.If(~self.column.at_end):
                m.d.sync += self.column.advance()
            with m.Elif(~self.row.at_end):
                m.d.sync += [self.column.rewind(), self.row.advance()]
            with m.Elif(~self.in_last_slice):
                m.d.sync += [
                    self.column.next_slice(),
                    self.row.next_slice(),
                    self.slices_left.eq(self.slices_left - 1),
                    self.in_last_slice.eq(self.slices_left == 1),
                ]
            with m.Else():
                m.d.sync += self.active.eq(0)

    def _take_task(self, m: Module) -> None:
        incoming = self.tasks.payload
        with m.If(self.tasks.valid & self.tasks.ready):
            m.d.sync += [
                self.task.eq(incoming),
                self.active.eq(~incoming.skip),
                self.fresh.eq(1),
                self.slices_left.eq(incoming.slices - 1),
                self.in_last_slice.eq(incoming.slices == 1),
                *self.row.begin(incoming.row),
                *self.column.begin(incoming.column),
            ]

    def _retire(self, m: Module, finished: Value) -> None:
        """A skipped task retires in the cycle after it was taken, without a pass."""
        skipped = Signal()
        m.d.sync += skipped.eq(self.tasks.valid & self.tasks.ready & self.tasks.payload.skip)
        m.d.comb += [
            self.retired.eq(finished | skipped),
            self.signal.eq(Mux(self.retired, self.task.signal, 0)),
        ]
