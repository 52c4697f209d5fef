"""The command stream carried out in NumPy: what the engine must leave in memory, without timing.

Written from the docstrings of `hw.contract.commands` alone: hardware, compiler and emulator are
three readings of one contract.
"""

from fractrain.sim.functional.machine import (
    FunctionalMachine,
    FunctionalRun,
    Host,
    Order,
    RunResult,
)

__all__ = ["FunctionalMachine", "FunctionalRun", "Host", "Order", "RunResult"]
