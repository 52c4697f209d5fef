"""The result stage: admits tiles so that the array never has to stop, and sends them out."""

from amaranth.hdl import Cat, Module, ResetInserter, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from hw.contract.parameters import Parameters
from hw.sequencer.tasks import excess_bits
from hw.shared_module import SharedModule

__all__ = ["QueuePart", "ResultStage", "TileAdmission", "result_beat"]

FIFO_SLACK = 1
"""Room beyond the items inside that Amaranth's buffered FIFO needs to take one in every cycle: its
output register counts as a place, but is filled from the others only a cycle later."""


def result_beat(parameters: Parameters) -> data.StructLayout:
    """Results that leave together: ``data[row * column_clusters + cluster]`` is row ``row``, column
    ``cluster * cluster_columns + beat`` of the tile; ``last`` marks the tile's last beat."""
    value = data.ArrayLayout(
        signed(parameters.precision.accumulator_bits), parameters.results_per_beat
    )
    return data.StructLayout({"data": value, "last": 1})


class TileAdmission(wiring.Component):
    """Says when the last pass of a tile may be issued.

    The array cannot be stopped, so a tile is admitted only if there will be room for its results
    and the capture registers will be free when it gets there: at most ``queues.result_tiles``
    tiles between issue and the result stream's exit, and `Parameters.beats_per_tile` cycles
    between two admissions.

    Members
    -------
    admit : In(1)       a last pass is issued (only while ``ready``)
    left : In(1)        the last beat of a tile has left the result stream
    ready : Out(1)
    empty : Out(1)      no tile is on its way
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__({"admit": In(1), "left": In(1), "ready": Out(1, init=1), "empty": Out(1)})
        self.tiles = Signal(range(parameters.queues.result_tiles + 1))
        self.wait = Signal(range(max(2, parameters.beats_per_tile)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        limit, beats = self.parameters.queues.result_tiles, self.parameters.beats_per_tile
        room = (self.tiles != limit) | self.left
        m.d.comb += self.empty.eq(self.tiles == 0)
        # ``ready`` for the next cycle: a register, because the array's issue waits for it
        with m.If(self.admit):
            m.d.sync += self.ready.eq((self.tiles != limit - 1) | self.left if beats == 1 else 0)
        with m.Else():
            m.d.sync += self.ready.eq(room & (self.wait <= 1))
        with m.If(self.admit & ~self.left):
            m.d.sync += self.tiles.eq(self.tiles + 1)
        with m.Elif(~self.admit & self.left):
            m.d.sync += self.tiles.eq(self.tiles - 1)
        with m.If(self.admit):
            m.d.sync += self.wait.eq(beats - 1)
        with m.Elif(self.wait != 0):
            m.d.sync += self.wait.eq(self.wait - 1)
        return m


class QueuePart(wiring.Component):
    """First in, first out: ``width`` bits, ``depth`` items.

    Members
    -------
    write, write_data : In       only while fewer than ``depth`` items are inside
    readable, read_data : Out    the oldest item
    read : In(1)                 take it (only while ``readable``)
    clear : In(1)                forget all items

    Timing: an item is readable two cycles after it was written.
    """

    def __init__(self, width: int, depth: int):
        self.width, self.depth = width, depth
        super().__init__(
            {
                "write": In(1),
                "write_data": In(width),
                "readable": Out(1),
                "read_data": Out(width),
                "read": In(1),
                "clear": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fifo = SyncFIFOBuffered(width=self.width, depth=self.depth + FIFO_SLACK)
        m.submodules.fifo = ResetInserter(self.clear)(fifo)
        m.d.comb += [
            fifo.w_en.eq(self.write),
            fifo.w_data.eq(self.write_data),
            self.readable.eq(fifo.r_rdy),
            self.read_data.eq(fifo.r_data),
            fifo.r_en.eq(self.read),
        ]
        return m


class ResultStage(wiring.Component):
    """From the array's beats to the result stream, through a queue that never overflows.

    With ``spatial_bits`` > 1 a result carries the absent planes of both operands as zero low
    bits; it is shifted right by that number here, exactly.

    Members
    -------
    admit : In(1), excess : In    a last pass is issued, with its count of absent planes
    beats : In(valid, last, data)    from the array, which cannot wait
    results : Out(stream of `result_beat`)
    ready, empty : Out(1)         of the `TileAdmission`
    sent : Out(1)                 a beat was taken
    clear : In(1)                 forget the queue's contents; with it, reset the rest

    Timing: a beat is offered two cycles after it came from the array (one more with
    ``spatial_bits`` > 1) if the queue is empty; one beat per cycle.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        self.layout = result_beat(parameters)
        beat = {"valid": 1, "last": 1, "data": self.layout["data"].shape}
        super().__init__(
            {
                "admit": In(1),
                "excess": In(excess_bits(parameters)),
                "beats": In(data.StructLayout(beat)),
                "results": Out(stream.Signature(self.layout)),
                "ready": Out(1),
                "empty": Out(1),
                "sent": Out(1),
                "clear": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.admission = admission = TileAdmission(self.parameters)
        beat = self._aligned(m) if self.parameters.array.spatial_bits > 1 else self.beats
        m.d.comb += [
            admission.admit.eq(self.admit),
            admission.left.eq(self.sent & self.results.payload.last),
            self.ready.eq(admission.ready),
            self.empty.eq(admission.empty),
            self.sent.eq(self.results.valid & self.results.ready),
        ]
        self._connect_queue(m, beat)
        return m

    def _connect_queue(self, m: Module, beat: data.View) -> None:
        """Parts in lockstep, each with pointers of its own: one set could not drive them all."""
        tiles, beats = self.parameters.queues.result_tiles, self.parameters.beats_per_tile
        values = self.parameters.array.cluster_rows
        width = values * self.parameters.precision.accumulator_bits
        count = self.parameters.results_per_beat // values
        for number in range(count):
            part = SharedModule(
                QueuePart(width + 1, tiles * beats), f"queue_part_{width + 1}x{tiles * beats}"
            )
            m.submodules[f"part_{number}"] = part
            bits = slice(number * width, (number + 1) * width)
            m.d.comb += [
                part.write.eq(beat.valid),
                part.write_data.eq(Cat(beat.data.as_value()[bits], beat.last)),
                part.clear.eq(self.clear),
                part.read.eq(self.sent),
                self.results.payload.data.as_value()[bits].eq(part.read_data[:width]),
            ]
            if number == 0:
                m.d.comb += [
                    self.results.valid.eq(part.readable),
                    self.results.payload.last.eq(part.read_data[width]),
                ]

    def _aligned(self, m: Module) -> data.View:
        """The beats, each shifted right by its tile's ``excess``."""
        m.submodules.excesses = excesses = SyncFIFOBuffered(
            width=len(self.excess), depth=self.parameters.queues.result_tiles + FIFO_SLACK
        )
        aligned = Signal.like(self.beats)
        m.d.comb += [
            excesses.w_data.eq(self.excess),
            excesses.w_en.eq(self.admit),
            excesses.r_en.eq(self.beats.valid & self.beats.last),
        ]
        m.d.sync += [aligned.valid.eq(self.beats.valid), aligned.last.eq(self.beats.last)]
        for index in range(self.parameters.results_per_beat):
            m.d.sync += aligned.data[index].eq(self.beats.data[index] >> excesses.r_data)
        return aligned
