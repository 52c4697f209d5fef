"""Options as data: one value for `--help`, recipes, sweeps and records of runs.

Options stand alone (`Option`), or as the fields of a frozen dataclass that holds their values:

    @dataclass(frozen=True)
    class Settings:
        epsilon: float = option(Real(0, 1), 0.15, "the loss has settled within E", metavar="E")

    options_of(Settings)    # one `Option`, named epsilon
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.values import Rule

__all__ = ["Checked", "Form", "Option", "as_text", "option", "option_name", "options_of", "plain"]


class Form(enum.Enum):
    """How an option is written on the command line."""

    VALUE = enum.auto()
    """``--name X``."""
    FLAG = enum.auto()
    """``--name``: true, without it false."""
    EITHER = enum.auto()
    """``--name`` or ``--no-name``; without both None."""
    BARE = enum.auto()
    """``--name`` or ``--name X``."""
    SEVERAL = enum.auto()
    """``--name X Y …``."""
    REPEATED = enum.auto()
    """``--name X --name Y …``."""
    ARGUMENT = enum.auto()
    """``X``, without a name."""
    ARGUMENTS = enum.auto()
    """``X Y …``."""


@dataclass(frozen=True)
class Option:
    """One option.

    name : as recipes and records have it, with ``_``
    about : what `--help` says of it, without the default
    rule : what it may be; `pathlib.Path` for a path, None for any text
    default : its value if it is not given; ``shown``: that in words, empty to leave it out
    metavar : what `--help` calls its value
    aliases : other spellings on the command line
    bare : the value of ``--name`` alone (`Form.BARE`)
    group : the heading in `--help` that it stands under
    in_name : what the name of a run says of its value, empty for what is usual
    """

    name: str
    about: str
    rule: Rule | type[Path] | None = None
    default: Any = None
    form: Form = Form.VALUE
    metavar: str | None = None
    shown: str | None = None
    aliases: tuple[str, ...] = ()
    bare: Any = None
    group: str = ""
    in_name: Callable[[Any], str] | None = None

    @property
    def default_text(self) -> str:
        """The default in words; empty if there is none."""
        if self.shown is not None:
            return self.shown
        if self.default is None or self.form is Form.FLAG:
            return ""
        return _word(as_text(self.default))

    @property
    def help(self) -> str:
        """``about``, and the default if there is one."""
        shown = self.default_text
        return f"{self.about} (default: {shown})".strip() if shown else self.about

    @property
    def of_argument(self) -> bool:
        """Whether it has no name on the command line."""
        return self.form in (Form.ARGUMENT, Form.ARGUMENTS)


def option(rule: Rule | type[Path] | None, default: Any, about: str, **more: Any) -> Any:
    """A field of a dataclass that is an `Option`; ``more``: its other members."""
    made = Option("", about, rule, default, **more)
    return dataclasses.field(default=default, metadata={"option": made})


def options_of(kind: type) -> tuple[Option, ...]:
    """The options that are fields of the dataclass ``kind``, in their order."""
    return tuple(
        dataclasses.replace(each.metadata["option"], name=each.name)
        for each in dataclasses.fields(kind)
        if "option" in each.metadata
    )


class Checked:
    """Base of a dataclass of options: its values are those that their rules allow.

    Raises `ParameterError` for one that is not.
    """

    def __post_init__(self) -> None:
        for each in options_of(type(self)):
            value = getattr(self, each.name)
            if isinstance(each.rule, Rule) and not isinstance(value, Precision):
                each.rule.read(each.name, value)  # a Precision has checked itself


def option_name(name: str) -> str:
    """As it is written on the command line."""
    return f"--{name.replace('_', '-')}"


def plain(value: Any) -> Any:
    """The value of an option as JSON and YAML have it."""
    if isinstance(value, Precision):
        return [value.activation, value.weight, value.error]
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value


def as_text(value: Any) -> Any:
    """The value of an option as it is written on the command line; whole numbers as they are."""
    value = plain(value)
    if isinstance(value, list):
        return ",".join(
            "/".join(map(_word, each)) if isinstance(each, list) else _word(each) for each in value
        )
    return value


def _word(value: Any) -> str:
    return str(value).removesuffix(".0")
