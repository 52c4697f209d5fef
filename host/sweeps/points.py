"""The runs of a sweep: resolved, named, and no two of them the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fractrain.host.sweeps.plan import Entry
from fractrain.host.training.run_names import LONGEST
from fractrain.hw.contract.errors import DataError, ParameterError, UsageError

DIGEST_DIGITS = 10

LONGEST_NAME = LONGEST - DIGEST_DIGITS - 1
"""Of what is readable in a folder's name: the digest follows, and all of it is a `RunName`."""

NOT_GIVEN = "—"


@dataclass(frozen=True)
class Resolved:
    """What the options of a run amount to.

    arguments : for `fractrain train`, whole
    settings : by name all that its results depend on, defaults included; JSON values
    steps : batches that it trains on
    """

    arguments: tuple[str, ...]
    settings: Mapping[str, Any]
    steps: int


@dataclass(frozen=True, eq=False)
class Point:
    """One run of a sweep.

    name : of its folder: readable settings, then digits of a hash of all settings
    varied : the settings that are not the same in all points, as text; in the order of the file
    """

    name: str
    varied: Mapping[str, str]
    resolved: Resolved

    @property
    def label(self) -> str:
        """For people: ``method=pfq epsilon=0.05``."""
        given = {name: text for name, text in self.varied.items() if text != NOT_GIVEN}
        return " ".join(f"{name}={text}" for name, text in given.items()) or self.name

    @property
    def digest(self) -> str:
        """The end of its name: the same settings, the same digest."""
        return self.name.rpartition("-")[2]

    def folder(self, out: Path) -> Path:
        """Where its run is in ``out``, or will be.

        The digest identifies a folder: a sweep that varies more options than before gives its
        points longer names, but still finds their runs.
        """
        return next(iter(sorted(out.glob(f"*-{self.digest}"))), out / self.name)


def resolve_points(
    entries: Sequence[Entry], resolve: Callable[[Mapping[str, Any]], Resolved]
) -> list[Point]:
    """The points of ``entries``, in their order.

    Raises what ``resolve`` raises for options that are not allowed, with the place in the file;
    `ParameterError` for two points that are the same run.
    """
    resolved = [_located(entry, resolve) for entry in entries]
    own = dict.fromkeys(name for entry in entries for name in entry.own)
    columns = {name: _column(name, entries, resolved) for name in sorted(own, key=_seed_last)}
    varied = {name: texts for name, texts in columns.items() if len({*texts} - {None}) > 1}
    points: dict[str, Point] = {}
    places: dict[str, str] = {}
    for number, (entry, each) in enumerate(zip(entries, resolved, strict=True)):
        digest = digest_of(each.settings)
        if digest in points:
            raise ParameterError(
                f"run of {entry.where}",
                " ".join(f"{name}={text_of(entry.options[name])}" for name in entry.own),
                f"each run once; it is one of {places[digest]} again",
            )
        chosen = {name: texts[number] or NOT_GIVEN for name, texts in varied.items()}
        points[digest] = Point(f"{_readable(chosen)}-{digest}", chosen, each)
        places[digest] = entry.where
    return list(points.values())


def digest_of(settings: Mapping[str, Any]) -> str:
    """The first digits of the SHA-256 of ``settings``, whatever their order."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]


def text_of(value: Any) -> str:
    """A value as the command line has it: lists with commas, lists in lists with slashes."""
    if isinstance(value, list | tuple):
        inner = ("/".join(map(str, x)) if isinstance(x, list | tuple) else str(x) for x in value)
        return ",".join(inner)
    return str(value)


def _located(entry: Entry, resolve: Callable[[Mapping[str, Any]], Resolved]) -> Resolved:
    try:
        return resolve(entry.options)
    except ParameterError as error:
        place = f"{error.where}, {entry.where}" if error.where else entry.where
        raise ParameterError(
            error.name, error.given, error.allowed, where=place, hint=error.hint
        ) from error
    except (DataError, UsageError) as error:
        raise type(error)(f"{entry.where}: {error}") from error


def _seed_last(name: str) -> bool:
    return name == "seed"


def _column(name: str, entries: Sequence[Entry], resolved: Sequence[Resolved]) -> list[str | None]:
    """What option ``name`` is in each point, as text; None where it means nothing.

    That is the setting, which may be a default; for an option that becomes other settings
    (a recipe) what was given.
    """
    if any(name in each.settings for each in resolved):
        return [_shown(each.settings[name]) if name in each.settings else None for each in resolved]
    return [_shown(entry.options.get(name)) for entry in entries]


def _shown(value: Any) -> str:
    if value is None:
        return NOT_GIVEN
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list) and any(isinstance(each, float) for each in value):
        return ",".join(f"{each:g}" for each in value)
    return text_of(value)


def _readable(varied: Mapping[str, str]) -> str:
    """``pfq-epsilon0.05-schedule_forward3_4_6_8``."""
    parts = []
    for name, text in varied.items():
        if text == NOT_GIVEN:
            continue
        short = Path(text).name if Path(text).is_absolute() else text.replace(",", "_")
        short = re.sub(r"[^\w.+-]", "_", short.replace("/", "-"), flags=re.ASCII)
        parts.append(short if name == "method" else f"{name}{short}")
    return "-".join(parts)[:LONGEST_NAME].strip("-.") or "run"
