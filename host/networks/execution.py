"""How one pass through a network is executed: on what, how precisely, and for what purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from host.accelerator import Accelerator
from host.networks.effective_macs import EffectiveMacs
from host.numerics.quantization import StochasticRounding
from hw.contract.precision import Precision

UNQUANTIZED = Precision(8, 8, 8)
"""Of the layers that FracTrain leaves in floating point (first convolution, shortcuts): here they
run on the array like the others, at 8 bits whatever the precision of the blocks."""


@dataclass(frozen=True)
class Training:
    """What a training pass needs beyond an evaluation: random numbers, and who counts the cost."""

    rounding: StochasticRounding
    costs: EffectiveMacs


@dataclass(frozen=True)
class Execution:
    """One pass through a network.

    ``precision`` is that of the residual blocks, ``unquantized`` that of the other layers. Without
    ``training`` the pass is an evaluation: batch norm and activation ranges use their running
    statistics, nothing is kept for a backward pass, and no cost is counted.
    """

    accelerator: Accelerator
    precision: Precision
    training: Training | None = None
    unquantized: Precision = UNQUANTIZED

    @property
    def xp(self) -> Any:
        """The array namespace of the accelerator."""
        return self.accelerator.xp

    @property
    def for_training(self) -> Training:
        """``training``, where the pass must be one."""
        if self.training is None:
            raise RuntimeError("a backward pass through an evaluation")
        return self.training
