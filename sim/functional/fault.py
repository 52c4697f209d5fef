"""A fault of the emulated machine."""

from __future__ import annotations

from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.errors import MachineError


class FaultError(MachineError):
    """The machine stopped: ``fault``, and ``index``, the number of the failing command."""

    def __init__(self, fault: Fault, index: int, detail: str = "") -> None:
        self.fault, self.index = fault, index
        text = f"command {index}: {fault.description} (fault {fault.value}, {fault.name})"
        super().__init__(f"{text}: {detail}" if detail else text)


class StageFault(Exception):
    """A stage's fault with the command at work; the machine adds the command's number."""

    def __init__(self, fault: Fault, detail: str) -> None:
        self.fault, self.detail = fault, detail
        super().__init__(detail)


def require(condition: bool, fault: Fault, detail: str) -> None:
    """Stop with ``fault`` unless ``condition``."""
    if not condition:
        raise StageFault(fault, detail)
