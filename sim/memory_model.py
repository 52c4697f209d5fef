"""How the memory behind the ports behaves: the same numbers for co-simulation and cycle model."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract.bursts import BEAT_BYTES
from fractrain.hw.contract.errors import ParameterError

CREDIT_UNIT = 1 << 16
"""Parts of a byte in which the DDR's budget is counted, so that it is exact integers."""

# Zynq-7000 with DDR3-1066 on 32 bits: peak rate and the parts of it that were measured.
DDR_PEAK_MBPS = 4264
DDR_READ_EFFICIENCY = 0.97
DDR_WRITE_EFFICIENCY = 0.90
DDR_MIXED_EFFICIENCY = 0.87
# Assumed, not measured here: from an address at an HP port to its first beat, and from the last
# beat of a write to its answer.
DDR_READ_NANOSECONDS = 250
DDR_WRITE_NANOSECONDS = 150
# UG585: commands and bytes that an HP port takes before it makes the master wait.
HP_ACCEPTED_BURSTS = 8
HP_WRITE_BUFFER_BEATS = 128


@dataclass(frozen=True)
class MemoryModel:
    """A DDR memory with a budget that all ports share.

    Every port takes an address and a write beat per cycle, and gives a read beat, as long as it
    has room: ``accepted_bursts`` in each direction, ``write_buffer_beats`` of data. The DDR
    earns ``bytes_per_cycle`` in every cycle (None: no limit); moving a beat of 8 bytes costs
    8 / efficiency, where the efficiency is that of reads, of writes, or the mixed one if in this
    cycle there are beats of both kinds to move. Ports and directions take turns. A budget that
    nobody uses is lost, all but the rest that is too small for a beat.

    The first beat of a read is on the port at least ``read_latency_cycles`` after its address was
    taken; latencies of several bursts overlap, and a port answers in order. A write is answered
    at least ``write_latency_cycles`` after its last beat went into the DDR.
    """

    bytes_per_cycle: float | None = None
    read_efficiency: float = 1.0
    write_efficiency: float = 1.0
    mixed_efficiency: float = 1.0
    read_latency_cycles: int = 4
    write_latency_cycles: int = 4
    accepted_bursts: int = 16
    write_buffer_beats: int = 256

    def __post_init__(self) -> None:
        if self.bytes_per_cycle is not None and not 0.01 <= self.bytes_per_cycle <= 4096:
            raise ParameterError("bytes_per_cycle", self.bytes_per_cycle, "0.01..4096, or None")
        for name in ("read_efficiency", "write_efficiency", "mixed_efficiency"):
            if not 0.01 <= getattr(self, name) <= 1:
                raise ParameterError(name, getattr(self, name), "0.01..1")
        for name, low, high in (
            ("read_latency_cycles", 1, 1 << 20),
            ("write_latency_cycles", 1, 1 << 20),
            ("accepted_bursts", 1, 64),
            ("write_buffer_beats", 16, 256),
        ):
            if not low <= getattr(self, name) <= high:
                raise ParameterError(name, getattr(self, name), f"{low}..{high}")

    @classmethod
    def ideal(cls) -> MemoryModel:
        """Every port moves 8 bytes per cycle and direction, with a latency of a few cycles."""
        return cls()

    @classmethod
    def ddr(cls, clock_mhz: float) -> MemoryModel:
        """The DDR3 of the ZC706's processor system behind its HP ports, at this fabric clock."""
        return cls(
            bytes_per_cycle=DDR_PEAK_MBPS / clock_mhz,
            read_efficiency=DDR_READ_EFFICIENCY,
            write_efficiency=DDR_WRITE_EFFICIENCY,
            mixed_efficiency=DDR_MIXED_EFFICIENCY,
            read_latency_cycles=_cycles(DDR_READ_NANOSECONDS, clock_mhz),
            write_latency_cycles=_cycles(DDR_WRITE_NANOSECONDS, clock_mhz),
            accepted_bursts=HP_ACCEPTED_BURSTS,
            write_buffer_beats=HP_WRITE_BUFFER_BEATS,
        )

    @property
    def earned_credit(self) -> int:
        """What the DDR earns per cycle, in parts of a byte; 0 for no limit."""
        return 0 if self.bytes_per_cycle is None else round(self.bytes_per_cycle * CREDIT_UNIT)

    @property
    def read_cost(self) -> int:
        """What a beat costs while there are only reads."""
        return _cost(self.read_efficiency)

    @property
    def write_cost(self) -> int:
        """What a beat costs while there are only writes."""
        return _cost(self.write_efficiency)

    @property
    def mixed_cost(self) -> int:
        """What a beat costs while there are reads and writes."""
        return _cost(self.mixed_efficiency)


def _cost(efficiency: float) -> int:
    return round(BEAT_BYTES * CREDIT_UNIT / efficiency)


def _cycles(nanoseconds: float, clock_mhz: float) -> int:
    return max(1, round(nanoseconds * clock_mhz / 1000))
