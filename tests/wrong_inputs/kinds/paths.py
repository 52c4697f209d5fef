"""Files that are not there, or cannot be used, in folders of any name: the error stays one line,
and Vivado is not started where its scripts break."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.wrong_inputs.wrong_input import WrongInput

NAMES = {
    "blank": "one space",
    "parentheses": "a(b)",
    "brackets": "a[b]{c}",
    "apostrophe": "it's",
    "quote": 'a"b',
    "dollar": "a$HOME",
    "hash": "a#b",
    "percent": "a%sb",
    "ampersand": "a&b",
    "semicolon": "a;b",
    "backslash": "a\\b",
    "accent": "café",
    "bytes": "a\udcffb",
    "dash": "-a",
    "line-break": "a\nb",
    "escape": "a\x1b[31mb",
    "colon": "a:b",
    "glob": "a*?",
    "longest": "a" * 255,
    "too-long": "a" * 256,
}

COMMANDS = {
    "config": (("cost", "--config={}/machine.yaml"), 3, "machine.yaml"),
    "recipe": (("train", "--recipe={}/recipe.yaml"), 3, "recipe.yaml"),
    "sweep": (("sweep", "./{}/sweep.yaml"), 3, "sweep.yaml"),
    "budget": (("synth", "--config", "tiny", "--budget={}/budget.yaml"), 3, "budget.yaml"),
    "report": (("report", "./{}/run"), 3, "run"),
    "resume": (("train", "--resume={}/run"), 2, "run"),
    "json": (("cost", "--out={}/gone/x.md"), 3, "x.md"),
}

FOR_VIVADO = ("blank", "parentheses", "apostrophe", "dollar", "accent")


def wrong_inputs() -> Iterator[WrongInput]:
    for kind, name in NAMES.items():
        for command, (arguments, code, says) in COMMANDS.items():
            yield WrongInput(
                f"{command}-{kind}",
                [each.format(name) for each in arguments],
                "too long|no run|allowed: the folder of a run" if kind == "too-long" else says,
                code=code,
                prepare=lambda folder, name=name: _make(folder / name),
            )
    for kind in FOR_VIVADO:
        yield WrongInput(
            f"vivado-{kind}",
            ("bitstream", "--config", "tiny", "--out", f"./{NAMES[kind]}/bits"),
            "with Vivado, a path of letters",
            environment={"VIVADO": "/bin/true"},
        )


def _make(folder: Path) -> None:
    if len(folder.name) < 256:
        folder.mkdir()
