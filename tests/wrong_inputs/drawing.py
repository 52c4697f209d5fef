"""All wrong inputs, kind by kind: every module in `kinds` contributes its own."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tests.wrong_inputs.wrong_input import WrongInput, carry_out, complaints

__all__ = ["KINDS", "draw", "judge"]

KINDS = sorted(path.stem for path in (Path(__file__).parent / "kinds").glob("[a-z]*.py"))
"""A kind is a module with a function ``wrong_inputs() -> Iterator[WrongInput]``, the same on
every call."""


def draw(kind: str) -> list[WrongInput]:
    """The wrong inputs of ``kind``; `ValueError` if two share a name."""
    cases = list(importlib.import_module(f"tests.wrong_inputs.kinds.{kind}").wrong_inputs())
    names = [case.name for case in cases]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{kind}: names that stand twice: {sorted(twice)}")
    return cases


def judge(case: WrongInput, folder: Path) -> tuple[str, list[str]]:
    """Carry out ``case`` in the empty ``folder``: what it said, and what is wrong with that."""
    case.prepare(folder)
    before = _contents(folder)
    outcome = carry_out(case, folder)
    found = list(complaints(case, outcome))
    after = _contents(folder)
    for name in sorted(before.keys() | after.keys()):
        same = before.get(name) == after.get(name)
        if not same and not any(fnmatch(name, pattern) for pattern in case.changes):
            what = "is gone" if name not in after else "changed" if name in before else "is left"
            found.append(f"{name} {what}")
    found += case.after(folder)
    return outcome.error.strip() or outcome.output.strip(), found


def _contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): _content(path) for path in _walk(folder)}


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        yield path
        if path.is_dir() and not path.is_symlink():
            try:
                yield from _walk(path)
            except PermissionError:
                continue


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if not path.is_file():
        return "folder" if path.is_dir() else f"no regular file ({path.stat().st_mode:o})"
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except PermissionError:
        return "unreadable"
