"""The options of `fractrain train` as a sweep gives them, checked as `fractrain train` would."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from host.accelerator import Accelerator, find_backend, open_accelerator
from host.cli.train_options import add_options
from host.cli.train_setup import (
    build_arithmetic,
    build_recipe,
    check_numbers,
    choose_config,
    normal,
    option,
    prepare,
    record,
)
from host.datasets import Dataset, load_dataset
from host.sweeps.plan import Vocabulary
from host.sweeps.points import Resolved, text_of
from host.training.recipe import Recipe, plain, recipe_names
from host.training.trainer import Trainer
from hw.contract.errors import ParameterError

RESERVED = ("name", "out", "overwrite", "resume")

EITHER = ("flip",)
"""Options that can be said both ways, ``--flip`` and ``--no-flip``."""

NO_SETTINGS = ("epochs", "checkpoint_every")
"""Options that are recorded, but that the results do not depend on: steps say how long."""


def vocabulary() -> Vocabulary:
    """What the parser of `fractrain train` takes."""
    defaults = vars(_parser().parse_args([]))
    flags = [name for name, value in defaults.items() if value is False] + list(EITHER)
    examples = {each.name: plain(each.default) for each in dataclasses.fields(Recipe)}
    lists = {name: value for name, value in examples.items() if isinstance(value, list)}
    others = set(defaults) - {*lists, *flags, *RESERVED}
    return Vocabulary(
        lists=lists,
        flags=[name for name in flags if name not in RESERVED],
        numbers_and_words=sorted(others),
        reserved=RESERVED,
    )


class Resolver:
    """Resolves options as `fractrain train` does, up to its first step; reads each data set once.

    Calling it raises what that command raises: `ParameterError`, `DataError`.
    """

    def __init__(self) -> None:
        self._datasets: dict[str, Dataset] = {}

    def __call__(self, options: Mapping[str, Any]) -> Resolved:
        arguments = tuple(_arguments(options))
        args = _parse(arguments)
        args.arguments = ["train", *arguments]
        check_numbers(args)
        choose_config(args)
        recipe = build_recipe(args)
        if args.dataset not in self._datasets:
            self._datasets[args.dataset] = load_dataset(args.dataset)
        work = prepare(args, recipe, self._datasets[args.dataset])
        _check_backend(args)
        with open_accelerator("golden", config=args.config) as accelerator:
            arithmetic = build_arithmetic(args, accelerator)
            Trainer(work.network, work.dataset, accelerator, work.method, work.plan, arithmetic)
        recorded = record(work)
        settings = recorded["options"] | recorded["method_options"]
        return Resolved(
            arguments,
            {name: value for name, value in settings.items() if name not in NO_SETTINGS},
            work.plan.steps,
        )


def _arguments(options: Mapping[str, Any]) -> list[str]:
    """As on a command line, and the same in any folder; null and false leave an option out."""
    written = []
    for name, value in options.items():
        if value is True:
            written.append(option(name))
        elif value is False and name in EITHER:
            written.append(f"--no-{name}")
        elif value is not None and value is not False:
            written.append(f"{option(name)}={text_of(_anywhere(name, value))}")
    return written


def _anywhere(name: str, value: Any) -> Any:
    if name == "recipe" and value not in recipe_names():
        return normal("dataset", value)
    return normal(name, value)


class _Parser(argparse.ArgumentParser):
    """Raises where its base class ends the program."""

    def error(self, message: str) -> NoReturn:
        raise ParameterError("options", message, "those of fractrain train --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="fractrain train", add_help=False, exit_on_error=False)
    add_options(parser)
    return parser


def _parse(arguments: tuple[str, ...]) -> argparse.Namespace:
    try:
        return _parser().parse_args(arguments)
    except argparse.ArgumentError as error:
        if isinstance(error.__context__, ParameterError):
            raise error.__context__ from None  # of the option's own type: it says what is allowed
        name = (error.argument_name or "option").partition("/")[0]
        given = next((each for each in arguments if each.startswith(f"{name}=")), name)
        raise ParameterError(name, given.partition("=")[2], _allowed(error.message)) from None


def _allowed(complaint: str) -> str:
    """What argparse would have taken, from what it says instead."""
    if choices := re.search(r"choose from (.*)\)", complaint):
        return choices[1].replace("'", "")
    if other := re.search(r"not allowed with argument (\S+)", complaint):
        return f"without {other[1]} only"
    kinds = {"float": "a number", "int": "a whole number"}
    found = re.search(r"invalid (\w+) value", complaint)
    return kinds.get(found[1] if found else "", complaint)


def _check_backend(args: argparse.Namespace) -> None:
    """What the backend refuses, without opening it: that may take minutes, or another machine."""
    backend = find_backend(args.backend)
    if args.device is not None and not backend.takes_device:
        raise ParameterError("--device", args.device, f"none with --backend {args.backend}")
    if args.mode == "reference" and backend.real_convolutions is Accelerator.real_convolutions:
        raise ParameterError("--mode", args.mode, f"hardware with --backend {args.backend}")
    if args.log_programs and backend.measured_as is None:
        raise ParameterError("--log-programs", True, f"without it with --backend {args.backend}")
