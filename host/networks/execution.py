"""How one pass through a network is executed: by what, and for what purpose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fractrain.host.arithmetic import Arithmetic
from fractrain.host.graph.choice import UNQUANTIZED
from fractrain.host.networks.effective_macs import EffectiveMacs
from fractrain.host.networks.selection import Selector
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.hw.contract.precision import Precision


@dataclass(frozen=True)
class Training:
    """What a training pass needs beyond an evaluation: random numbers, and who counts the cost.

    ``way_back``: layers keep what their backward pass needs.
    """

    rounding: Any
    costs: EffectiveMacs
    way_back: bool = True


@dataclass(frozen=True)
class Execution:
    """One pass through a network.

    ``arithmetic`` multiplies; ``selector`` chooses the precision of each residual block;
    ``unquantized`` is that of the other layers. Without ``training`` the pass is an evaluation:
    batch norm and activation ranges use their running statistics, nothing is kept for a backward
    pass, and no cost is counted.
    """

    arithmetic: Arithmetic
    selector: Selector
    training: Training | None = None
    unquantized: Precision = UNQUANTIZED

    @property
    def elementwise(self) -> Elementwise:
        """The work around the convolutions."""
        return self.arithmetic.elementwise

    @property
    def xp(self) -> Any:
        """The array namespace of the accelerator."""
        return self.elementwise.xp

    @property
    def for_training(self) -> Training:
        """``training``, where the pass must be one."""
        if self.training is None:
            raise RuntimeError("a backward pass through an evaluation")
        return self.training

    @property
    def keeps(self) -> bool:
        """Whether layers keep what their backward pass needs."""
        return self.training is not None and self.training.way_back

    @property
    def without_way_back(self) -> Execution:
        """The same, for a pass that will not be gone back through."""
        if self.training is None:
            return self
        return replace(self, training=replace(self.training, way_back=False))
