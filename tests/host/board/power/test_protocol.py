"""Phases: what is measured while nothing runs, and while something does."""

from pathlib import Path

import pytest

from fractrain.host.board.power.protocol import measure
from fractrain.host.board.power.sampler import PowerSampler
from tests.host.board.power.fake_sensors import BROKEN, FakeSensors, monitor, path


class Clock:
    """Time that passes by sleeping and working only; each looks at the sensors once."""

    def __init__(self, sensors: FakeSensors, rate_hz: float = 1e-3) -> None:
        self.now, self.amperes = 0.0, 1.0
        sensors.changing[path("hwmon0/in1")] = lambda: 1000
        sensors.changing[path("hwmon0/curr1")] = lambda: round(1000 * self.amperes)
        # So slow that its thread takes no sample of its own.
        self.sampler = PowerSampler(sensors, rate_hz, self)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sampler.sample()

    def work(self) -> None:
        self.amperes = 3.0
        self.sleep(0.25)


def test_nothing_runs(tmp_path: Path) -> None:
    clock = Clock(monitor(tmp_path))
    result = measure(clock.sampler, "idle", 1.0, clock=clock, sleep=clock.sleep)
    assert (result.name, result.repetitions) == ("idle", 0)
    assert result.seconds == pytest.approx(1.0)
    (rail,) = result.rails
    assert rail.power is not None
    assert (rail.power.mean, rail.power.deviation) == (pytest.approx(1.0), pytest.approx(0.0))
    assert rail.power.count == len(result.samples) >= 20
    assert rail.joules == pytest.approx(1.0)
    assert rail.joules_per_repetition is None
    assert result.sample_rate_hz == pytest.approx(20, rel=0.1)


def test_something_runs(tmp_path: Path) -> None:
    clock = Clock(monitor(tmp_path))
    clock.amperes = 3.0
    result = measure(clock.sampler, "running", 0.9, clock.work, clock=clock)
    assert result.repetitions == 4
    assert result.seconds == 1.0, "the last call is waited for"
    (rail,) = result.rails
    assert rail.joules == pytest.approx(3.0)
    assert rail.joules_per_repetition == pytest.approx(0.75)


def test_a_channel_that_fails_is_left_out(tmp_path: Path) -> None:
    sensors = monitor(tmp_path)
    clock = Clock(sensors)
    sensors.failing[path("hwmon0/curr1")] = BROKEN
    result = measure(clock.sampler, "idle", 0.5, clock=clock, sleep=clock.sleep)
    (rail,) = result.rails
    assert rail.power is rail.joules is None
    values = {each.identity: result.values(each) for each in result.channels}
    assert values["hwmon0/curr1"] is None
    found = values["hwmon0/in1"]
    assert found is not None and found.mean == 1.0


def test_what_work_raises_comes_through_and_sampling_ends(tmp_path: Path) -> None:
    clock = Clock(monitor(tmp_path))

    def fail() -> None:
        raise RuntimeError("no answer")

    with pytest.raises(RuntimeError, match="no answer"):
        measure(clock.sampler, "running", 1.0, fail, clock=clock)
    assert clock.sampler._thread is None
