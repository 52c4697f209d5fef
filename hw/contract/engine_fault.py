"""The error for an engine that has stopped with a fault, in simulation and on the board."""

from __future__ import annotations

from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.errors import MachineError

__all__ = ["EngineFault"]


class EngineFault(MachineError):
    """The engine stopped: ``cause``, the failing command's ``index``, and the cycles until then."""

    def __init__(self, cause: int, index: int, cycles: int) -> None:
        self.cause = Fault(cause) if cause in set(Fault) else cause
        self.index, self.cycles = index, cycles
        text = self.cause.description if isinstance(self.cause, Fault) else f"cause {cause}"
        super().__init__(
            f"the engine stopped with a fault at command {index}, after {cycles} cycles: {text}"
        )
