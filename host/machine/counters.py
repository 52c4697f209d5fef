"""Counters of a machine."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Counters:
    """Counts of a machine since it was opened.

    ``cycles`` of its clock; ``busy_cycles``, in which the MAC array multiplied; cycles in which a
    pass waited for its operands, for room for results, for a load, or for another token; and bytes
    in (commands, operands) and out (results), with what a vector unit reads and writes. All zero on
    a backend without a machine.
    """

    cycles: int = 0
    busy_cycles: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    stall_operand: int = 0
    stall_result: int = 0
    stall_memory: int = 0
    stall_token: int = 0

    def __add__(self, other: Counters) -> Counters:
        return self._combined(other, operator.add)

    def __sub__(self, other: Counters) -> Counters:
        return self._combined(other, operator.sub)

    def _combined(self, other: Counters, how: Callable[[int, int], int]) -> Counters:
        names = [each.name for each in fields(self)]
        return Counters(*(how(getattr(self, name), getattr(other, name)) for name in names))
