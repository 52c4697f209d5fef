"""Samples of all sensors at a steady rate, taken in a thread of their own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from fractrain.host.board.power.hwmon import (
    Channel,
    Files,
    Rail,
    find_channels,
    find_rails,
    read_channel,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.values import Real

__all__ = ["HIGHEST_RATE_HZ", "RATE", "Failure", "PowerSampler", "Sample", "watts"]

HIGHEST_RATE_HZ = 1000.0
RATE = Real(0, HIGHEST_RATE_HZ, above=True)
"""Samples of sensors in a second."""


@dataclass(frozen=True)
class Sample:
    """Values of all channels in their order, None for one that could not be read.

    ``time``: seconds of the monotonic clock, the middle of the time that reading them took.
    """

    time: float
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Failure:
    """The first reading of a channel that failed."""

    time: float
    channel: str
    error: str


class PowerSampler:
    """Reads all channels ``rate_hz`` times a second while it is open (``with`` or `start`).

    `take` gives the samples since its last call, and may be called from another thread. Reading
    takes as long as the sensors' bus needs: if that exceeds a period, samples come as fast as
    possible, and their times show it.

    Raises `ParameterError` for a rate outside 0..`HIGHEST_RATE_HZ`.
    """

    def __init__(
        self, files: Files, rate_hz: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not 0 < rate_hz <= HIGHEST_RATE_HZ:
            raise ParameterError(
                "sampling rate", rate_hz, f"more than 0, at most {HIGHEST_RATE_HZ:g} Hz"
            )
        self.rate_hz, self._files, self._clock = rate_hz, files, clock
        self.channels: tuple[Channel, ...] = find_channels(files)
        self.rails: tuple[Rail, ...] = find_rails(self.channels)
        self.failed_reads = 0
        self._samples: deque[Sample] = deque()
        self._failures: deque[Failure] = deque()
        self._known_failing: set[str] = set()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def sample(self) -> Sample:
        """Read every channel once, now."""
        began = self._clock()
        readings = [read_channel(self._files, each) for each in self.channels]
        now = (began + self._clock()) / 2
        for channel, reading in zip(self.channels, readings, strict=True):
            if reading.value is None:
                self.failed_reads += 1
                if channel.identity not in self._known_failing:
                    self._known_failing.add(channel.identity)
                    self._failures.append(Failure(now, channel.identity, reading.error))
        sample = Sample(now, tuple(each.value for each in readings))
        self._samples.append(sample)
        return sample

    def take(self) -> list[Sample]:
        """Samples that no call has given yet, in order."""
        if self._error is not None:
            raise self._error
        return _all(self._samples)

    def take_failures(self) -> list[Failure]:
        """First failures of channels that no call has given yet."""
        return _all(self._failures)

    # -- the thread ------------------------------------------------------------------------------

    def start(self) -> None:
        """Sample from now on; the first sample is there when this returns."""
        self.sample()
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="power", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take a last sample and end the thread; stopping twice is no error."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None
            self.sample()

    def _run(self) -> None:
        period = 1 / self.rate_hz
        due = time.monotonic() + period
        try:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                self.sample()
                # A missed period is not made up for: two readings at once say nothing new.
                due = max(due + period, time.monotonic())
        except BaseException as error:
            self._error = error

    def __enter__(self) -> PowerSampler:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def watts(
    rail: Rail, channels: Sequence[Channel], samples: Sequence[Sample]
) -> list[tuple[float, float]]:
    """Times and powers of ``rail`` in those of ``samples`` in which all its channels were read."""
    places = [channels.index(each) for each in rail.channels]
    points = []
    for sample in samples:
        power = 1.0
        for place in places:
            value = sample.values[place]
            if value is None:
                break
            power *= value
        else:
            points.append((sample.time, power))
    return points


def _all(queue: deque) -> list:
    """What is in it now; another thread may append meanwhile."""
    return [queue.popleft() for _ in range(len(queue))]
