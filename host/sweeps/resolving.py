"""Options of `fractrain train` from a sweep, checked in the same way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fractrain.host.accelerator import open_accelerator
from fractrain.host.datasets import Dataset, load_dataset
from fractrain.host.methods.mode_defaults import defaults_of
from fractrain.host.methods.recipe import recipe_names
from fractrain.host.methods.registry import method_options
from fractrain.host.numerics.random_streams import SEED
from fractrain.host.plugins.option import Form, Option, option_name, plain
from fractrain.host.runs.checks import check_options
from fractrain.host.runs.options import RunOptions, single_options
from fractrain.host.runs.setup import (
    build_arithmetic,
    build_recipe,
    normal,
    prepare,
    recipe_fields,
    record,
    with_config,
)
from fractrain.host.sweeps.plan import Vocabulary
from fractrain.host.sweeps.points import Resolved, text_of
from fractrain.host.training.trainer import Trainer
from fractrain.host.usual_machines import USUAL_CONFIG

RESERVED = ("name", "out", "overwrite", "resume")

NO_SETTINGS = ("epochs", "checkpoint_every")
"""Options that are recorded, but that the results do not depend on: steps say how long."""


def vocabulary() -> Vocabulary:
    """What `fractrain train` takes."""
    options = single_options()
    flags = [each.name for each in options if each.form in (Form.FLAG, Form.EITHER)]
    examples = {name: _example(each) for name, each in method_options().items()}
    lists = {name: value for name, value in examples.items() if isinstance(value, list)}
    others = {each.name for each in options} - {*lists, *flags, *RESERVED}
    return Vocabulary(
        lists=lists,
        flags=[name for name in flags if name not in RESERVED],
        numbers_and_words=sorted(others),
        reserved=RESERVED,
    )


def _example(given: Option) -> Any:
    """A value of a method's option: its default, or where that depends on the mode the default of
    hardware mode."""
    value = given.default
    return plain(defaults_of("hardware").get(given.name) if value is None else value)


class Resolver:
    """Resolves options as `fractrain train` does, up to its first step; reads each data set once.

    ``parse`` reads the arguments of that command. Calling it raises what the command raises:
    `ParameterError`, `DataError`.
    """

    def __init__(self, parse: Callable[[Sequence[str]], RunOptions]) -> None:
        self._parse = parse
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
        given = self._parse(arguments)
        check_options(given)
        given = with_config(given)
        recipe = build_recipe(given, recipe_fields(given))
        if given.dataset not in self._datasets:
            self._datasets[given.dataset] = load_dataset(given.dataset)
        work = prepare(given, recipe, self._datasets[given.dataset])
        with open_accelerator("golden", config=given.config or USUAL_CONFIG) as accelerator:
            arithmetic = build_arithmetic(given, accelerator, work.dataset)
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
    either = [each.name for each in single_options() if each.form is Form.EITHER]
    written = []
    for name, value in options.items():
        if value is True:
            written.append(option_name(name))
        elif value is False and name in either:
            written.append(f"--no-{name}")
        elif value is not None and value is not False:
            written.append(f"{option_name(name)}={text_of(_anywhere(name, value))}")
    return written


def _anywhere(name: str, value: Any) -> Any:
    if name == "recipe" and value not in recipe_names():
        return normal("dataset", value)
    return normal(name, value)
