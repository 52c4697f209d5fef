"""Environments in which Python finds other packages, or cannot print what it has to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path

from tests.wrong_inputs.wrong_input import WrongInput

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("numpy", "yaml")

CAUSES: Mapping[str, str] = {
    "another-python": "raise ImportError('built for Python 3.9')",
    "lines": "raise ImportError('built\\nfor\\r\\nPython 3.9')",
    "long": "raise ImportError('built for ' + 'Python 3.9 ' * 1000)",
    "letters": "raise ImportError('built für Python 3.9 …\\udcff')",
    "missing": "import built_for_python_3_9",
}


def _package(place: Path, name: str, text: str) -> None:
    (place / name).mkdir(parents=True)
    (place / name / "__init__.py").write_text(text, encoding="utf-8")


def _module(place: Path, name: str, text: str) -> None:
    place.mkdir(exist_ok=True)
    (place / f"{name}.py").write_text(text, encoding="utf-8")


FORMS: Mapping[str, Callable[[Path, str, str], None]] = {"package": _package, "module": _module}

ENCODINGS: tuple[Mapping[str, str], ...] = (
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONUTF8": "0", "LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii:strict"},
    {"PYTHONIOENCODING": "utf-8:strict", "TERM": "dumb", "COLUMNS": "1", "NO_COLOR": "1"},
)


def wrong_inputs() -> Iterator[WrongInput]:
    yield from _packages_of_another_python()
    for number, encoding in enumerate(ENCODINGS):
        for name in ("Größe…", "\udcff"):
            yield WrongInput(
                f"encoding{number}-{name.isprintable()}",
                ("cost", "--config", f"{name}.yaml"),
                r"fractrain: error: .*\.yaml",
                code=3,
                environment=encoding,
            )


def _packages_of_another_python() -> Iterator[WrongInput]:
    for (form, make), name, (cause, text) in product(FORMS.items(), PACKAGES, CAUSES.items()):
        yield WrongInput(
            f"{name}-{form}-{cause}",
            ("cost",),
            "fractrain: error: cannot import .*built.*f.*r.*ython.*3.9.*unset PYTHONPATH",
            prepare=lambda folder, make=make, name=name, text=text: make(
                folder / "theirs", name, text
            ),
            environment={"PYTHONPATH": f"theirs:{ROOT}"},
        )
