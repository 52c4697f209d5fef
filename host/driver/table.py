"""The machine's precision table, with the known entries."""

from __future__ import annotations

from collections.abc import Mapping

from fractrain.host.driver.registers import EngineRegisters
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.registers import RegisterMap, encode_precision

__all__ = ["PrecisionTable"]


class PrecisionTable:
    """The precision of each slot. Entries that are right already are not written again.

    Nothing else may write the table meanwhile. After a reset of the machine, call `forget`.

    slots : how many there are
    writes : entries written since the beginning
    """

    def __init__(self, registers: EngineRegisters, parameters: Parameters) -> None:
        self._registers = registers
        self._map = RegisterMap(parameters)
        self._known: dict[int, int] = {}
        self.writes = 0

    @property
    def slots(self) -> int:
        return self._map.slots

    def set(
        self, precisions: Mapping[int, Precision], kept: Mapping[int, KeptBits] | None = None
    ) -> int:
        """Set the slots in ``precisions``; returns how many entries had to be written.

        ``kept``: bits of x̂, on a machine with a vector unit. Raises `ParameterError` for a slot
        that does not exist, before anything is written.
        """
        for slot in precisions:
            self._check(slot)
        before, bits = self.writes, kept or {}
        for slot, precision in precisions.items():
            if self._known.get(slot) != encode_precision(precision, bits.get(slot)):
                self.write(slot, precision, bits.get(slot))
        return self.writes - before

    def write(self, slot: int, precision: Precision, kept: KeptBits | None = None) -> None:
        """Write one entry in any case."""
        self._check(slot)
        self._known.pop(slot, None)  # a failing access may have written it, or not
        word = encode_precision(precision, kept)
        self._registers.write(self._map.table_address(slot), word)
        self._known[slot] = word
        self.writes += 1

    def read(self, slot: int) -> int:
        """The machine's word for ``slot`` (`hw.contract.registers.TABLE_FIELDS`)."""
        self._check(slot)
        return self._registers.read(self._map.table_address(slot))

    def forget(self) -> None:
        """Count all entries as unknown: the next `set` writes all of its slots."""
        self._known.clear()

    def _check(self, slot: int) -> None:
        if not 0 <= slot < self._map.slots:
            raise ParameterError("slot", slot, f"0..{self._map.slots - 1}")
