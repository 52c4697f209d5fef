"""A simulated board: Linux's files and devices around the co-simulated engine."""

from fractrain.sim.board.board import SimulatedBoard
from fractrain.sim.board.hang import BusHang
from fractrain.sim.board.injections import INJECTIONS

__all__ = ["INJECTIONS", "BusHang", "SimulatedBoard"]
