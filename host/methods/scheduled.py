"""Methods with one precision for all blocks: the common part of static training and PFQ."""

from __future__ import annotations

from typing import Any

from fractrain.host.methods.progression import Progression, ProgressiveMethod
from fractrain.host.networks.selection import FixedSelector
from fractrain.hw.contract.precision import Precision

__all__ = ["ScheduledMethod"]


class ScheduledMethod(ProgressiveMethod):
    """All blocks at the current precision of ``progression``."""

    selector: FixedSelector

    def __init__(self, name: str, progression: Progression) -> None:
        super().__init__(name, FixedSelector(*progression.values), progression)

    def before_step(self, step: int) -> None:
        self.selector.precision = self.progression.current

    def describe(self, value: Precision) -> dict[str, Any]:
        return {
            "activation": value.activation,
            "weight": value.weight,
            "error": value.error,
        }
