"""The options of `fractrain train` as a sweep gives them, checked as `fractrain train` would."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fractrain.host.accelerator import open_accelerator
from fractrain.host.cli.train_checks import check_options, option
from fractrain.host.cli.train_options import option_parser
from fractrain.host.cli.train_setup import (
    build_arithmetic,
    build_recipe,
    choose_config,
    normal,
    prepare,
    recipe_fields,
    record,
)
from fractrain.host.datasets import Dataset, load_dataset
from fractrain.host.sweeps.plan import Vocabulary
from fractrain.host.sweeps.points import Resolved, text_of
from fractrain.host.training.recipe import Recipe, plain, recipe_names
from fractrain.host.training.recipe_rules import SEED
from fractrain.host.training.trainer import Trainer

RESERVED = ("name", "out", "overwrite", "resume")

EITHER = ("flip",)
"""Options that can be said both ways, ``--flip`` and ``--no-flip``."""

NO_SETTINGS = ("epochs", "checkpoint_every")
"""Options that are recorded, but that the results do not depend on: steps say how long."""


def vocabulary() -> Vocabulary:
    """What the parser of `fractrain train` takes."""
    defaults = vars(option_parser().parse_args([]))
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
        self._resolved: dict[str, Resolved] = {}

    def __call__(self, options: Mapping[str, Any]) -> Resolved:
        """A seed changes nothing but itself: options that differ in it are resolved once."""
        others = {name: value for name, value in options.items() if name != "seed"}
        key = json.dumps(others, sort_keys=True)
        if key not in self._resolved or options.get("seed") is None:
            self._resolved[key] = self._resolve(options)
        seed = SEED.read("--seed", options.get("seed") or 0)
        return replace(
            self._resolved[key],
            arguments=tuple(_arguments(options)),
            settings=dict(self._resolved[key].settings) | {"seed": seed},
        )

    def _resolve(self, options: Mapping[str, Any]) -> Resolved:
        arguments = tuple(_arguments(options))
        args = option_parser().parse_args(arguments)
        args.arguments = ["train", *arguments]
        check_options(args)
        choose_config(args)
        recipe = build_recipe(args, recipe_fields(args))
        if args.dataset not in self._datasets:
            self._datasets[args.dataset] = load_dataset(args.dataset)
        work = prepare(args, recipe, self._datasets[args.dataset])
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
