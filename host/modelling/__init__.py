"""The cost of a training step on a machine, in time and energy, without simulation."""

from fractrain.host.modelling.step_model import StepCost, StepModel

__all__ = ["StepCost", "StepModel"]
