"""The machine's registers by name, through whatever maps them."""

from __future__ import annotations

from collections.abc import Mapping

from fractrain.host.board.system import Words
from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.registers import (
    BUILD_HASH,
    COUNTERS,
    ID,
    IDENTITY,
    Register,
    RegisterMap,
    encode_precision,
)

__all__ = ["EngineRegisters"]


class EngineRegisters:
    """Registers, precision table and counters of a machine with ``parameters``."""

    def __init__(self, words: Words, parameters: Parameters) -> None:
        self._words = words
        self.map = RegisterMap(parameters)

    def read(self, register: Register | int) -> int:
        """A register, or the word at a word address."""
        return self._words.read(register if isinstance(register, int) else register.address)

    def write(self, register: Register | int, value: int) -> None:
        """Write a register, or the word at a word address."""
        self._words.write(register if isinstance(register, int) else register.address, value)

    def write_precision(self, slot: int, precision: Precision) -> None:
        """Set slot ``slot`` of the precision table."""
        if not 0 <= slot < self.map.slots:
            raise ParameterError("slot", slot, f"0..{self.map.slots - 1}")
        self.write(self.map.table_address(slot), encode_precision(precision))

    def counters(self) -> Mapping[Tag, Mapping[str, int]]:
        """All counters, by tag and by name. The low word is read first: that holds the high one."""
        return {tag: {each.name: self._pair(each.address(tag)) for each in COUNTERS} for tag in Tag}

    def _pair(self, address: int) -> int:
        low = self.read(address)
        return low | self.read(address + 1) << 32

    # -- which machine this is -----------------------------------------------------------------

    def check_identity(self) -> None:
        """Raise `MachineError` unless a FracTrain engine answers."""
        found = self.read(ID)
        if found != IDENTITY:
            raise MachineError(
                f"register ID reads 0x{found:08X} instead of 0x{IDENTITY:08X}: another bitstream "
                "is loaded, or the registers are not at 0x40000000; load ours: fractrain board load"
            )

    def check_build(self, wanted: int, source: str) -> None:
        """Raise `MachineError` unless BUILD_HASH is ``wanted``, as ``source`` has it."""
        found = self.read(BUILD_HASH)
        if found != wanted:
            raise MachineError(
                f"register BUILD_HASH reads 0x{found:08X}, {source} says 0x{wanted:08X}: the FPGA "
                "runs another build than the one installed; load that one: fractrain board load"
            )
