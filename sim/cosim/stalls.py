"""How a stream's far side stalls in co-simulation."""

from __future__ import annotations

from dataclasses import dataclass, fields

from fractrain.hw.contract.errors import ParameterError

MOST = 0.95


@dataclass(frozen=True)
class Stall:
    """A stream that stalls in a fraction ``probability`` of all cycles, in random runs.

    ``mean_run_cycles`` is the mean length of a run of stalled cycles; by default every cycle is
    drawn on its own. Longer runs fill and drain the queues behind the stream.
    """

    probability: float = 0.0
    mean_run_cycles: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= MOST:
            raise ParameterError("stall probability", self.probability, f"0..{MOST}")
        shortest = max(1.0, self.probability / (1 - self.probability))
        if self.mean_run_cycles is not None and self.mean_run_cycles < shortest:
            raise ParameterError(
                "stall mean_run_cycles",
                self.mean_run_cycles,
                f"at least {shortest:g} for a probability of {self.probability:g}",
            )

    @property
    def rates(self) -> tuple[float, float]:
        """Probability that a cycle begins a run, and that one ends it."""
        mean = self.mean_run_cycles or 1 / (1 - self.probability)
        leave = 1 / mean
        return self.probability * leave / (1 - self.probability), leave


@dataclass(frozen=True)
class BusStalls:
    """The channels of the convolution engine's ports, each of every HP port on its own.

    Stalled are the memory's readiness at ``ar``, ``aw`` and ``w``, its answers at ``r`` and ``b``,
    the readiness behind the result stream at ``port``, and the AXI-Lite master at ``registers``.
    The default never stalls.
    """

    ar: Stall = Stall()
    r: Stall = Stall()
    aw: Stall = Stall()
    w: Stall = Stall()
    b: Stall = Stall()
    port: Stall = Stall()
    registers: Stall = Stall()

    @classmethod
    def everywhere(cls, probability: float, mean_run_cycles: float | None = None) -> BusStalls:
        """The same for all channels (each with its own random numbers)."""
        return cls(*[Stall(probability, mean_run_cycles)] * len(fields(cls)))
