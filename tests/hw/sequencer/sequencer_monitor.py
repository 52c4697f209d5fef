"""What the plane sequencer must do, stated over its ports; proved in `test_plane_sequencer_proof`.

One task is followed from the cycle in which it is taken. The monitor keeps its own books (which
slice, how many passes of it), knows nothing of how the sequencer counts, and picks one arbitrary
pair of digits (p, q) whose passes it looks out for: what holds for an arbitrary pair holds for
all.
"""

from amaranth.hdl import Assert, Assume, Module, Mux, Signal, Value
from amaranth.lib import wiring

from hw.contract.parameters import Parameters
from hw.sequencer.plane_sequencer import PlaneSequencer
from hw.sequencer.tasks import ADDRESS_BITS, COUNT_BITS, digit_bits, multiply_task

PRODUCT_BITS = 10


class SequencerMonitor(wiring.Component):
    """The sequencer with arbitrary tasks and an arbitrary consumer, and the assertions about it."""

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        self.spatial = parameters.array.spatial_bits
        self.max_digits = parameters.digits(parameters.precision.max_bits)
        self.sequencer = PlaneSequencer(parameters)
        digit = digit_bits(parameters)
        super().__init__(
            {
                "task_valid": wiring.In(1),
                "pass_ready": wiring.In(1),
                "task": wiring.In(multiply_task(parameters)),
                "chosen_row": wiring.In(digit),
                "chosen_column": wiring.In(digit),
            }
        )
        # the books: the task being followed, its current slice, and passes seen in it
        self.current = Signal(multiply_task(parameters))
        self.running = Signal()
        self.slices_done = Signal(COUNT_BITS)
        self.row_base = Signal(ADDRESS_BITS)
        self.column_base = Signal(ADDRESS_BITS)
        self.count = Signal(PRODUCT_BITS)
        self.any_pass = Signal()
        self.seen = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequencer = sequencer = self.sequencer
        m.d.comb += [
            sequencer.tasks.valid.eq(self.task_valid),
            sequencer.tasks.payload.eq(self.task),
            sequencer.passes.ready.eq(self.pass_ready),
        ]
        self._assume_legal(m)
        taken = sequencer.tasks.valid & sequencer.tasks.ready
        issued = sequencer.passes.valid & sequencer.passes.ready
        row, column = self._digit_numbers()
        per_slice = Signal(PRODUCT_BITS)
        m.d.comb += per_slice.eq(self.current.row.digits * self.current.column.digits)
        slice_ends = self.count + 1 == per_slice
        task_ends = slice_ends & (self.slices_done + 1 == self.current.slices)
        self._keep_books(m, taken, issued, slice_ends, task_ends, row, column)
        self._assert_pass(m, row, column, task_ends)
        self._assert_exactly_once(m, issued, slice_ends, row, column)
        self._assert_no_idle_cycle(m, taken, issued, task_ends)
        self._assert_invariant(m, row, column)
        return m

    def _assume_legal(self, m: Module) -> None:
        """What the decoder guarantees, a stable chosen pair, and a stream that keeps its word."""
        for operand in (self.task.row, self.task.column):
            m.d.comb += Assume(operand.digits <= self.max_digits)
            m.d.comb += Assume((operand.digits != 0) | self.task.skip)
            m.d.comb += Assume((operand.tail >= 1) & (operand.tail <= self.spatial))
        m.d.comb += Assume(self.task.slices != 0)
        for chosen in (self.chosen_row, self.chosen_column):
            before = Signal.like(chosen)
            started = Signal(name=f"{chosen.name}_started")
            m.d.sync += [before.eq(chosen), started.eq(1)]
            m.d.comb += Assume(~started | (chosen == before))

    def _digit_numbers(self) -> tuple[Value, Value]:
        """Digits of the offered pass, read off its addresses."""
        payload = self.sequencer.passes.payload
        return (
            (payload.row_address - self.row_base)[:ADDRESS_BITS],
            (payload.column_address - self.column_base)[:ADDRESS_BITS],
        )

    def _keep_books(self, m, taken, issued, slice_ends, task_ends, row, column) -> None:
        chosen = (row == self.chosen_row) & (column == self.chosen_column)
        with m.If(issued):
            m.d.sync += [
                self.count.eq(self.count + 1),
                self.seen.eq(self.seen | chosen),
                self.any_pass.eq(1),
            ]
            with m.If(slice_ends):
                m.d.sync += [
                    self.count.eq(0),
                    self.seen.eq(0),
                    self.slices_done.eq(self.slices_done + 1),
                    self.row_base.eq(self.row_base + self.current.row.stride),
                    self.column_base.eq(self.column_base + self.current.column.stride),
                ]
            with m.If(task_ends):
                m.d.sync += self.running.eq(0)
        with m.If(taken):
            m.d.sync += [
                self.current.eq(self.task),
                self.running.eq(~self.task.skip),
                self.slices_done.eq(0),
                self.count.eq(0),
                self.seen.eq(0),
                self.any_pass.eq(0),
                self.row_base.eq(self.task.row.address),
                self.column_base.eq(self.task.column.address),
            ]

    def _assert_pass(self, m: Module, row: Value, column: Value, task_ends: Value) -> None:
        """An offered pass names existing digits, and its shift, signs and marks are right."""
        payload, current = self.sequencer.passes.payload, self.current
        m.d.comb += Assert(self.sequencer.passes.valid == self.running)
        with m.If(self.sequencer.passes.valid):
            below = (current.row.digits - 1 - row) + (current.column.digits - 1 - column)
            m.d.comb += [
                Assert(row < current.row.digits),
                Assert(column < current.column.digits),
                Assert(payload.shift == (self.spatial * below)[:6]),
                Assert(payload.first == (current.start & ~self.any_pass)),
                Assert(payload.last == (current.finish & task_ends)),
                Assert(payload.excess == 2 * self.spatial - current.row.tail - current.column.tail),
            ]
            self._assert_planes(m, payload.row_enable, payload.row_negative, row, current.row)
            self._assert_planes(
                m, payload.column_enable, payload.column_negative, column, current.column
            )

    def _assert_planes(self, m: Module, enable, negative, digit, operand) -> None:
        """Plane s of digit d is bit ``d * S + s`` from the top, of ``(digits-1) * S + tail``."""
        width = self.spatial * (operand.digits - 1) + operand.tail
        for plane in range(self.spatial):
            from_top = digit * self.spatial + plane
            m.d.comb += [
                Assert(enable[plane] == (from_top < width)),
                Assert(negative[plane] == (operand.signed & (from_top == 0))),
            ]

    def _assert_exactly_once(self, m: Module, issued, slice_ends, row, column) -> None:
        """The chosen pair is never issued twice in a slice, and a slice does not end without it."""
        is_chosen = (row == self.chosen_row) & (column == self.chosen_column)
        exists = (self.chosen_row < self.current.row.digits) & (
            self.chosen_column < self.current.column.digits
        )
        with m.If(issued):
            m.d.comb += Assert(~(is_chosen & self.seen))
            with m.If(slice_ends & exists):
                m.d.comb += Assert(self.seen | is_chosen)

    def _assert_no_idle_cycle(self, m: Module, taken, issued, task_ends) -> None:
        """A pass is on offer whenever a task is at hand; a task is refused only while one runs."""
        sequencer = self.sequencer
        m.d.comb += Assert(sequencer.tasks.ready == (~self.running | (issued & task_ends)))
        skipped, signal = Signal(), Signal()
        m.d.sync += [skipped.eq(taken & self.task.skip), signal.eq(self.task.signal)]
        finished = issued & task_ends
        m.d.comb += [
            Assert(sequencer.retired == (finished | skipped)),
            Assert(
                sequencer.signal == (Mux(skipped, signal, 0) | (finished & self.current.signal))
            ),
        ]

    def _assert_invariant(self, m: Module, row: Value, column: Value) -> None:
        """Ties the sequencer's registers to the books, so that the proof closes by induction."""
        s = self.sequencer
        position = Signal(PRODUCT_BITS)
        m.d.comb += position.eq(row[:5] * self.current.column.digits + column[:5])
        with m.If(self.running):
            before = (self.chosen_row < row) | (
                (self.chosen_row == row) & (self.chosen_column < column)
            )
            exists = (self.chosen_row < self.current.row.digits) & (
                self.chosen_column < self.current.column.digits
            )
            m.d.comb += [
                Assert(s.task == self.current),
                Assert(s.active == 1),
                Assert(s.row.left + row == self.current.row.digits - 1),
                Assert(s.column.left + column == self.current.column.digits - 1),
                Assert(s.row.slice_base == self.row_base),
                Assert(s.column.slice_base == self.column_base),
                Assert(s.slices_left + self.slices_done + 1 == self.current.slices),
                Assert(s.in_last_slice == (s.slices_left == 0)),
                Assert(self.count == position),
                Assert(self.seen == (exists & before)),
                Assert(s.fresh == ~self.any_pass),
                Assert(~self.current.skip),
            ]
            for walk, operand in ((s.row, self.current.row), (s.column, self.current.column)):
                m.d.comb += [
                    Assert(walk.next_base == (walk.slice_base + operand.stride)[:ADDRESS_BITS]),
                    Assert(walk.at_end == (walk.left == 0)),
                    Assert(walk.at_start == (walk.left == operand.digits - 1)),
                    Assert((operand.digits >= 1) & (operand.digits <= self.max_digits)),
                    Assert((operand.tail >= 1) & (operand.tail <= self.spatial)),
                ]
        with m.Else():
            m.d.comb += Assert(s.active == 0)
