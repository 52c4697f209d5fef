"""Packages that only some commands and backends need: what to say when one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hw.contract.errors import MissingToolError
from hw.contract.installation import install_extra

__all__ = ["needs_extra"]

OURS = ("configs", "gen", "host", "hw", "sim")


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Around lazy imports: a missing package raises `MissingToolError` naming ``extra``."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in OURS:
            raise  # a mistake of ours, not an installation that lacks something
        raise MissingToolError(
            f"the Python package {package} is not installed; it is needed here: "
            f"{install_extra(extra)}"
        ) from error
