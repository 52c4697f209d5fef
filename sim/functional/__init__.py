"""The command stream carried out in NumPy: what the engine must leave in memory, without its time.

Written from the docstrings of `hw.contract.commands` alone, so that hardware, compiler and
emulator are three readings of one contract.
"""

from fractrain.sim.functional.machine import FunctionalMachine, Order, RunResult

__all__ = ["FunctionalMachine", "Order", "RunResult"]
