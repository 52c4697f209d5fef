"""A recipe: a method and the values of its options, from YAML files, options and records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from fractrain.host.methods.method import Method, MethodKind, Task
from fractrain.host.methods.mode_defaults import defaults_of
from fractrain.host.methods.registry import METHODS, methods_that_read, recipe_rules
from fractrain.host.plugins.option import options_of, plain
from fractrain.hw.contract.documents import Section, read_document
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.yaml_files import read_yaml

__all__ = ["DEFAULT_METHOD", "Recipe", "make_recipe", "parse_fields", "read_recipe", "recipe_names"]

DEFAULT_METHOD = "fractrain"


@dataclass(frozen=True)
class Recipe:
    """``options`` are an instance of those of the method ``kind``."""

    kind: MethodKind
    options: Any

    @property
    def method(self) -> str:
        """The method's name."""
        return self.kind.name

    @property
    def record(self) -> dict[str, Any]:
        """The options as JSON has them."""
        return {
            each.name: plain(getattr(self.options, each.name))
            for each in options_of(self.kind.options)
        }

    @property
    def name_parts(self) -> list[str]:
        """The options in the name of a run: those that are not the default."""
        options = [each for each in options_of(self.kind.options) if each.in_name is not None]
        parts = [each.in_name(getattr(self.options, each.name)) for each in options if each.in_name]
        return [part for part in parts if part]

    def for_mode(self, mode: str) -> Recipe:
        """With the defaults of ``--mode`` (`mode_defaults`) where an option is left to it.

        Raises `ParameterError` if they do not go with the other options.
        """
        left = {
            name: value
            for name, value in defaults_of(mode).items()
            if getattr(self.options, name, value) is None
        }
        return replace(self, options=replace(self.options, **left))

    def build(self, task: Task) -> Method:
        """The method; `ParameterError` if the options do not suit the task."""
        return self.kind.build(self.for_mode(task.mode).options, task)


def make_recipe(method: str = DEFAULT_METHOD, **values: Any) -> Recipe:
    """The recipe of ``method`` with its options at ``values``, others at their defaults.

    Raises `ParameterError` for an unknown method, an option of other methods, and a value that is
    not allowed.
    """
    kind = METHODS.find(method)
    known = [each.name for each in options_of(kind.options)]
    for name, value in values.items():
        if name not in known:
            methods = " or ".join(methods_that_read(name)) or "another one"
            raise ParameterError(name, value, f"with method {methods} only")
    return Recipe(kind, kind.options(**values))


def recipe_names() -> list[str]:
    """Names of the recipes that come with the project, sorted."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in resources.files("fractrain.configs").joinpath("recipes").iterdir()
        if entry.name.endswith(".yaml")
    )


def read_recipe(name: str) -> dict[str, Any]:
    """The fields of a recipe, ``method`` and options of any methods, from a preset (`recipe_names`)
    or a YAML file.

    ``precision`` is [a, w, e], ``candidates`` a list of such, or of [forward, backward].
    Raises `DataError` for a file that cannot be read, `ParameterError` for unknown fields and
    wrong values.
    """
    ours = name in recipe_names()
    recipes = resources.files("fractrain.configs").joinpath("recipes")
    document = read_yaml(
        recipes.joinpath(f"{name}.yaml") if ours else Path(name),
        source=f"configs/recipes/{name}.yaml" if ours else name,
        takes="fields such as epsilon: 0.05",
        advice=f"; give the path of a recipe or one of {', '.join(recipe_names())}",
    )
    return parse_fields(document, name)


def parse_fields(document: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The fields of a recipe that ``document``, read from ``source``, gives in `plain` form.

    Raises `ParameterError` for unknown fields and wrong values.
    """
    fields: dict[str, Any] = read_document(document, Section(recipe_rules(), needed=()), source)
    return fields
