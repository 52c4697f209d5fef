"""The command `fractrain`: sees to it that Python finds this project's packages, then runs them.

Their names are those of many folders. One that PYTHONPATH, or Python's habit of looking in the
current folder first, puts before ours would end in a traceback from its middle, or in results of
other code; here it ends in one line. Nothing of the project is imported before that is known.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

PACKAGES = ("configs", "constraints", "gen", "host", "hw", "sim")
HOME = Path(__file__).resolve().parent
EXIT_CODE = 2  # as of any setting that is not allowed


def intruder() -> str | None:
    """What hides one of `PACKAGES`, and how to mend it, in one line; None if nothing does."""
    for name in PACKAGES:
        if not (HOME / name).is_dir():  # the board has no constraints
            continue
        found = _found(name)
        if found is None or found.is_relative_to(HOME / name):
            continue
        shown = found.parent if found.name == "__init__.py" else found
        folder = shown.parent
        return (
            f"{shown} hides this project's package {name!r}: "
            f"{_cause(folder)}, or give {shown.name!r} there another name"
        )
    return None


def _found(name: str) -> Path | None:
    """What ``import name`` reads first, or has read: a file, or a folder without ``__init__.py``;
    None if there is none."""
    loaded = sys.modules.get(name)
    try:
        spec = loaded.__spec__ if loaded is not None else importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return Path(places[0]).resolve() if places else None


def _cause(folder: Path) -> str:
    """Why Python looks in ``folder``, and what to do about it."""
    listed = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if any(entry and Path(entry).resolve() == folder for entry in listed):
        return f"remove {folder} from PYTHONPATH"
    if folder == Path.cwd():
        # an empty entry of PYTHONPATH is the current folder, too
        where = "PYTHONPATH has an empty entry, or " if "" in listed and any(listed) else ""
        return f"{where}Python was started so that it looks in the current folder: leave {folder}"
    return f"Python looks in {folder} first (see PYTHONPATH)"


def main() -> int:
    """Run the command line; the exit code."""
    if complaint := intruder():
        return complain(complaint)
    try:
        from host.cli.main import main as run

        return run()
    except ImportError as error:
        listed = os.environ.get("PYTHONPATH")
        if not listed or str(error.name).partition(".")[0] in PACKAGES:
            raise
        text = " ".join(str(error).split())[:200]
        name = error.name or "a package"
        return complain(f"cannot import {name}: {text}; unset PYTHONPATH, which is {listed!r}")


def complain(text: str) -> int:
    """One line on standard error; the exit code that goes with it."""
    if sys.stderr is not None:
        print(f"fractrain: error: {text}", file=sys.stderr)
    return EXIT_CODE


if __name__ == "__main__":
    sys.exit(main())
