"""The machine's registers by name, over any bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.registers import (
    ADDRESS_BITS,
    COUNTERS,
    VECTOR_COUNTERS,
    WORD_BITS,
    Register,
)

__all__ = ["EngineRegisters", "Words"]

Counts = Mapping[Tag, Mapping[str, int]]


class Words(Protocol):
    """Registers of 32 bits by word address; every access is one of a whole word."""

    def read(self, address: int, /) -> int:
        """The register at word ``address``."""

    def write(self, address: int, value: int, /) -> None:
        """Write the register at word ``address``."""


class EngineRegisters:
    """Registers and counters of a machine, ``with_unit``: of one with a vector unit. Addresses and
    values are checked before an access."""

    def __init__(self, words: Words, *, with_unit: bool = False) -> None:
        self._words = words
        self._counters = (*COUNTERS, *VECTOR_COUNTERS) if with_unit else COUNTERS

    def read(self, register: Register | int) -> int:
        """A register, or the word at a word address."""
        return self._words.read(_address(register))

    def write(self, register: Register | int, value: int) -> None:
        """Write a register, or the word at a word address."""
        if not 0 <= value < 1 << WORD_BITS:
            raise ParameterError("register value", value, "0..2^32-1")
        self._words.write(_address(register), value)

    def write_pair(self, low: Register, high: Register, value: int) -> None:
        """Write a number of up to 64 bits."""
        self.write(low, value & ((1 << WORD_BITS) - 1))
        self.write(high, value >> WORD_BITS)

    def counters(self) -> Counts:
        """All counters, by tag and by name. The low word is read first: that holds the high one."""
        return {
            tag: {each.name: self._pair(each.address(tag)) for each in self._counters}
            for tag in Tag
        }

    def _pair(self, address: int) -> int:
        low = self.read(address)
        return low | self.read(address + 1) << WORD_BITS


def _address(register: Register | int) -> int:
    address = register.address if isinstance(register, Register) else register
    if not 0 <= address < 1 << ADDRESS_BITS:
        raise ParameterError("register address", address, f"0..{(1 << ADDRESS_BITS) - 1}")
    return address
