"""Sensors are found by what their files are called; rails only where labels tell."""

from pathlib import Path

import pytest

from fractrain.host.board.power.hwmon import find_channels, find_rails, read_channel
from tests.host.board.power.fake_sensors import BROKEN, BUSY, FakeSensors, monitor, path


def rails_of(sensors: FakeSensors) -> dict[str, str]:
    return {each.name: each.how for each in find_rails(find_channels(sensors))}


def test_every_sensor_in_its_unit(tmp_path: Path) -> None:
    sensors = monitor(tmp_path)
    sensors.device("hwmon10", "other", power1_input=1_250_000)
    sensors.device("hwmon2", "cpu", temp1_input=-5000, temp1_label="die")
    channels = find_channels(sensors)
    found = {
        each.identity: (each.device, each.label, read_channel(sensors, each).value, each.unit)
        for each in channels
    }
    assert found == {
        "hwmon0/curr1": ("ucd90120", "iout1", 2.5, "A"),
        "hwmon0/in1": ("ucd90120", "vout1", pytest.approx(0.998), "V"),
        "hwmon0/in2": ("ucd90120", "vout2", pytest.approx(1.803), "V"),
        "hwmon0/temp1": ("ucd90120", None, 41.5, "degC"),
        "hwmon2/temp1": ("cpu", "die", -5.0, "degC"),
        "hwmon10/power1": ("other", None, 1.25, "W"),
    }
    assert list(found) == [
        *("hwmon0/curr1", "hwmon0/in1", "hwmon0/in2", "hwmon0/temp1", "hwmon2/temp1"),
        "hwmon10/power1",
    ]


def test_what_is_no_reading_is_left_out(tmp_path: Path) -> None:
    sensors = FakeSensors(tmp_path)
    sensors.device(
        "hwmon0", None, in1_input=1, in1_max=9, in1_alarm=0, fan1_input=9, power1_cap=3, uevent=""
    )
    (channel,) = find_channels(sensors)
    assert (channel.identity, channel.device) == ("hwmon0/in1", "hwmon0")


def test_average_only_where_there_is_no_input(tmp_path: Path) -> None:
    sensors = FakeSensors(tmp_path)
    sensors.device("hwmon0", "x", power1_average=1, power2_input=2, power2_average=3)
    paths = {each.identity: each.path for each in find_channels(sensors)}
    assert paths["hwmon0/power1"].endswith("power1_average")
    assert paths["hwmon0/power2"].endswith("power2_input")


def test_no_sensors(tmp_path: Path) -> None:
    assert find_channels(FakeSensors(tmp_path)) == ()
    assert find_rails(()) == ()


def test_voltage_and_current_of_a_page_are_a_rail(tmp_path: Path) -> None:
    assert rails_of(monitor(tmp_path)) == {"hwmon0 vout1 x iout1": "voltage x current"}


def test_power_wins_over_voltage_times_current(tmp_path: Path) -> None:
    sensors = monitor(tmp_path)
    sensors.device("hwmon0", "ucd90120", power1_input=1, power1_label="pout1")
    assert rails_of(sensors) == {"hwmon0 pout1": "power"}


def test_equal_labels_are_a_rail(tmp_path: Path) -> None:
    sensors = FakeSensors(tmp_path)
    sensors.device(
        "hwmon0", "x", in0_input=1, in0_label="VCCINT", curr3_input=1, curr3_label="vccint"
    )
    assert rails_of(sensors) == {"hwmon0 VCCINT x vccint": "voltage x current"}


@pytest.mark.parametrize(
    "files",
    [
        {"in1_input": 1, "curr1_input": 1},  # equal numbers say nothing
        {"in1_input": 1, "in1_label": "vout1", "curr1_input": 1},
        {"in1_input": 1, "in1_label": "vout1", "curr1_input": 1, "curr1_label": "iout2"},
        {"in1_input": 1, "in1_label": "vin", "curr1_input": 1, "curr1_label": "iout1"},
        {"in1_input": 1, "in1_label": "a", "temp1_input": 1, "temp1_label": "a"},
        {
            **{"in1_input": 1, "in1_label": "a", "in2_input": 1, "in2_label": "a"},
            **{"curr1_input": 1, "curr1_label": "a"},
        },
    ],
)
def test_no_rail_is_assumed(files: dict[str, object], tmp_path: Path) -> None:
    sensors = FakeSensors(tmp_path)
    sensors.device("hwmon0", "x", **files)
    assert rails_of(sensors) == {}


def test_labels_of_two_devices_do_not_match(tmp_path: Path) -> None:
    sensors = FakeSensors(tmp_path)
    sensors.device("hwmon0", "x", in1_input=1, in1_label="vout1")
    sensors.device("hwmon1", "y", curr1_input=1, curr1_label="iout1")
    assert rails_of(sensors) == {}


def test_inputs_are_told_apart(tmp_path: Path) -> None:
    sensors = FakeSensors(tmp_path)
    sensors.device(
        *("hwmon0", "x"),
        **{"power1_input": 1, "power1_label": "pin", "power2_input": 1, "power2_label": "pout1"},
    )
    rails = {each.name: each.is_input for each in find_rails(find_channels(sensors))}
    assert rails == {"hwmon0 pin": True, "hwmon0 pout1": False}


@pytest.mark.parametrize(
    ("number", "text"),
    [(BUSY, "Resource temporarily unavailable"), (BROKEN, "Input/output error")],
)
def test_a_reading_that_fails_says_why(number: int, text: str, tmp_path: Path) -> None:
    sensors = monitor(tmp_path)
    channel = find_channels(sensors)[0]
    sensors.failing[channel.path] = number
    assert read_channel(sensors, channel).error == text
    del sensors.failing[channel.path]
    assert read_channel(sensors, channel).value == 2.5


def test_a_device_that_goes_away(tmp_path: Path) -> None:
    sensors = monitor(tmp_path)
    channel = find_channels(sensors)[0]
    (tmp_path / channel.path[1:]).unlink()
    assert read_channel(sensors, channel).error == "No such file or directory"


def test_a_file_without_a_number(tmp_path: Path) -> None:
    sensors = monitor(tmp_path)
    channel = find_channels(sensors)[0]
    sensors.changing[channel.path] = lambda: ""
    assert read_channel(sensors, channel).error == "its file holds no number"


def test_a_label_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    sensors = monitor(tmp_path)
    sensors.failing[path("hwmon0/in1").replace("input", "label")] = BROKEN
    labels = {each.identity: each.label for each in find_channels(sensors)}
    assert labels["hwmon0/in1"] is None
    assert labels["hwmon0/in2"] == "vout2"
