"""A sweep's YAML file, and the options of its runs.

    base:                       # options of `fractrain train` that all runs share
      epochs: 30
    grid:                       # every combination; also a list of several grids
      method: [pfq, fractrain]
      epsilon: [0.05, 0.1]
    points:                     # single runs
      - {method: static, precision: [8, 8, 8]}
    seeds: [0, 1, 2]            # each of these runs once with each; or repeats: 3

Options have their names of the command line, with ``-`` or ``_``. A grid or a point overrides
``base``; null removes an option of ``base``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fractrain.host.numerics.random_streams import SEED
from fractrain.hw.contract.documents import Section, read_document
from fractrain.hw.contract.errors import DataError, ParameterError, did_you_mean
from fractrain.hw.contract.values import Anything, Whole
from fractrain.hw.contract.yaml_files import read_yaml

FIELDS = ("base", "grid", "points", "seeds", "repeats")
MOST_RUNS = 10_000
"""A folder and a process each; of runs of a minute a week. Fewer are checked within minutes."""

REPEATS = Whole(1, MOST_RUNS)
GRID_EXAMPLE = "option: [values], for example epsilon: [0.05, 0.1]"
ALLOWED = "options of fractrain train, with _ for - (fractrain train --help lists them)"


@dataclass(frozen=True)
class Vocabulary:
    """The options that a run can be given.

    lists : keys that take a list, each with an example
    flags : those that are true or false
    numbers_and_words : all others
    reserved : options that exist, but that the sweep gives itself
    """

    lists: Mapping[str, Any]
    flags: Sequence[str]
    numbers_and_words: Sequence[str]
    reserved: Sequence[str]

    @property
    def names(self) -> list[str]:
        """All that a file may give, sorted."""
        return sorted([*self.lists, *self.flags, *self.numbers_and_words])


@dataclass(frozen=True)
class Entry:
    """One run as the file asks for it.

    options : by name, with ``_``; values as YAML has them
    own : names of those that are not of ``base``
    where : its place in the file, for error messages
    """

    options: Mapping[str, Any]
    own: tuple[str, ...]
    where: str


def read_sweep(path: Path, vocabulary: Vocabulary) -> list[Entry]:
    """The runs that the file ``path`` asks for, in its order, with seeds innermost.

    Raises `DataError` for a file that cannot be read or is not YAML, `ParameterError` for an
    unknown field or option, a value of the wrong form, and a file without runs.
    """
    document = read_yaml(path, source=str(path), takes=", ".join(FIELDS))
    return expand(document, str(path), vocabulary)


def expand(document: Any, source: str, vocabulary: Vocabulary) -> list[Entry]:
    """The runs that ``document``, read from ``source``, asks for; errors as `read_sweep`."""
    if not isinstance(document, Mapping):
        raise DataError(f"{source} holds no fields; it takes {', '.join(FIELDS)}")
    read_document(document, Section(dict.fromkeys(FIELDS, Anything()), needed=()), source)
    base = _options(document.get("base") or {}, f"base in {source}", vocabulary)
    entries = [
        Entry(base | own, tuple(own), where)
        for own, where in (
            *_grid_points(document.get("grid"), source, vocabulary),
            *_single_points(document.get("points"), source, vocabulary),
        )
    ]
    seeds = _seeds(document, base, source)
    _check_count(len(entries) * len(seeds or (0,)), source)
    if not entries:
        if seeds is None:
            raise ParameterError(
                f"grid, points, seeds in {source}",
                None,
                "at least one of them",
                hint=f"add grid: with {GRID_EXAMPLE}",
            )
        entries = [Entry(base, (), source)]
    if seeds is None:
        return entries
    return [_seeded(entry, seed) for entry in entries for seed in seeds]


def _check_count(runs: int, source: str) -> None:
    if runs > MOST_RUNS:
        raise ParameterError(f"runs in {source}", runs, f"at most {MOST_RUNS:,} in one sweep")


def _grid_points(
    grid: Any, source: str, vocabulary: Vocabulary
) -> Iterator[tuple[dict[str, Any], str]]:
    if grid is None:
        return
    several = isinstance(grid, list)
    for number, each in enumerate(grid if several else [grid]):
        where = f"grid[{number}] in {source}" if several else f"grid in {source}"
        if not isinstance(each, Mapping) or not each:
            raise ParameterError(where, each, GRID_EXAMPLE)
        axes: dict[str, list[Any]] = {}
        for given, values in each.items():
            name = _name(given, where, vocabulary)
            if name in axes:
                raise ParameterError(where, given, f"each option once; {name} is there already")
            if not isinstance(values, list) or not values:
                raise ParameterError(f"{given} of {where}", values, "a list of values to try")
            for value in values:
                _check_form(name, value, where, vocabulary)
            axes[name] = values
        _check_count(math.prod(map(len, axes.values())), source)
        for combination in itertools.product(*axes.values()):
            yield dict(zip(axes, combination, strict=True)), where
    if several and not grid:
        raise ParameterError(f"grid in {source}", grid, GRID_EXAMPLE)


def _single_points(
    points: Any, source: str, vocabulary: Vocabulary
) -> Iterator[tuple[dict[str, Any], str]]:
    if points is None:
        return
    if not isinstance(points, list) or not points:
        raise ParameterError(
            f"points in {source}", points, "a list of runs, for example - {method: static}"
        )
    for number, each in enumerate(points):
        where = f"points[{number}] in {source}"
        yield _options(each, where, vocabulary), where


def _options(given: Any, where: str, vocabulary: Vocabulary) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise ParameterError(where, given, "option: value, for example epsilon: 0.05")
    options: dict[str, Any] = {}
    for spelled, value in given.items():
        name = _name(spelled, where, vocabulary)
        if name in options:
            raise ParameterError(where, spelled, f"each option once; {name} is there already")
        _check_form(name, value, where, vocabulary)
        options[name] = value
    return options


def _name(given: Any, where: str, vocabulary: Vocabulary) -> str:
    name = str(given).replace("-", "_")
    if name in vocabulary.names:
        return name
    hint = did_you_mean(name, vocabulary.names)
    if name in vocabulary.reserved:
        hint = f"{name} is given by the sweep itself: leave it out"
    raise ParameterError(f"option of {where}", given, ALLOWED, hint=hint)


def _check_form(name: str, value: Any, where: str, vocabulary: Vocabulary) -> None:
    """Raise `ParameterError` for a value that could not be written on a command line."""
    if value is None:
        return
    if name in vocabulary.flags:
        fits, allowed = isinstance(value, bool), "true or false"
    elif name in vocabulary.lists:
        fits = isinstance(value, str) or (isinstance(value, list) and bool(value))
        allowed = f"a list, for example {vocabulary.lists[name]}; in a grid a list of such lists"
    else:
        fits = isinstance(value, str | int | float) and not isinstance(value, bool)
        allowed = "a number or a word"
    if not fits:
        raise ParameterError(f"{name} of {where}", value, allowed)


def _seeds(document: Mapping[str, Any], base: Mapping[str, Any], source: str) -> list[int] | None:
    seeds, repeats = document.get("seeds"), document.get("repeats")
    if seeds is None and repeats is None:
        return None
    if seeds is not None and repeats is not None:
        raise ParameterError(f"repeats in {source}", repeats, "seeds or repeats, not both")
    if repeats is not None:
        first = SEED.read(f"seed of base in {source}", base.get("seed") or 0)
        return [first + number for number in range(REPEATS.read(f"repeats in {source}", repeats))]
    if not isinstance(seeds, list) or not seeds:
        raise ParameterError(f"seeds in {source}", seeds, "a list of whole numbers")
    seeds = [SEED.read(f"seeds in {source}", each) for each in seeds]
    for seed in seeds:
        if seeds.count(seed) > 1:
            raise ParameterError(f"seeds in {source}", seed, "each seed once")
    if "seed" in base:
        raise ParameterError(f"seed of base in {source}", base["seed"], "seeds alone")
    return seeds


def _seeded(entry: Entry, seed: int) -> Entry:
    if "seed" in entry.own:
        raise ParameterError(
            f"seed of {entry.where}", entry.options["seed"], "none, with seeds or repeats given"
        )
    return Entry({**entry.options, "seed": seed}, (*entry.own, "seed"), entry.where)
