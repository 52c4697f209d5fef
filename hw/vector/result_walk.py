"""The walk of a NARROW or JOIN through tiles, beats and lines."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Earlier, RowPixels
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.vector.result_layouts import MOST_PARTS, result_task, walk_step

__all__ = ["ResultWalk"]


class ResultWalk(wiring.Component):
    """All steps of a command, in the order of its beats: image, row of tiles, tile, beat, cluster;
    of each line its parts, and of each part the sums, and then what was earlier.

    Members
    -------
    task : In(`result_task`)    stays from `PREPARE_CYCLES` before ``start`` until the last step is
                              taken
    start : In(1)             begin with it; only while there is no step
    steps : Out(stream of `walk_step`)

    Timing: the first step is on offer a cycle after ``start``; a step a cycle.
    Errors: `ParameterError` unless columns of a cluster are a power of two.
    """

    PREPARE_CYCLES = 2

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        beats = parameters.beats_per_tile
        if beats & (beats - 1):
            raise ParameterError("array.cluster_columns", beats, "a power of two")
        super().__init__(
            {
                "task": In(result_task()),
                "start": In(1),
                "steps": Out(stream.Signature(walk_step(parameters))),
            }
        )
        # what is left, this one included, and whether it is the last one
        self.left = {
            name: Signal.like(self.task["images" if name == "image" else f"tiles_{name}"])
            for name in ("x", "y", "image")
        }
        self.ends = {name: Signal(name=f"last_{name}") for name in self.left}
        # loops inside a tile
        self.beat = Signal(range(max(2, beats)))
        self.cluster = Signal.like(self.steps.payload.cluster)
        self.part, self.earlier = Signal(range(MOST_PARTS)), Signal()
        self.line_ends, self.tile_ends = Signal(), Signal()
        # of the counts: known with them
        self.last_cluster, self.last_beat = Signal(), Signal()
        self.first_tile = Signal()
        # pixels outside the image in the last tile of a row, in the last row; before, by x and by y
        pixels = parameters.array.rows
        self.outside_x = Signal(pixels, reset_less=True)
        self.outside_y = Signal(pixels, reset_less=True)
        self.beyond_x = Signal(pixels, reset_less=True)
        self.beyond_y = Signal(MOST_PARTS, reset_less=True)
        # places of the image, the row of tiles, the tile
        self.places = {
            name: Signal.like(self.steps.payload.half, name=f"{name}_place")
            for name in ("image", "row", "tile")
        }
        self.tile_step, self.part_step, self.start_place = (
            Signal.like(self.steps.payload.half, name=name, reset_less=True)
            for name in ("tile_step", "part_step", "start_place")
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        taken = self.steps.valid & self.steps.ready
        with m.If(self.start):
            m.d.sync += self.steps.valid.eq(1)
        with m.Elif(taken & self.steps.payload.ends):
            m.d.sync += self.steps.valid.eq(0)
        tile_done, complete = Signal(), Signal()
        m.d.comb += tile_done.eq(taken & self.tile_ends)
        self._count_lines(m, taken, complete)
        self._count_tiles(m, tile_done)
        self._follow_places(m, taken & complete, tile_done)
        self._describe(m, complete, tile_done)
        self._find_outside(m)
        return m

    def _count_lines(self, m: Module, taken: Value, complete: Signal) -> None:
        task = self.task
        # of the task, which stays: parts less one; nothing is earlier
        parts, once = Signal(range(MOST_PARTS)), Signal()
        beat_ends, part_ends = Signal(), Signal()
        beats, clusters = self.parameters.beats_per_tile, self.parameters.column_clusters
        m.d.sync += [
            parts.eq(
                Mux(
                    task.interleaved,
                    Mux(task.row_pixels == RowPixels.QUARTER, MOST_PARTS - 1, 1),
                    0,
                )
            ),
            once.eq(task.earlier == Earlier.NONE),
        ]
        m.d.comb += [
            complete.eq(self.earlier | once),
            part_ends.eq(self.part == parts),
            self.line_ends.eq(complete & part_ends),
            beat_ends.eq(self.line_ends & self.last_cluster),
            self.tile_ends.eq(beat_ends & self.last_beat),
            self.steps.payload.beat_ends.eq(beat_ends),
        ]
        carry: Value = taken
        for count, ends in ((self.earlier, complete), (self.part, part_ends)):
            with m.If(self.start):
                m.d.sync += count.eq(0)
            with m.Elif(carry):
                m.d.sync += count.eq(Mux(ends, 0, count + 1))
            carry = carry & ends
        for count, ends, most in (
            (self.cluster, self.last_cluster, clusters - 1),
            (self.beat, self.last_beat, beats - 1),
        ):
            with m.If(self.start | (carry & ends)):
                m.d.sync += [count.eq(0), ends.eq(most == 0)]
            with m.Elif(carry):
                m.d.sync += [count.eq(count + 1), ends.eq(count == most - 1)]
            carry = carry & ends

    def _count_tiles(self, m: Module, tile_done: Value) -> None:
        """Three nested counts; each has the number that is left, this one included."""
        carry: Value = tile_done
        for name, end in self.ends.items():
            count, left = (
                self.task["images" if name == "image" else f"tiles_{name}"],
                self.left[name],
            )
            with m.If(self.start | (carry & end)):
                m.d.sync += [left.eq(count), end.eq(count == 1)]
            with m.Elif(carry):
                m.d.sync += [left.eq(left - 1), end.eq(left == 2)]
            carry = carry & end

    def _follow_places(self, m: Module, complete: Value, tile_done: Value) -> None:
        """Interleaved, pixel (y, x) is at (2y + odd_row) · W + 2x + odd_column with W pixels in a
        row. In units of P/2 pixels, a row of tiles is then 8 · ``tiles_x`` long, whatever a row of
        a tile is; a tile, a row of it, and an odd row are multiples of that row."""
        task, place = self.task, self.steps.payload.half
        across = task.tiles_x
        image, row, tile = self.places.values()
        with m.Switch(task.row_pixels):
            for shift, code in enumerate((RowPixels.QUARTER, RowPixels.HALF, None)):
                with m.Default() if code is None else m.Case(code):
                    m.d.sync += [
                        self.tile_step.eq(1 << shift),
                        self.start_place.eq(Mux(task.odd_row, across << shift, 0)),
                        self.part_step.eq(2 if code is None else across << shift + 1),
                    ]
        following = Signal.like(place)
        with m.If(self.start):
            m.d.comb += following.eq(self.start_place)
        with m.Elif(~self.ends["x"]):
            m.d.comb += following.eq(tile + self.tile_step)
        with m.Elif(~self.ends["y"]):
            m.d.comb += following.eq(row + (across << 3))
        with m.Else():
            m.d.comb += following.eq(image + (task.image_blocks << 1))
        with m.If(self.start | tile_done):
            m.d.sync += [tile.eq(following), place.eq(following)]
            with m.If(self.start | self.ends["x"]):
                m.d.sync += row.eq(following)
            with m.If(self.start | (self.ends["x"] & self.ends["y"])):
                m.d.sync += image.eq(following)
        with m.Elif(complete):
            m.d.sync += place.eq(Mux(self.line_ends, tile, place + self.part_step))

    def _describe(self, m: Module, complete: Value, tile_done: Value) -> None:
        step, ends = self.steps.payload, self.ends
        with m.If(self.start):
            m.d.sync += [step.tile.eq(0), self.first_tile.eq(1)]
        with m.Elif(tile_done):
            m.d.sync += [step.tile.eq(step.tile + 1), self.first_tile.eq(0)]
        last_tile = ends["x"] & ends["y"] & ends["image"]
        channel = (
            Cat(self.beat, self.cluster) if self.parameters.beats_per_tile > 1 else self.cluster
        )
        m.d.comb += [
            step.channel.eq(channel),
            step.cluster.eq(self.cluster),
            step.part.eq(self.part),
            step.earlier.eq(self.earlier),
            step.complete.eq(complete),
            step.outside.eq(
                (self.outside_x & ends["x"].replicate(len(self.outside_x)))
                | (self.outside_y & ends["y"].replicate(len(self.outside_y)))
            ),
            step.first.eq(self.first_tile & (self.part == 0)),
            step.last.eq(last_tile & self.line_ends),
            step.ends.eq(last_tile & self.tile_ends),
        ]

    def _find_outside(self, m: Module) -> None:
        """Pixels that are outside in the last tile of a row, and in the last row of tiles."""
        pixels, task = self.parameters.array.rows, self.task
        m.d.sync += [
            self.beyond_x.eq(Cat(task.valid_x <= Const(place, 8) for place in range(pixels))),
            self.beyond_y.eq(Cat(task.valid_y <= Const(place, 8) for place in range(MOST_PARTS))),
        ]
        with m.Switch(task.row_pixels):
            for shift, code in ((2, RowPixels.QUARTER), (1, RowPixels.HALF), (0, None)):
                row = pixels >> shift
                with m.Default() if code is None else m.Case(code):
                    m.d.sync += [
                        self.outside_x.eq(
                            Cat(self.beyond_x[pixel % row] for pixel in range(pixels))
                        ),
                        self.outside_y.eq(
                            Cat(self.beyond_y[pixel // row] for pixel in range(pixels))
                        ),
                    ]
