"""The command that installs what is missing, as it works for this interpreter and this checkout."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

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


def _here(path: Path) -> str:
    """Relative, if it is in the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
