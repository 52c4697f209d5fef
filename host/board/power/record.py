"""Records of a power measurement: ``power.jsonl`` in the folder of a run, and its sum.

One JSON document a line, in parts, one for each process that trained on the run:

    part      channels, rails and the requested rate
    sample    time and the values of all channels, in the part's order; null: could not be read
    failed    a channel's first reading that failed, and why
    step      a training step: begin, end, joules of each rail, samples inside it

Times are seconds of the machine's monotonic clock; times of two parts cannot be compared. A step
repeated after an interruption is there twice: the last one counts.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fractrain.host.board.power.hwmon import Channel, Rail
from fractrain.host.board.power.protocol import PhaseResult
from fractrain.host.board.power.sampler import Failure, PowerSampler, Sample
from fractrain.hw.contract.errors import DataError

__all__ = [
    "FORMAT",
    "NAME",
    "failure_line",
    "measurement_lines",
    "part_line",
    "sample_line",
    "step_line",
    "summarize",
    "what_is_known",
]

NAME = "power.jsonl"
FORMAT = "fractrain-power/1"

NO_SENSOR = "hwmon shows no sensor: is the driver of the power monitor there (ucd9000)?"
NO_RAIL = (
    "no sensor reports power, and no device labels a voltage and a current alike: what the "
    "channels measure is kept, power is not known"
)
SOME_RAILS = (
    "of the rails named here, processor and accelerator together; hwmon does not say whether these "
    "are all rails of the board"
)


def part_line(
    channels: Sequence[Channel], rails: Sequence[Rail], requested_rate_hz: float
) -> dict[str, Any]:
    """How a part begins."""
    return {
        "kind": "part",
        "format": FORMAT,
        "requested_rate_hz": requested_rate_hz,
        "clock": "monotonic",
        "channels": [
            {
                "id": each.identity,
                "device": each.device,
                "label": each.label,
                "quantity": each.quantity,
                "unit": each.unit,
            }
            for each in channels
        ],
        "rails": [
            {
                "name": each.name,
                "channels": [channel.identity for channel in each.channels],
                "how": each.how,
                "input": each.is_input,
            }
            for each in rails
        ],
        "note": what_is_known(channels, rails),
    }


def what_is_known(channels: Sequence[Channel], rails: Sequence[Rail]) -> str:
    """What power figures of these ``channels`` cover, or why there are none."""
    return SOME_RAILS if rails else NO_RAIL if channels else NO_SENSOR


def sample_line(sample: Sample) -> dict[str, Any]:
    """A sample, to the microsecond and to six digits."""
    return {
        "kind": "sample",
        "time": round(sample.time, 6),
        "values": [_rounded(each) for each in sample.values],
    }


def failure_line(failure: Failure) -> dict[str, Any]:
    """A channel that failed for the first time."""
    return {"kind": "failed", **dataclasses.asdict(failure), "time": round(failure.time, 6)}


def step_line(
    step: int, begin: float, end: float, samples: int, joules: Mapping[str, float | None]
) -> dict[str, Any]:
    """A training step; ``joules`` by the names of the rails."""
    return {
        "kind": "step",
        "step": step,
        "begin": round(begin, 6),
        "end": round(end, 6),
        "samples": samples,
        "joules": {name: _rounded(value) for name, value in joules.items()},
    }


def measurement_lines(
    sampler: PowerSampler, results: Sequence[PhaseResult]
) -> Iterator[dict[str, Any]]:
    """A measurement in phases: the part, then the samples of each phase and what they come to."""
    yield part_line(sampler.channels, sampler.rails, sampler.rate_hz)
    for failure in sampler.take_failures():
        yield failure_line(failure)
    for result in results:
        yield from map(sample_line, result.samples)
        yield {
            "kind": "phase",
            "name": result.name,
            "begin": round(result.begin, 6),
            "end": round(result.end, 6),
            "samples": len(result.samples),
            "sample_rate_hz": result.sample_rate_hz,
            "repetitions": result.repetitions,
            "rails": {
                each.rail.name: {
                    "watts": each.power and each.power.mean,
                    "deviation": each.power and each.power.deviation,
                    "joules": each.joules,
                    "joules_per_repetition": each.joules_per_repetition,
                }
                for each in result.rails
            },
        }


def summarize(lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """``measured_energy`` of a run's summary, from all lines of its ``power.jsonl``.

    Joules and watts are of the measured steps, each counted once, in its last repetition. Totals
    are over the rails, without labelled inputs of devices that have outputs here; None if no rail
    was read in all of these steps. ``sample_rate_hz`` is the rate reached.

    Raises `DataError` for lines of another format.
    """
    record = _Record()
    for number, line in enumerate(lines, 1):
        try:
            record.add(line)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{NAME}, line {number} is not of the format {FORMAT}") from error
    return record.summary()


class _Record:
    """What has been read of the lines so far."""

    def __init__(self) -> None:
        self.steps: dict[int, Mapping[str, Any]] = {}
        self.rails: dict[str, Mapping[str, Any]] = {}
        self.requested_rate_hz: float | None = None
        self.note: str | None = NO_SENSOR
        self.samples = self.failed_reads = self.intervals = 0
        self.sampled_seconds = 0.0
        self._last: float | None = None

    def add(self, line: Mapping[str, Any]) -> None:
        kind = line["kind"]
        if kind == "part":
            if line["format"] != FORMAT:
                raise ValueError(line["format"])
            self.requested_rate_hz, self.note = line["requested_rate_hz"], line["note"]
            self.rails |= {each["name"]: each for each in line["rails"]}
            self._last = None  # the clock of another boot may have started anew
        elif kind == "sample":
            time = float(line["time"])
            if self._last is not None:
                self.intervals += 1
                self.sampled_seconds += time - self._last
            self._last = time
            self.failed_reads += sum(each is None for each in line["values"])
        elif kind == "step":
            self.steps[int(line["step"])] = {
                "seconds": float(line["end"]) - float(line["begin"]),
                "samples": int(line["samples"]),
                "joules": dict(line["joules"]),
            }
        elif kind != "failed":
            raise ValueError(kind)

    def summary(self) -> dict[str, Any]:
        steps = list(self.steps.values())
        seconds = math.fsum(each["seconds"] for each in steps)
        rails = {name: self._rail(name, steps, seconds) for name in self.rails}
        outputs = {name: each for name, each in rails.items() if not each["input"]}
        counted = [each["joules"] for each in (outputs or rails).values()]
        return {
            "steps": len(steps),
            **_figures(_total(counted), len(steps), seconds),
            "seconds": round(seconds, 6),
            "sample_rate_hz": _rounded(
                self.intervals / self.sampled_seconds if self.sampled_seconds > 0 else None
            ),
            "requested_rate_hz": self.requested_rate_hz,
            "samples": sum(each["samples"] for each in steps),
            "failed_reads": self.failed_reads,
            "rails": rails,
            "note": self.note,
        }

    def _rail(self, name: str, steps: Sequence[Mapping[str, Any]], seconds: float) -> dict:
        joules = _total([each["joules"].get(name) for each in steps])
        rail = self.rails[name]
        figures = _figures(joules, len(steps), seconds)
        return {**figures, "how": rail["how"], "input": bool(rail["input"])}


def _figures(joules: float | None, steps: int, seconds: float) -> dict[str, float | None]:
    known = joules is not None and steps > 0 and seconds > 0
    return {
        "joules": _rounded(joules),
        "joules_per_step": _rounded(joules / steps) if known and joules is not None else None,
        "watts": _rounded(joules / seconds) if known and joules is not None else None,
    }


def _total(values: Sequence[float | None]) -> float | None:
    """None if there are none, or one of them is not known: half a sum would be a wrong one."""
    known = [each for each in values if each is not None]
    return math.fsum(known) if values and len(known) == len(values) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
