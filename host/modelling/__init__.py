"""What a training step costs on a machine, in time and energy, without simulating it."""

from fractrain.host.modelling.layers import LayerShape, layer_precisions, layer_shapes
from fractrain.host.modelling.step_model import StepCost, StepModel

__all__ = ["LayerShape", "StepCost", "StepModel", "layer_precisions", "layer_shapes"]
