"""Rules for values of users, on the command line, in YAML files and in sweeps.

A rule reads the text of an option and the value of a YAML file, and refuses both in the same words.
Numbers are decimal: forms that languages and versions of YAML read differently (``010``, ``0x10``,
``1_000``, digits of other scripts) are no numbers here.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.hw.contract.errors import ParameterError

WHOLE_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
REAL_NUMBER = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

LONGEST_NUMBER = 40
"""Characters; a double has 17 digits that count."""


class Rule(ABC):
    """What is allowed."""

    @property
    @abstractmethod
    def allowed(self) -> str:
        """The same as a phrase."""

    def read(self, name: str, given: object, *, where: str = "") -> Any:
        """The value of ``given``, a text or a value of YAML or JSON.

        Raises `ParameterError` for ``name`` if it is not allowed.
        """
        try:
            value = self.convert(given)
        except (TypeError, ValueError, OverflowError):
            raise ParameterError(name, given, self.allowed, where=where) from None
        return value

    def __call__(self, text: str) -> Any:
        """As `read`, without a name: for argparse's ``type``."""
        return self.read("value", text)

    @abstractmethod
    def convert(self, given: object) -> Any:
        """As `read`; raises `TypeError` or `ValueError`."""


@dataclass(frozen=True)
class Whole(Rule):
    """A whole number ``low``..``high``; ``why``: where the upper end is from, for the error."""

    low: int
    high: int
    why: str = ""

    @property
    def allowed(self) -> str:
        return f"a whole number, {self.low}..{self.high}{self.why and f' ({self.why})'}"

    def convert(self, given: object) -> int:
        if isinstance(given, str):
            if len(given) > LONGEST_NUMBER or not WHOLE_NUMBER.fullmatch(given):
                raise ValueError
            given = int(given)
        if not isinstance(given, int) or isinstance(given, bool):
            raise TypeError
        if not self.low <= given <= self.high:
            raise ValueError
        return given


@dataclass(frozen=True)
class Real(Rule):
    """A finite number between ``low`` and ``high``; ``above``, ``below``: not these themselves."""

    low: float
    high: float
    above: bool = False
    below: bool = False

    @property
    def allowed(self) -> str:
        least = "greater than" if self.above else "at least"
        most = "less than" if self.below else "at most"
        return f"a number, {least} {self.low:g}, {most} {self.high:g}"

    def convert(self, given: object) -> float:
        if isinstance(given, str):
            if len(given) > LONGEST_NUMBER or not REAL_NUMBER.fullmatch(given):
                raise ValueError
            given = float(given)
        if not isinstance(given, int | float) or isinstance(given, bool):
            raise TypeError
        inside = self.low <= given <= self.high and math.isfinite(given)
        if not inside or (self.above and given == self.low) or (self.below and given == self.high):
            raise ValueError
        return float(given)


@dataclass(frozen=True)
class Unquoted(Rule):
    """A number that a document has as one, not as text. Whole ones come as `int`: 200.0 is 200."""

    rule: Rule

    @property
    def allowed(self) -> str:
        return self.rule.allowed

    def convert(self, given: object) -> Any:
        if isinstance(given, str):  # in quotes it is a word
            raise TypeError
        value = self.rule.convert(given)
        return int(value) if value == int(value) else value


@dataclass(frozen=True)
class OneOf(Rule):
    """One of ``values``, and of its type: true and 1.0 are not 1."""

    values: Sequence[object]

    @property
    def allowed(self) -> str:
        return " or ".join(map(str, self.values))

    def convert(self, given: object) -> object:
        if not any(given == each and type(given) is type(each) for each in self.values):
            raise ValueError
        return given


class TrueOrFalse(Rule):
    """YAML's ``true`` or ``false``; nothing else stands for them."""

    allowed = "true or false"

    def convert(self, given: object) -> bool:
        if not isinstance(given, bool):
            raise TypeError
        return given


@dataclass(frozen=True)
class Keyed(Rule):
    """A word for a value: a key of ``values()``."""

    values: Callable[[], Mapping[str, object]]

    @property
    def allowed(self) -> str:
        return " or ".join(self.values())

    def convert(self, given: object) -> object:
        if not isinstance(given, str) or given not in self.values():
            raise ValueError
        return self.values()[given]


@dataclass(frozen=True)
class Text(Rule):
    """A text that ``pattern`` matches as a whole; ``words`` describe it."""

    pattern: str = "(?s).*"
    words: str = "a text"

    @property
    def allowed(self) -> str:
        return self.words

    def convert(self, given: object) -> str:
        if not isinstance(given, str):
            raise TypeError
        if not re.fullmatch(self.pattern, given):
            raise ValueError
        return given


class Anything(Rule):
    """Any value: it is checked elsewhere."""

    allowed = "anything"

    def convert(self, given: object) -> object:
        return given


@dataclass(frozen=True)
class OneWord(Rule):
    """One of some words."""

    words: Sequence[str]

    @property
    def allowed(self) -> str:
        return ", ".join(self.words)

    def convert(self, given: object) -> str:
        if not isinstance(given, str) or given not in self.words:
            raise ValueError
        return given


@dataclass(frozen=True)
class Optional(Rule):
    """Nothing (YAML's null), or what ``rule`` allows."""

    rule: Rule

    @property
    def allowed(self) -> str:
        return self.rule.allowed

    def convert(self, given: object) -> Any:
        return None if given is None else self.rule.convert(given)


@dataclass(frozen=True)
class Several(Rule):
    """``least``..``most`` values, in a list or with ``separator`` between them in a text.

    ``words`` and ``example`` say what is allowed; ``build`` makes the result of the values.
    """

    each: Rule
    least: int
    most: int
    words: str
    example: str
    separator: str = ","
    build: Callable[[tuple[Any, ...]], Any] = tuple

    @property
    def allowed(self) -> str:
        count = "" if self.least == self.most else f"{self.least}..{self.most} "
        return f"{count}{self.words}, for example {self.example}"

    def convert(self, given: object) -> Any:
        parts: Sequence[object]
        if isinstance(given, str):
            if given.count(self.separator) >= self.most:
                raise ValueError
            parts = [part.strip() for part in given.split(self.separator)]
        elif isinstance(given, list | tuple):
            parts = given
        else:
            raise TypeError
        if not self.least <= len(parts) <= self.most:
            raise ValueError
        return self.build(tuple(self.each.convert(part) for part in parts))
