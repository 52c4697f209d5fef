"""The machine's registers by name, over any bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.registers import ADDRESS_BITS, COUNTERS, Register

__all__ = ["EngineRegisters", "Words"]

Counts = Mapping[Tag, Mapping[str, int]]


class Words(Protocol):
    """Registers of 32 bits by word address; every access is one of a whole word."""

    def read(self, address: int, /) -> int:
        """The register at word ``address``."""

    def write(self, address: int, value: int, /) -> None:
        """Write the register at word ``address``."""


class EngineRegisters:
    """Registers and counters of a machine. Addresses and values are checked before an access."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def read(self, register: Register | int) -> int:
        """A register, or the word at a word address."""
        return self._words.read(_address(register))

    def write(self, register: Register | int, value: int) -> None:
        """Write a register, or the word at a word address."""
        if not 0 <= value < 1 << 32:
            raise ParameterError("register value", value, "0..2^32-1")
        self._words.write(_address(register), value)

    def counters(self) -> Counts:
        """All counters, by tag and by name. The low word is read first: that holds the high one."""
        return {tag: {each.name: self._pair(each.address(tag)) for each in COUNTERS} for tag in Tag}

    def _pair(self, address: int) -> int:
        low = self.read(address)
        return low | self.read(address + 1) << 32


def _address(register: Register | int) -> int:
    address = register.address if isinstance(register, Register) else register
    if not 0 <= address < 1 << ADDRESS_BITS:
        raise ParameterError("register address", address, f"0..{(1 << ADDRESS_BITS) - 1}")
    return address
