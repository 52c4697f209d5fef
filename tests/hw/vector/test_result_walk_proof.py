"""Formal, unbounded: every line of every tile once, in order, at its place; exact.

Numbers of images and of tiles are 3 at most, blocks of an image 7 at most: places are products.
"""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.hw.contract.commands import Earlier, RowPixels
from fractrain.hw.vector.result_layouts import result_task
from fractrain.hw.vector.result_walk import ResultWalk
from tests.formal.runner import ProofFailed, prove, refute
from tests.hw.vector.machines import machine_with_unit

P = machine_with_unit()
PIXELS = P.array.rows
COUNT_BITS = 2


class WalkMonitor(wiring.Component):
    """Its books are the loops of the contract, counted one by one."""

    def __init__(self) -> None:
        self.walk = ResultWalk(P)
        super().__init__({"task": In(result_task()), "start": In(1), "ready": In(1)})
        counts = ("image", "y", "x", "beat", "cluster", "part", "earlier")
        self.at = {name: Signal(4, name=f"book_{name}") for name in counts}
        self.running = Signal()
        self.age = Signal(2)
        """Cycles with this task, up to 3."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walk = walk = self.walk
        started = self.start & ~self.running & (self.age >= ResultWalk.PREPARE_CYCLES)
        m.d.comb += [
            walk.task.eq(self.task),
            walk.start.eq(started),
            walk.steps.ready.eq(self.ready),
        ]
        self._assume(m)
        limits = self._limits()
        done = self._count(m, started, limits)
        self._claim(m, limits)
        self._tie(m)
        self._reach(m, done)
        return m

    def _assume(self, m: Module) -> None:
        """One task from reset on, of few tiles."""
        task, before = self.task, Signal.like(self.task)
        m.d.sync += [before.eq(task), self.age.eq(Mux(self.age == 3, 3, self.age + 1))]
        m.d.comb += [
            Assume((self.age == 0) | (task == before)),
            Assume(task.image_blocks < 8),
            Assume(task.row_pixels != 3),
            Assume(task.earlier != 3),
        ]
        for count in (task.images, task.tiles_x, task.tiles_y):
            m.d.comb += Assume((count != 0) & (count < 1 << COUNT_BITS))

    def _limits(self) -> dict[str, Value]:
        """The last of each loop."""
        task = self.task
        parts = Mux(task.row_pixels == RowPixels.QUARTER, 3, 1)
        return {
            "image": task.images - 1,
            "y": task.tiles_y - 1,
            "x": task.tiles_x - 1,
            "beat": P.beats_per_tile - 1,
            "cluster": P.column_clusters - 1,
            "part": Mux(task.interleaved, parts, 0),
            "earlier": task.earlier != Earlier.NONE,
        }

    def _count(self, m: Module, started: Value, limits: dict[str, Value]) -> Value:
        walk = self.walk
        carry: Value = walk.steps.valid & walk.steps.ready
        with m.If(started):
            m.d.sync += self.running.eq(1)
        for name in reversed(self.at):
            at = self.at[name]
            ends = at == limits[name]
            with m.If(started):
                m.d.sync += at.eq(0)
            with m.Elif(carry):
                m.d.sync += at.eq(Mux(ends, 0, at + 1))
            carry = carry & ends
        with m.If(carry):
            m.d.sync += self.running.eq(0)
        return carry

    def _place(self) -> Value:
        """Of the tile's first pixel of this part, in P/2: (2Y + odd_row) · W + 2X, with W pixels in
        a row of the tensor."""
        task, at = self.task, self.at
        across = task.tiles_x[:COUNT_BITS]
        quarters = task.row_pixels == RowPixels.QUARTER
        halves = task.row_pixels == RowPixels.HALF
        rows = Mux(quarters, 4, Mux(halves, 2, 1))
        row = Mux(quarters, at["part"], Mux(halves, at["part"], 0))
        y = (at["y"][:COUNT_BITS] * rows + row)[:5]
        width = Mux(quarters, across, Mux(halves, across << 1, across << 2))
        x = Mux(quarters, at["x"], Mux(halves, at["x"] << 1, at["x"] << 2))
        behind = Mux(quarters | halves, 0, at["part"] << 1)
        image = at["image"][:COUNT_BITS] * (task.image_blocks[:3] << 1)
        return image + (2 * y + task.odd_row) * width + x + behind

    def _claim(self, m: Module, limits: dict[str, Value]) -> None:
        task, at, step = self.task, self.at, self.walk.steps.payload
        last = {name: at[name] == limits[name] for name in at}
        last_tile = last["image"] & last["y"] & last["x"]
        line_ends = last["part"] & last["earlier"]
        tile = (
            (at["image"][:COUNT_BITS] * task.tiles_y[:COUNT_BITS] + at["y"])[:4]
            * task.tiles_x[:COUNT_BITS]
        ) + at["x"]
        m.d.comb += Assert(self.walk.steps.valid == self.running, "no step is lost or made up")
        with m.If(self.running):
            m.d.comb += [
                Assert(step.channel == at["cluster"] * P.beats_per_tile + at["beat"]),
                Assert(step.cluster == at["cluster"]),
                Assert(step.part == at["part"]),
                Assert(step.earlier == at["earlier"]),
                Assert(step.complete == last["earlier"]),
                Assert(step.tile == tile, "the tile's number"),
                Assert(step.half == self._place(), "the place in the tensor"),
                Assert(step.first == ((tile == 0) & (at["part"] == 0))),
                Assert(step.last == (last_tile & line_ends), "the last of a channel"),
                Assert(step.beat_ends == (line_ends & last["cluster"])),
                Assert(
                    step.ends == (last_tile & line_ends & last["cluster"] & last["beat"]),
                    "the last of the command",
                ),
            ]
            for pixel in range(PIXELS):
                m.d.comb += Assert(step.outside[pixel] == self._is_outside(pixel, last))
        for name, each in at.items():
            m.d.comb += Assert(each <= limits[name])

    def _is_outside(self, pixel: int, last: dict[str, Value]) -> Value:
        ways = []
        for code in RowPixels:
            row = PIXELS >> (2 - code)
            x, y = pixel % row, pixel // row
            ways.append(
                (last["x"] & (self.task.valid_x <= x)) | (last["y"] & (self.task.valid_y <= y))
            )
        code = self.task.row_pixels
        return Mux(code == 0, ways[0], Mux(code == 1, ways[1], ways[2]))

    def _tie(self, m: Module) -> None:
        """The walk's own registers to the books, so that induction closes."""
        walk, task, at = self.walk, self.task, self.at
        for name, count in (("x", task.tiles_x), ("y", task.tiles_y), ("image", task.images)):
            with m.If(self.running):
                m.d.comb += [
                    Assert(walk.left[name] == count - at[name]),
                    Assert(walk.ends[name] == (walk.left[name] == 1)),
                ]
        with m.If(self.running):
            m.d.comb += [
                Assert(walk.last_cluster == (at["cluster"] == P.column_clusters - 1)),
                Assert(walk.last_beat == (at["beat"] == P.beats_per_tile - 1)),
            ]
        across = task.tiles_x[:COUNT_BITS]
        shift = task.row_pixels
        start = Mux(task.odd_row, across << shift, 0)
        image = start + at["image"][:COUNT_BITS] * (task.image_blocks[:3] << 1)
        row = image + at["y"][:COUNT_BITS] * (across << 3)
        with m.If(self.age >= 1):
            m.d.comb += [
                Assert(walk.tile_step == (1 << shift)[:3]),
                Assert(walk.start_place == start),
                Assert(walk.part_step == Mux(shift == 2, 2, across << (shift + 1)[:2])),
                Assert(walk.beyond_x == self._beyond(task.valid_x, PIXELS)),
                Assert(walk.beyond_y == self._beyond(task.valid_y, 4)),
            ]
        m.d.comb += Assert(~self.running | (self.age >= ResultWalk.PREPARE_CYCLES))
        with m.If(self.age >= 2):
            for pixel in range(PIXELS):
                every = {"x": 1, "y": 0}, {"x": 0, "y": 1}
                for outside, last in zip((walk.outside_x, walk.outside_y), every, strict=True):
                    m.d.comb += Assert(outside[pixel] == self._is_outside(pixel, last))
        with m.If(self.running):
            m.d.comb += [
                Assert(walk.places["image"] == image),
                Assert(walk.places["row"] == row),
                Assert(walk.places["tile"] == row + (at["x"] << shift)),
                Assert(walk.first_tile == ((at["image"] == 0) & (at["y"] == 0) & (at["x"] == 0))),
            ]

    @staticmethod
    def _beyond(valid: Value, places: int) -> Value:
        return Cat(valid <= place for place in range(places))

    def _reach(self, m: Module, done: Value) -> None:
        m.d.comb += [
            Cover(done & (self.task.images == 2) & ~self.task.interleaved),
            Cover(done & self.task.interleaved & (self.task.earlier == Earlier.STREAM)),
        ]


