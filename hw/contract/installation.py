"""Packages that are missing: the error, and the command that installs them, as it works for this
interpreter and this checkout."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fractrain.hw.contract.errors import MissingToolError

ROOT = Path(__file__).resolve().parents[2]


def pip_install(package: str) -> str:
    """A command that installs ``package`` of a package index."""
    return shlex.join([_here(Path(sys.executable)), "-m", "pip", "install", package])


def install_extra(extra: str) -> str:
    """A command that adds what ``extra`` of pyproject.toml lists.

    The project is on no package index: the command names its checkout, and leaves an editable
    installation one.
    """
    if not (ROOT / "pyproject.toml").is_file():
        return f"install fractrain-fpga again, from its checkout or wheel, as …[{extra}]"
    if extra == "torch":  # which build of PyTorch is installed, the Makefile says
        return "make torch" if ROOT == Path.cwd() else shlex.join(["make", "-C", str(ROOT), extra])
    python, root = _here(Path(sys.executable)), "." if ROOT == Path.cwd() else str(ROOT)
    return shlex.join([python, "-m", "pip", "install", "-e", f"{root}[{extra}]"])


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Around lazy imports: a missing package raises `MissingToolError` naming ``extra``."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "fractrain":
            raise  # a mistake of ours, not an installation that lacks something
        raise MissingToolError(
            f"the Python package {package} is not installed; it is needed here: "
            f"{install_extra(extra)}"
        ) from error


def _here(path: Path) -> str:
    """Relative, if it is in the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
