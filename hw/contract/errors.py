"""Users' mistakes, as exceptions that say how to mend them.

Every class carries the exit code of the command line. The text of an error is complete (what was
given, what is allowed, where), because users see it without a traceback.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable

LONGEST_GIVEN = 100
"""Characters of a value in an error: enough to find it."""

LONGEST_NAME = 250
"""Characters of the names and places in an error, which are paths at times."""


def shortened(text: str, most: int = LONGEST_NAME) -> str:
    """``text`` on one line: control characters escaped, and its middle left out if it is long."""
    if len(text) > most:
        half = most // 2
        text = f"{text[:half]}…{text[-half:]} ({len(text):,} characters)"
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """``did you mean …?`` with the most similar of ``known``; empty if none is."""
    similar = difflib.get_close_matches(given[:LONGEST_GIVEN], list(known), 1)
    return f"did you mean {similar[0]}?" if similar else ""


def _as_given(value: object) -> str:
    """``repr`` of a user's value, cut wherever it is long, deep or has many parts."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = shown.maxlong = LONGEST_GIVEN
    shown.maxlist = shown.maxtuple = 20
    return shortened(shown.repr(value))


class FractrainError(Exception):
    """Base of every error that is reported to the user without a traceback."""

    exit_code = 1


class ParameterError(FractrainError, ValueError):
    """A value that is not allowed.

    Parameters
    ----------
    name : what the value is, in the words of the caller's interface
    given : the value
    allowed : what would have been right, as a phrase ("1..16", "a multiple of 4")
    where : the place it came from, for example ``array.dot in mine.yaml``
    hint : how to mend it, if that is not obvious
    """

    exit_code = 2

    def __init__(
        self, name: str, given: object, allowed: str, *, where: str = "", hint: str = ""
    ) -> None:
        self.name, self.given, self.allowed, self.where, self.hint = (
            name,
            given,
            allowed,
            where,
            hint,
        )
        text = f"{shortened(name)}: got {_as_given(given)}, allowed: {allowed}"
        if where:
            text += f" ({shortened(where)})"
        if hint:
            text += f"; {hint}"
        super().__init__(text)


class UsageError(FractrainError):
    """Arguments that do not make a command; the text names them and where help is."""

    exit_code = 2


class DataError(FractrainError):
    """A file or data set that is missing, unreadable or damaged; the text names it."""

    exit_code = 3


class MissingToolError(FractrainError):
    """A program or package that this command needs is not installed; the text names it."""

    exit_code = 4


class MachineError(FractrainError):
    """The accelerator stopped with a fault, ran past its cycle limit or did not answer."""

    exit_code = 5


class MismatchError(FractrainError):
    """Hardware and golden model, or a measurement and its committed budget, disagree."""

    exit_code = 6
