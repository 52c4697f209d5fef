"""Power with the accelerator idle, clocked and running: measured in turn, in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fractrain.host.board.power.energy import Statistics, energy, statistics
from fractrain.host.board.power.hwmon import Channel, Rail
from fractrain.host.board.power.sampler import PowerSampler, Sample, watts

__all__ = ["PHASES", "PhaseResult", "RailPower", "measure"]

PHASES = {
    "idle": "its clock stopped",
    "clocked": "clocked, and nothing to do",
    "running": "running one program after the other",
}
"""What the accelerator does in each phase. The processor samples in all of them, and starts
programs in the last: differences between phases are of both."""

NAP_SECONDS = 0.05


@dataclass(frozen=True)
class RailPower:
    """A rail in one phase: power of its samples, energy of the phase, and of one repetition of
    what ran (None where nothing ran)."""

    rail: Rail
    power: Statistics | None
    joules: float | None
    joules_per_repetition: float | None


@dataclass(frozen=True)
class PhaseResult:
    """One phase: ``samples`` taken between ``begin`` and ``end`` (seconds, monotonic clock)."""

    name: str
    begin: float
    end: float
    channels: tuple[Channel, ...]
    samples: tuple[Sample, ...]
    rails: tuple[RailPower, ...]
    repetitions: int

    @property
    def seconds(self) -> float:
        return self.end - self.begin

    @property
    def sample_rate_hz(self) -> float | None:
        """What was reached; None with fewer than two samples."""
        times = [each.time for each in self.samples]
        span = times[-1] - times[0] if times else 0.0
        return (len(times) - 1) / span if span > 0 else None

    def values(self, channel: Channel) -> Statistics | None:
        """Of one channel's readings."""
        place = self.channels.index(channel)
        values = [each.values[place] for each in self.samples]
        return statistics([each for each in values if each is not None])


def measure(
    sampler: PowerSampler,
    name: str,
    seconds: float,
    work: Callable[[], object] | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> PhaseResult:
    """Sample for ``seconds`` while ``work`` is called repeatedly; without work, while this thread
    sleeps.

    The last call ends before the phase does, so a phase may be longer by one call. ``sampler`` is
    started and stopped here. Errors of ``work`` come through.
    """
    repetitions = 0
    sampler.take()  # nothing of before
    begin = end = clock()  # the first sample, which `start` takes, is inside
    with sampler:
        while end < begin + seconds:
            if work is None:
                sleep(min(NAP_SECONDS, begin + seconds - end))
            else:
                work()
                repetitions += 1
            end = clock()
    samples = tuple(sampler.take())
    inside = tuple(each for each in samples if begin <= each.time <= end)
    channels = sampler.channels
    rails = [
        _rail(each, channels, samples, inside, (begin, end), repetitions) for each in sampler.rails
    ]
    return PhaseResult(name, begin, end, channels, inside, tuple(rails), repetitions)


def _rail(
    rail: Rail,
    channels: Sequence[Channel],
    samples: Sequence[Sample],
    inside: Sequence[Sample],
    when: tuple[float, float],
    repetitions: int,
) -> RailPower:
    power = statistics([value for _, value in watts(rail, channels, inside)])
    joules = None if power is None else energy(watts(rail, channels, samples), *when)
    each = joules / repetitions if joules is not None and repetitions else None
    return RailPower(rail, power, joules, each)
