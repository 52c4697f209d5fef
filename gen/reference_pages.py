"""What a driver's author reads beside the Verilog: the registers and the commands."""

from __future__ import annotations

from fractrain.hw.contract.commands import reference
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import RegisterMap

__all__ = ["reference_pages"]


def reference_pages(parameters: Parameters) -> dict[str, bytes]:
    """Name → content of the reference pages of a machine; ``docs/`` has the same."""
    return {
        "registers.md": RegisterMap(parameters).markdown().encode(),
        "commands.md": reference.markdown().encode(),
    }
