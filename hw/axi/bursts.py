"""How items of memory, words or blocks, are cut into bursts."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import data, wiring

from fractrain.hw.axi.signature import BURST_INCR, CACHE_BUFFERABLE, SIZE_8_BYTES
from fractrain.hw.contract.bursts import BEAT_BYTES, BURST_BYTES
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.layouts import ADDRESS_BITS

__all__ = ["BurstShape"]


def _bits(number: int) -> int:
    """log2 of a power of two."""
    return number.bit_length() - 1


@dataclass(frozen=True)
class BurstShape:
    """Bursts of items of ``item_bytes``, a power of two and whole beats.

    A *part* is what bursts consist of: an item, or 128 bytes of a larger one. Addresses of bursts
    count parts. A *granule* is ``max(128, item_bytes)`` bytes, aligned.
    """

    item_bytes: int

    def __post_init__(self) -> None:
        if self.item_bytes < BEAT_BYTES or self.item_bytes & (self.item_bytes - 1):
            raise ParameterError("item_bytes", self.item_bytes, "a power of two, at least 8")

    @property
    def item_bits(self) -> int:
        """Low bits of a byte address within an item."""
        return _bits(self.item_bytes)

    @property
    def item_beats(self) -> int:
        return self.item_bytes // BEAT_BYTES

    @property
    def part_bytes(self) -> int:
        return min(self.item_bytes, BURST_BYTES)

    @property
    def address_bits(self) -> int:
        """Width of the address of a part."""
        return ADDRESS_BITS - _bits(self.part_bytes)

    @property
    def place_bits(self) -> int:
        """Low bits of the address of a part within its granule, if a granule is a burst."""
        return _bits(BURST_BYTES // self.part_bytes)

    @property
    def parts_per_item_bits(self) -> int:
        """Low bits of the address of a part within a larger item."""
        return _bits(self.item_bytes // self.part_bytes)

    @property
    def items_per_granule(self) -> int:
        return max(1, BURST_BYTES // self.item_bytes)

    @property
    def bursts_per_granule(self) -> int:
        return max(1, self.item_bytes // BURST_BYTES)

    @property
    def layout(self) -> data.StructLayout:
        """A burst: its first part, and how many parts ``more`` it has than one."""
        return data.StructLayout({"address": self.address_bits, "more": self.place_bits})

    def length(self, more: Value) -> Value:
        """AxLEN of a burst: beats - 1."""
        return Cat(Const(-1, _bits(self.part_bytes // BEAT_BYTES)), more)

    def byte_address(self, address: Value) -> Value:
        return Cat(Const(0, _bits(self.part_bytes)), address)

    @staticmethod
    def drive_constants(m: Module, port: wiring.PureInterface, prefix: str) -> None:
        """What is the same for every burst: 64-bit beats, INCR, ID 0."""
        for name, value in (
            ("size", SIZE_8_BYTES),
            ("burst", BURST_INCR),
            ("id", 0),
            ("lock", 0),
            ("cache", CACHE_BUFFERABLE),
            ("prot", 0),
            ("qos", 0),
        ):
            m.d.comb += getattr(port, prefix + name).eq(value)
