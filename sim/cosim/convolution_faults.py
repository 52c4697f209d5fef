"""What can go wrong on the memory bus of a co-simulation."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from fractrain.hw.contract.errors import ParameterError

MOST_REGIONS = 8


class Response(enum.IntEnum):
    """Answers of AXI that are errors."""

    SLVERR = 2
    DECERR = 3


@dataclass(frozen=True)
class ErrorRegion:
    """Answers beats that touch the bytes ``first`` .. ``last`` with ``response``; such a write
    changes nothing."""

    first: int
    last: int
    response: Response = Response.SLVERR
    reads: bool = True
    writes: bool = True


@dataclass(frozen=True)
class BusFaults:
    """Faults of the memory; the default has none.

    regions : addresses that answer with errors
    stuck_from, stuck_until : cycles, from the injection on, between which no answer comes: no
        read data, no write response (``stuck_until`` None: for ever)
    stuck_requests : and then no address and no data is accepted either
    """

    regions: tuple[ErrorRegion, ...] = ()
    stuck_from: int | None = None
    stuck_until: int | None = None
    stuck_requests: bool = False

    def __post_init__(self) -> None:
        if len(self.regions) > MOST_REGIONS:
            raise ParameterError("regions", len(self.regions), f"at most {MOST_REGIONS}")
