"""The parser of the command line: takes options as data, reports refusals as our errors.

A command's options are `host.plugins.option.Option` values, given to `add_command`. An option with
a `hw.contract.values.Rule` is read by it; a refused value is a `ParameterError` that names the
option. Every other complaint of argparse is a `UsageError`. Options cannot be abbreviated: a new
option would change the meaning of an abbreviation.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from fractrain.host.plugins.option import Form, Option, option_name
from fractrain.hw.contract.errors import ParameterError, UsageError, did_you_mean, shortened
from fractrain.hw.contract.values import OneWord, Rule


class CommandLineParser(argparse.ArgumentParser):
    """Raises an error where the base class prints the usage and exits."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False} | options)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} ({self.prog} --help)")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As the base class, but leaves nothing over: the subcommand's parser reports unknown
        options."""
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
        """The allowed values of each option, by name; without options that take any text."""
        rules: dict[str, Rule] = {}
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                continue
            if action.choices is not None:
                rules[action.dest] = OneWord(tuple(map(str, action.choices)))
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


Options = Sequence[Option | tuple[Option, ...]]
"""A tuple holds options that exclude each other."""


def add_command(
    subparsers: argparse._SubParsersAction,
    name: str,
    description: str,
    epilog: str,
    options: Options,
    **more: Any,
) -> argparse.ArgumentParser:
    """The parser of the command ``name``; ``more`` as `argparse.ArgumentParser`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **more,
    )
    add_options(parser, options)
    return parser


def add_options(parser: argparse.ArgumentParser, options: Options) -> None:
    """Add ``options`` to ``parser``, under the headings of their groups."""
    headings: dict[str, argparse._ActionsContainer] = {"": parser}
    for each in options:
        alternatives = each if isinstance(each, tuple) else (each,)
        heading = alternatives[0].group
        if heading not in headings:
            headings[heading] = parser.add_argument_group(heading)
        container = headings[heading]
        if len(alternatives) > 1:
            container = container.add_mutually_exclusive_group()
        for alternative in alternatives:
            container.add_argument(*_spellings(alternative), **_keywords(alternative))


def _spellings(given: Option) -> list[str]:
    return [given.name] if given.of_argument else [option_name(given.name), *given.aliases]


def _keywords(given: Option) -> dict[str, Any]:
    """Arguments of `argparse.ArgumentParser.add_argument`."""
    keywords: dict[str, Any] = {"help": given.help.replace("%", "%%") or None}
    if given.form is Form.FLAG:
        return keywords | {"action": "store_true"}
    if given.form is Form.EITHER:
        return keywords | {"action": argparse.BooleanOptionalAction, "default": given.default}
    keywords |= {"metavar": given.metavar} if given.metavar else {}
    if isinstance(given.rule, OneWord):
        keywords["choices"] = tuple(given.rule.words)
    elif given.rule is not None:
        keywords["type"] = given.rule
    if given.form in (Form.SEVERAL, Form.ARGUMENTS):
        keywords["nargs"] = "+"
    elif given.form is Form.BARE:
        keywords |= {"nargs": "?", "const": given.bare}
    elif given.form is Form.REPEATED:
        return keywords | {"action": "append", "default": list(given.default)}
    return keywords if given.of_argument else keywords | {"default": given.default}


def _shown(action: argparse.Action) -> str:
    """The option or argument as users write it."""
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest
    return action.option_strings[0] if action.option_strings else metavar
