"""Sampling: rates, failures, the thread."""

import time
from pathlib import Path

import pytest

from fractrain.host.board.power.sampler import HIGHEST_RATE_HZ, PowerSampler, watts
from fractrain.hw.contract.errors import ParameterError
from tests.host.board.power.fake_sensors import BROKEN, BUSY, FakeSensors, monitor, path


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_sample_is_dated_in_the_middle_of_its_reading(tmp_path: Path) -> None:
    sensors, clock = monitor(tmp_path), Clock()

    def slow() -> int:
        clock.now += 0.5
        return 998

    sensors.changing[path("hwmon0/in1")] = slow
    sampler = PowerSampler(sensors, 10, clock)
    sample = sampler.sample()
    assert sample.time == 100.25
    assert sample.values == (2.5, pytest.approx(0.998), pytest.approx(1.803), 41.5)
    assert sampler.take() == [sample]
    assert sampler.take() == []


def test_power_of_a_rail_follows_its_channels(tmp_path: Path) -> None:
    sensors, clock = monitor(tmp_path), Clock()
    sampler = PowerSampler(sensors, 10, clock)
    (rail,) = sampler.rails
    milliamperes = iter((1000, 2000, 3000))
    sensors.changing[path("hwmon0/curr1")] = lambda: next(milliamperes)
    samples = []
    for _ in range(3):
        samples.append(sampler.sample())
        clock.now += 1
    expected = [(100.0, 0.998), (101.0, 2 * 0.998), (102.0, 3 * 0.998)]
    assert watts(rail, sampler.channels, samples) == [
        (time, pytest.approx(power)) for time, power in expected
    ]


def test_failures_are_counted_and_the_first_of_each_channel_told(tmp_path: Path) -> None:
    sensors, clock = monitor(tmp_path), Clock()
    sampler = PowerSampler(sensors, 10, clock)
    sampler.sample()
    sensors.failing[path("hwmon0/curr1")] = BUSY
    sampler.sample()
    sampler.sample()
    sensors.failing[path("hwmon0/curr1")] = BROKEN
    sensors.failing[path("hwmon0/in2")] = BROKEN
    sampler.sample()
    assert sampler.failed_reads == 4
    told = [(each.channel, each.error) for each in sampler.take_failures()]
    assert told == [
        ("hwmon0/curr1", "Resource temporarily unavailable"),
        ("hwmon0/in2", "Input/output error"),
    ]
    (rail,) = sampler.rails
    samples = sampler.take()
    assert [each.values[0] for each in samples] == [2.5, None, None, None]
    assert len(watts(rail, sampler.channels, samples)) == 1


def test_the_thread_samples_until_it_is_stopped(tmp_path: Path) -> None:
    sensors = monitor(tmp_path)
    with PowerSampler(sensors, 200) as sampler:
        began = time.monotonic()
        samples = sampler.take()
        assert samples, "the first is there at once"
        while len(samples) < 20:
            assert time.monotonic() - began < 30
            time.sleep(0.01)
            samples += sampler.take()
    samples += sampler.take()
    times = [each.time for each in samples]
    assert times == sorted(times)
    # Nobody is faster than what was asked for, but for the first and the last.
    assert times[-2] - times[1] >= (len(times) - 4) / 200
    time.sleep(0.02)
    assert sampler.take() == []
    sampler.stop()


def test_a_device_that_goes_away_does_not_end_it(tmp_path: Path) -> None:
    sensors = monitor(tmp_path)
    with PowerSampler(sensors, 200) as sampler:
        for file in (tmp_path / "sys/class/hwmon/hwmon0").iterdir():
            file.unlink()
        time.sleep(0.02)
    assert sampler.take()[-1].values == (None,) * 4


def test_a_mistake_in_the_thread_is_not_lost(tmp_path: Path) -> None:
    sensors = monitor(tmp_path)
    sampler = PowerSampler(sensors, 1000)
    sampler.start()
    sensors.changing[path("hwmon0/in1")] = lambda: 1 // 0
    time.sleep(0.05)
    with pytest.raises(ZeroDivisionError):
        sampler.take()
    del sensors.changing[path("hwmon0/in1")]
    sampler.stop()


def test_no_sensor_is_no_error(tmp_path: Path) -> None:
    with PowerSampler(FakeSensors(tmp_path), 100) as sampler:
        pass
    assert sampler.take()[0].values == ()


@pytest.mark.parametrize("rate", [0, -1, float("nan"), 2 * HIGHEST_RATE_HZ])
def test_rates_that_are_none(rate: float, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="sampling rate"):
        PowerSampler(FakeSensors(tmp_path), rate)
