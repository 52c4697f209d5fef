"""How the memory behind the ports behaves: the same numbers for co-simulation and cycle model."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract.bursts import BEAT_BYTES
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters

CREDIT_UNIT = 1 << 16
"""Parts of a byte in which the DDR's budget is counted: exact integers."""


@dataclass(frozen=True)
class MemoryModel:
    """A DDR memory with a budget that all ports share.

    Every port takes an address and a write beat per cycle and gives a read beat, as long as it has
    room: ``accepted_bursts`` in each direction, ``write_buffer_beats`` of data. The budget grows by
    ``bytes_per_cycle`` in every cycle (None: no limit). Moving a beat of 8 bytes costs
    8 / efficiency: the efficiency of reads, of writes, or the mixed one in a cycle with beats of
    both kinds to move. Ports and directions take turns. Unused budget is lost, except for a rest
    too small for a beat.

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
    def ddr(cls, parameters: Parameters) -> MemoryModel:
        """The memory of the target behind its ports, at the machine's clock."""
        memory, ports, clock_mhz = (
            parameters.target.memory,
            parameters.target.ports,
            parameters.clock_mhz,
        )
        return cls(
            bytes_per_cycle=memory.peak_mbps / clock_mhz,
            read_efficiency=memory.read_efficiency,
            write_efficiency=memory.write_efficiency,
            mixed_efficiency=memory.mixed_efficiency,
            read_latency_cycles=_cycles(memory.read_nanoseconds, clock_mhz),
            write_latency_cycles=_cycles(memory.write_nanoseconds, clock_mhz),
            accepted_bursts=ports.accepted_bursts,
            write_buffer_beats=ports.write_buffer_beats,
        )

    @property
    def earned_credit(self) -> int:
        """The budget's growth per cycle, in parts of a byte; 0 for no limit."""
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
