"""What goes wrong by a user's doing, as exceptions that say how to mend it.

Every class carries the exit code that the command line ends with; the text of an error is
complete in itself (what was given, what is allowed, where), because users see it and no
traceback.
"""

from __future__ import annotations


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
    where : the place it came from, for example ``array.lanes in configs/zc706.yaml``
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
        text = f"{name}: got {given!r}, allowed: {allowed}"
        if where:
            text += f" ({where})"
        if hint:
            text += f"; {hint}"
        super().__init__(text)


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
