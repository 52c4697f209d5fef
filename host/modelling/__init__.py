"""What a training step costs on a machine, in time and energy, without simulating it."""

from fractrain.host.modelling.step_model import StepCost, StepModel

__all__ = ["StepCost", "StepModel"]
