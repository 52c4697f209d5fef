"""The cycle model: what a program costs, predicted from its commands without running the RTL."""

from fractrain.sim.cycles.memories import SecondMemory
from fractrain.sim.cycles.model import Prediction, predict

__all__ = ["Prediction", "SecondMemory", "predict"]
