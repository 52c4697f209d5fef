"""All methods, and the options that they read: one meaning for each name."""

from __future__ import annotations

from fractrain.host.methods.method import MethodKind
from fractrain.host.plugins.option import Option, options_of
from fractrain.host.plugins.registry import Registry
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.values import OneWord, Rule

__all__ = ["METHODS", "method_options", "methods_that_read", "recipe_rules"]

METHODS: Registry[MethodKind] = Registry(
    "fractrain.host.methods",
    "METHOD",
    "method",
    # the simplest first
    order=lambda kind: (len(options_of(kind.options)), kind.name),
)


def method_options() -> dict[str, Option]:
    """The options of all methods by name, those of the simplest method first.

    Raises `ParameterError` if two methods use a name for different options.
    """
    found: dict[str, Option] = {}
    for kind in METHODS:
        for each in options_of(kind.options):
            if found.setdefault(each.name, each) != each:
                name = f"option of method {kind.name}"
                raise ParameterError(name, each.name, "a name that no other method's option has")
    return found


def methods_that_read(name: str) -> tuple[str, ...]:
    """Names of the methods with the option ``name``."""
    return tuple(
        kind.name for kind in METHODS if name in (each.name for each in options_of(kind.options))
    )


def recipe_rules() -> dict[str, Rule]:
    """Rules for the fields of a recipe: the method, and the options of all methods."""
    rules: dict[str, Rule] = {"method": OneWord(METHODS.names)}
    return rules | {
        name: each.rule for name, each in method_options().items() if isinstance(each.rule, Rule)
    }
