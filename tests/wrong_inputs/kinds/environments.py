"""Environments in which Python finds other packages, or cannot print what it has to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.wrong_inputs.wrong_input import WrongInput

ROOT = Path(__file__).resolve().parents[3]
PYTHON_PACKAGES = ("gen", "host", "hw", "sim")
DATA_PACKAGES = ("configs", "constraints")


def _package(place: Path, name: str) -> None:
    (place / name).mkdir(parents=True)
    (place / name / "__init__.py").touch()


def _module(place: Path, name: str) -> None:
    place.mkdir(exist_ok=True)
    (place / f"{name}.py").touch()


def _folder(place: Path, name: str) -> None:
    (place / name).mkdir(parents=True)


FORMS: Mapping[str, Callable[[Path, str], None]] = {
    "package": _package,
    "module": _module,
    "folder": _folder,
}

ENCODINGS: tuple[Mapping[str, str], ...] = (
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONUTF8": "0", "LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii:strict"},
    {"PYTHONIOENCODING": "utf-8:strict", "TERM": "dumb", "COLUMNS": "1", "NO_COLOR": "1"},
)


def wrong_inputs() -> Iterator[WrongInput]:
    yield from _intruders()
    # where python -m looks first
    for name in ("gen", "hw", "sim", "configs"):
        yield WrongInput(
            f"{name}-in-the-current-folder",
            ("cost",),
            f"/{name} hides this project's package '{name}'.*current folder",
            prepare=lambda folder, name=name: _package(folder, name),
            environment={"LC_ALL": "C"},
        )
    for number, encoding in enumerate(ENCODINGS):
        for name in ("Größe…", "\udcff"):
            yield WrongInput(
                f"encoding{number}-{name.isprintable()}",
                ("cost", "--config", f"{name}.yaml"),
                r"fractrain: error: .*\.yaml",
                code=3,
                environment=encoding,
            )


def _intruders() -> Iterator[WrongInput]:
    for form, make in FORMS.items():
        for name in DATA_PACKAGES if form == "folder" else PYTHON_PACKAGES + DATA_PACKAGES:
            shown = f"{name}.py" if form == "module" else name
            yield WrongInput(
                f"{name}-{form}",
                ("cost",),
                f"theirs/{shown} hides this project's package '{name}': remove .*PYTHONPATH",
                prepare=lambda folder, make=make, name=name: make(folder / "theirs", name),
                environment={"PYTHONPATH": f"theirs:{ROOT}"},
            )
