"""Admission of tiles: the array never has to stop, as it only gets tiles with room for results."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters

__all__ = ["TileAdmission"]


class TileAdmission(wiring.Component):
    """Says when the last pass of a tile may be issued.

    The array cannot be stopped. So a tile is admitted only if its results will have room and the
    capture registers will be free: at most ``queues.result_tiles`` tiles between issue and the
    queue's exit, and `Parameters.beats_per_tile` cycles between two admissions.

    Members
    -------
    admit : In(1)       a last pass is issued (only while ``ready``)
    left : In(1)        the last beat of a tile has left the queue
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
