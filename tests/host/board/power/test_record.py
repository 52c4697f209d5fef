"""What is written of power, and its sum."""

import json
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.board.power.hwmon import find_channels, find_rails
from fractrain.host.board.power.record import part_line, step_line, summarize
from fractrain.hw.contract.errors import DataError
from tests.host.board.power.fake_sensors import FakeSensors, monitor

RAIL = "hwmon0 vout1 x iout1"


def part(sensors: FakeSensors, rate: float = 10.0) -> dict[str, Any]:
    channels = find_channels(sensors)
    return part_line(channels, find_rails(channels), rate)


def sample(time: float, *values: float | None) -> dict[str, Any]:
    return {"kind": "sample", "time": time, "values": list(values)}


def step(number: int, begin: float, end: float, **joules: float | None) -> dict[str, Any]:
    return step_line(number, begin, end, 3, joules)


def test_part_names_channels_and_rails(tmp_path: Path) -> None:
    line = json.loads(json.dumps(part(monitor(tmp_path))))
    assert line["format"] == "fractrain-power/1"
    assert line["channels"][1] == {
        **{"id": "hwmon0/in1", "device": "ucd90120", "label": "vout1"},
        **{"quantity": "voltage", "unit": "V"},
    }
    (rail,) = line["rails"]
    assert rail["channels"] == ["hwmon0/in1", "hwmon0/curr1"]
    assert rail["input"] is False
    assert "processor and accelerator together" in line["note"]


def test_summary(tmp_path: Path) -> None:
    lines = [
        part(monitor(tmp_path)),
        *(sample(0.5 * number, 1.0, 1.0, None, 1.0) for number in range(5)),
        {"kind": "failed", "time": 0.0, "channel": "hwmon0/in2", "error": "x"},
        step(0, 0.0, 1.0, **{RAIL: 2.0}),
        step(1, 1.0, 1.5, **{RAIL: 4.0}),
    ]
    summary = summarize(lines)
    assert summary["steps"] == 2
    assert summary["joules"] == 6.0
    assert summary["joules_per_step"] == 3.0
    assert summary["watts"] == 4.0
    assert summary["seconds"] == 1.5
    assert summary["samples"] == 6
    assert summary["sample_rate_hz"] == 2.0
    assert summary["requested_rate_hz"] == 10.0
    assert summary["failed_reads"] == 5
    assert summary["rails"][RAIL] == {
        **{"joules": 6.0, "joules_per_step": 3.0, "watts": 4.0},
        **{"how": "voltage x current", "input": False},
    }


def test_a_step_that_was_done_again_counts_once(tmp_path: Path) -> None:
    """Two parts whose clocks do not compare."""
    first, second = part(monitor(tmp_path / "a")), part(monitor(tmp_path / "b"), 20.0)
    summary = summarize(
        [
            *(first, sample(500.0, 1, 1, 1, 1), sample(501.0, 1, 1, 1, 1)),
            *(step(0, 500.0, 501.0, **{RAIL: 1.0}), step(1, 501.0, 502.0, **{RAIL: 50.0})),
            *(second, sample(3.0, 1, 1, 1, 1), sample(3.5, 1, 1, 1, 1)),
            step(1, 3.0, 4.0, **{RAIL: 2.0}),
        ]
    )
    assert summary["steps"] == 2
    assert summary["joules"] == 3.0
    assert summary["sample_rate_hz"] == pytest.approx(2 / 1.5, rel=1e-5)
    assert summary["requested_rate_hz"] == 20.0


def test_half_a_sum_is_none(tmp_path: Path) -> None:
    lines = [part(monitor(tmp_path)), step(0, 0, 1, **{RAIL: 1.0}), step(1, 1, 2, **{RAIL: None})]
    summary = summarize(lines)
    assert summary["joules"] is summary["joules_per_step"] is summary["watts"] is None
    assert summary["rails"][RAIL]["joules"] is None
    assert summary["steps"] == 2


def test_inputs_are_not_added_to_outputs(tmp_path: Path) -> None:
    sensors = FakeSensors(tmp_path)
    files = {"power1_input": 1, "power1_label": "pin", "power2_input": 1, "power2_label": "pout1"}
    sensors.device("hwmon0", "x", **files)
    joules = {"hwmon0 pin": 10.0, "hwmon0 pout1": 8.0}
    assert summarize([part(sensors), step(0, 0, 1, **joules)])["joules"] == 8.0


def test_inputs_alone_are_the_total(tmp_path: Path) -> None:
    sensors = FakeSensors(tmp_path)
    sensors.device("hwmon0", "x", power1_input=1, power1_label="pin")
    assert summarize([part(sensors), step(0, 0, 1, **{"hwmon0 pin": 10.0})])["joules"] == 10.0


@pytest.mark.parametrize(
    ("files", "text"), [({}, "shows no sensor"), ({"in1_input": 1}, "power is not known")]
)
def test_without_rails_it_says_why(files: dict[str, object], text: str, tmp_path: Path) -> None:
    sensors = FakeSensors(tmp_path)
    if files:
        sensors.device("hwmon0", "x", **files)
    summary = summarize([part(sensors), step(0, 0.0, 1.0)])
    assert summary["joules"] is None
    assert text in summary["note"]
    assert summary["rails"] == {}


def test_nothing_was_measured() -> None:
    summary = summarize([])
    assert summary["steps"] == 0
    assert summary["joules_per_step"] is summary["sample_rate_hz"] is None


@pytest.mark.parametrize(
    "line",
    [{}, {"kind": "x"}, {"kind": "part", "format": "other/1"}, {"kind": "step", "step": 1}, 5],
)
def test_other_formats(line: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"power.jsonl, line 2 is not of the format"):
        summarize([part(monitor(tmp_path)), line, step(0, 0.0, 1.0, **{RAIL: 1.0})])
