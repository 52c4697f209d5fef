"""`fractrain train --resume`: the options that a run was started with, once more."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fractrain.host.cli.train_checks import option
from fractrain.host.cli.train_options import given_options, option_parser, option_rules
from fractrain.host.cli.train_setup import RECORDED, as_text, normal
from fractrain.host.training.recipe import Recipe, parse_fields, plain, read_recipe
from fractrain.host.training.run_record import IDENTITY, versions
from fractrain.hw.contract.errors import DataError, ParameterError, shortened

CHANGEABLE = ("resume", "out", "checkpoint_every", "evaluate_every", "log_programs", "power")
"""Options that may be given anew: they change no bit of the weights."""

FLAGS = ("flip", "published_range")

OF_NEW_RUNS = ("name", "overwrite")

HINT = "a run goes on with the options that it was started with; leave this one out"


def restore(args: argparse.Namespace, config: Mapping[str, Any], source: Path) -> Recipe:
    """Set ``args`` to what ``config``, read from ``source``, records; the recipe of the run.

    Raises `ParameterError` for an option on the command line that says something else, `DataError`
    for a record that is not complete.
    """
    command = args.arguments.index("train")
    given = given_options(args.arguments[command + 1 :])
    options, method_options = config.get("options"), config.get("method_options")
    if not isinstance(options, dict) or not isinstance(method_options, dict):
        raise DataError(f"{source} lacks options, method_options: it cannot be resumed")
    if missing := [name for name in RECORDED if name not in options]:
        raise DataError(f"{source} lacks {missing[0]} of options: it cannot be resumed")
    for name, value in given.items():
        if name == "recipe":
            for field, wanted in read_recipe(value).items():
                _check(f"{field} in {value}", wanted, options | method_options, field)
        elif name in OF_NEW_RUNS:
            raise ParameterError(option(name), value, "without --resume only")
        elif name not in CHANGEABLE:
            _check(option(name), normal(name, value), options | method_options, name)
    for name, value in _checked(options, source).items():
        setattr(args, name, value)
    try:
        fields = parse_fields({"method": args.method, **method_options}, str(source))
        recipe = Recipe(**fields)
    except ParameterError as error:
        raise DataError(f"{source} is damaged: {error}") from error
    for name in ("checkpoint_every", "evaluate_every"):
        if name in given:
            setattr(args, name, given[name])
    return recipe


def _checked(options: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """The recorded ``options``; `DataError` for one that no command line could have given."""
    rules, defaults = option_rules(), vars(option_parser().parse_args([]))
    values = {}
    for name in RECORDED:
        value = options[name]
        try:
            if value is None and defaults[name] is not None:
                raise ParameterError(name, value, "a value")
            if value is not None and name in rules:
                value = rules[name].read(name, value)
            elif not isinstance(value, bool | None if name in FLAGS else str | None):
                raise ParameterError(name, value, "true or false" if name in FLAGS else "a word")
        except ParameterError as error:
            raise DataError(f"{source} is damaged: options: {error}") from error
        values[name] = value
    return values


def _check(shown: str, value: Any, recorded: Mapping[str, Any], name: str) -> None:
    if name not in recorded:
        allowed = "nothing: the run's method does not read it"
        raise ParameterError(shown, as_text(value), allowed, hint=HINT)
    if plain(value) != recorded[name]:
        wanted = "nothing" if recorded[name] is None else repr(as_text(recorded[name]))
        allowed = f"{wanted}, as the run was started with"
        raise ParameterError(shown, as_text(value), allowed, hint=HINT)


def compare(recorded: Mapping[str, Any], now: Mapping[str, Any], source: Path) -> list[str]:
    """Notes on what is not as it was when the run began.

    Raises `DataError` where that is another run: its data set has changed, for example.
    """
    for name in IDENTITY:
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