def test_every_line_once_in_order_at_its_place() -> None:
    prove(WalkMonitor(), "result_walk", depth=2)


def test_the_proof_is_not_of_nothing() -> None:
    prove(WalkMonitor(), "result_walk_cover", depth=40, mode="cover")


def test_the_proof_notices_a_wrong_row(monkeypatch: pytest.MonkeyPatch) -> None:
    follow = ResultWalk._follow_places

    def broken(self: ResultWalk, m: Module, complete: Value, tile_done: Value) -> None:
        follow(self, m, complete, tile_done)
        with m.If(tile_done & self.ends["x"] & ~self.ends["y"]):
            m.d.sync += self.places["row"].eq(self.places["tile"])

    monkeypatch.setattr(ResultWalk, "_follow_places", broken)
    with pytest.raises(ProofFailed, match="result_walk_row"):
        prove(WalkMonitor(), "result_walk_row", depth=2)


def test_the_proof_notices_a_tile_that_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    count = ResultWalk._count_tiles

    def broken(self: ResultWalk, m: Module, tile_done: Value) -> None:
        count(self, m, tile_done)
        with m.If(self.start):
            m.d.sync += self.ends["image"].eq(1)

    monkeypatch.setattr(ResultWalk, "_count_tiles", broken)
    refute(WalkMonitor(), "result_walk_end", "the last of the command", depth=40)
