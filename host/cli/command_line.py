"""The parser of the command line: what argparse refuses, in one line and in our errors' words.

An option whose ``type`` is a `hw.contract.values.Rule` is read by it, and what it refuses is a
`ParameterError` that names the option. All else that argparse complains about is a `UsageError`.
Options are not abbreviated: an abbreviation means something else as soon as there is a new option.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from fractrain.hw.contract.errors import ParameterError, UsageError, did_you_mean, shortened
from fractrain.hw.contract.values import Choice, Rule


class CommandLineParser(argparse.ArgumentParser):
    """Raises where its base class prints the usage and ends the program."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False} | options)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} ({self.prog} --help)")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As the base class, but nothing is left over: a parser knows its options best."""
        found, unknown = super().parse_known_args(args, namespace)
        if not unknown:
            return found, unknown
        first = next((each for each in unknown if each.startswith("-")), unknown[0])
        name = shortened(first.partition("=")[0], 80)
        if not first.startswith("-"):
            self.error(f"unexpected argument: {name!r}")
        hint = did_you_mean(name, self._option_string_actions)
        self.error(f"unknown option: {name}{hint and f'; {hint}'}")

    def rules(self) -> dict[str, Rule]:
        """What each option may be, by its name; those that take any text are left out."""
        rules: dict[str, Rule] = {}
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                continue
            if action.choices is not None:
                rules[action.dest] = Choice(tuple(map(str, action.choices)))
            elif isinstance(action.type, Rule):
                rules[action.dest] = action.type
        return rules

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        if isinstance(action.type, Rule):
            return action.type.read(_shown(action), arg_string)
        return super()._get_value(action, arg_string)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = list(map(str, action.choices))
        hint = did_you_mean(str(value), known)
        raise ParameterError(_shown(action), value, ", ".join(known), hint=hint)


def _shown(action: argparse.Action) -> str:
    """The option, or the argument, as users write it."""
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest
    return action.option_strings[0] if action.option_strings else metavar
