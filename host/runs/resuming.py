"""A resumed run: its options, from its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fractrain.host.methods.recipe import Recipe, make_recipe, parse_fields, read_recipe
from fractrain.host.plugins.option import Form, Option, as_text, option_name, plain
from fractrain.host.runs.options import RunOptions, single_options
from fractrain.host.runs.setup import RECORDED, normal
from fractrain.host.training.run_record import IDENTITY, versions
from fractrain.hw.contract.errors import DataError, ParameterError, shortened
from fractrain.hw.contract.values import Rule

CHANGEABLE = ("resume", "out", "checkpoint_every", "evaluate_every", "log_programs", "power")
"""Options that may be given anew: they change no bit of the weights."""

OF_NEW_RUNS = ("name", "overwrite")

HINT = "a run goes on with the options that it was started with; leave this one out"


def restore(
    given: RunOptions, said: Mapping[str, Any], config: Mapping[str, Any], source: Path
) -> tuple[RunOptions, Recipe]:
    """``given`` with what ``config``, read from ``source``, records; the recipe of the run.

    ``said``: options on the command line by name, without defaults. Raises `ParameterError` for one
    that differs from the record, `DataError` for an incomplete record.
    """
    if "published_range" in config:
        raise DataError(f"{source} is of an older version, with --published-range: start it again")
    options, method_options = config.get("options"), config.get("method_options")
    if config.get("mode") == "hardware" and not isinstance(config.get("integers"), dict):
        raise DataError(
            f"{source}: the run has float32 around its convolutions, which is --mode float now: "
            "hardware mode cannot go on with it; train it anew"
        )
    if not isinstance(options, dict) or not isinstance(method_options, dict):
        raise DataError(f"{source} lacks options, method_options: it cannot be resumed")
    if missing := [name for name in RECORDED if name not in options]:
        raise DataError(f"{source} lacks {missing[0]} of options: it cannot be resumed")
    restored = replace(given, method_options={}, **_checked(options, source))
    try:
        fields = parse_fields({"method": restored.method, **method_options}, str(source))
        recipe = make_recipe(**fields)
    except ParameterError as error:
        raise DataError(f"{source} is damaged: {error}") from error
    recorded = options | recipe.record
    for name, value in said.items():
        if name == "recipe":
            for field, wanted in read_recipe(value).items():
                _check(f"{field} in {value}", _as_recorded(recipe, field, wanted), recorded, field)
        elif name in OF_NEW_RUNS:
            raise ParameterError(option_name(name), value, "without --resume only")
        elif name not in CHANGEABLE:
            value = _as_recorded(recipe, name, normal(name, value))
            _check(option_name(name), value, recorded, name)
    anew = {name: said[name] for name in ("checkpoint_every", "evaluate_every") if name in said}
    return replace(restored, **anew), recipe


def _as_recorded(recipe: Recipe, name: str, value: Any) -> Any:
    """The value of an option as a run with the other options of ``recipe`` records it: candidates
    may be given in another form."""
    if name not in recipe.record:
        return value
    try:
        return replace(recipe, options=replace(recipe.options, **{name: value})).record[name]
    except ParameterError:
        return value


def _checked(options: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """The recorded ``options``; `DataError` for an impossible one."""
    known = {each.name: each for each in single_options()}
    values = {}
    for name in RECORDED:
        try:
            values[name] = _read(known[name], options[name])
        except ParameterError as error:
            raise DataError(f"{source} is damaged: options: {error}") from error
    return values


def _read(option: Option, value: Any) -> Any:
    if value is None:
        if option.default is not None:
            raise ParameterError(option.name, value, "a value")
        return value
    if isinstance(option.rule, Rule):
        return option.rule.read(option.name, value)
    flag = option.form in (Form.FLAG, Form.EITHER)
    if not isinstance(value, bool if flag else str):
        raise ParameterError(option.name, value, "true or false" if flag else "a word")
    return value


def _check(shown: str, value: Any, recorded: Mapping[str, Any], name: str) -> None:
    if name not in recorded:
        allowed = "nothing: the run's method does not read it"
        raise ParameterError(shown, as_text(value), allowed, hint=HINT)
    if plain(value) != recorded[name]:
        wanted = "nothing" if recorded[name] is None else repr(as_text(recorded[name]))
        allowed = f"{wanted}, as the run was started with"
        raise ParameterError(shown, as_text(value), allowed, hint=HINT)


def compare(recorded: Mapping[str, Any], now: Mapping[str, Any], source: Path) -> list[str]:
    """Notes on changes since the run began.

    Raises `DataError` for a change that makes it another run: of its data set, for example.
    """
    for name in IDENTITY:
        if name == "method_options":  # they are read from the record, perhaps of an older form
            continue
        if recorded.get(name) != now.get(name):
            change = _change(name, recorded.get(name), now.get(name))
            raise DataError(f"{source} was written for another run: {change}")
    before, after = recorded.get("versions"), versions()
    if before != after:
        return [f"the run began with {before}, it goes on with {after}: bits may differ"]
    return []


def _change(name: str, before: Any, now: Any) -> str:
    """The first difference, in words."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in (each for each in before if each in now):
            if before[key] != now[key]:
                return _change(f"{name}.{key}", before[key], now[key])
    was, is_now = (shortened(repr(each), 80) for each in (before, now))
    return f"{name} was {was}, is now {is_now}"
