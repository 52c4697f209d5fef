"""A ZC706 that is not there: Linux's files and devices around the co-simulated engine."""

from sim.board.board import SimulatedBoard
from sim.board.hang import BusHang
from sim.board.injections import INJECTIONS

__all__ = ["INJECTIONS", "BusHang", "SimulatedBoard"]
