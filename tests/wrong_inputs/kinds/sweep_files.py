"""Files of `fractrain sweep` whose runs cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.wrong_inputs.wrong_input import WrongInput

POINTS = {
    "lr": ("0", "-1", "fast", "1e9", "'0x1'", "'nan'", "[1]", "true"),
    "batch": ("0", "1.5", "1e2", "many", "100000", "'010'", "5000"),
    "seed": ("-1", "1.5", "x", "99999999999999999999"),
    "targets": ("[3, 1]", "[0]", "[]", "'1,x'", "3", "{a: 1}"),
    "precision": ("[8, 8]", "[8, 8, 99]", "'8,8'", "[0, 8, 8]"),
    "schedule_forward": ("[17]", "['x']", "[3, 4]"),
    "candidates": (
        "[[3, 6]]",
        "[3, 6]",
        "'3/6,4'",
        "[[4, 4, 6], [8, 0, 8]]",
        "[[4, 4, 6, 6], [8, 8]]",
    ),
    "skip": ("1", "maybe", "'true'"),
    "forward_bits": ("[3]", "[8, 3]", "3"),
    "cycles": ("0", "2.5", "2"),
    "method": ("statik", "3", "[static]"),
    "model": ("resnet9", "resnet8000000", "8"),
    "backend": ("goldn", "cosim2"),
    "bn_group": ("5", "128", "0"),
    "mode": ("reference2",),
    "interval": ("0", "2.5"),
    "flip": ("1", "maybe", "'true'"),
    "recipe": ("shrt", "''"),
}
METHODS = {
    "targets": "fractrain",
    "precision": "static",
    "schedule_forward": "pfq",
    "candidates": "dfq",
    "skip": "dfq",
    "forward_bits": "cpt",
    "cycles": "cpt",
    "interval": "pfq",
}
FILES = (
    ("no runs", "base: {steps: 1}", "grid, points, seeds in s.yaml: got None"),
    ("field", "bases: {steps: 1}", "unknown key: got 'bases'.*s.yaml.*did you mean base"),
    ("base", "base: [1]", "base in s.yaml: got .1., allowed: option: value"),
    ("grid value", "grid: {lr: 0.1}", "lr of grid in s.yaml: got 0.1, allowed: a list"),
    ("grid empty", "grid: {lr: []}", "lr of grid in s.yaml: got"),
    ("grid nothing", "grid: []", "grid in s.yaml: got"),
    ("points", "points: {lr: 1}", "points in s.yaml: got"),
    ("point", "points: [3]", r"points\[0\] in s.yaml: got 3"),
    ("option", "points: [{learning_rate: 1}]", r"option of points\[0\] in s.yaml: got 'learning_r"),
    ("typo", "points: [{epslion: 1}]", "did you mean epsilon"),
    ("spelled twice", "points: [{bn-group: 4, bn_group: 4}]", "each option once"),
    ("reserved", "points: [{name: x}]", "given by the sweep itself"),
    ("resume", "base: {resume: x}", "given by the sweep itself"),
    ("seeds", "seeds: 3", "seeds in s.yaml: got 3"),
    ("seeds of words", "seeds: [x]", "seeds in s.yaml: got 'x', allowed: a whole number"),
    ("seeds negative", "seeds: [0, -1]", "seeds in s.yaml: got -1, allowed: a whole number"),
    ("seeds twice", "seeds: [1, 2, 1]", "each seed once"),
    ("repeats", "repeats: 0", "repeats in s.yaml: got 0, allowed: a whole number, 1..10000"),
    ("repeats of halves", "repeats: 2.5", "repeats in s.yaml: got 2.5"),
    ("both", "seeds: [1]\nrepeats: 2", "seeds or repeats, not both"),
    ("seed and seeds", "base: {seed: 1}\nseeds: [2]", "seed of base in s.yaml"),
    ("the same twice", "points: [{steps: 1}, {steps: 1, lr: 0.1}]", "each run once"),
    ("steps and epochs", "points: [{steps: 1, epochs: 1}]", "not allowed with argument --steps"),
)


def wrong_inputs() -> Iterator[WrongInput]:
    for name, values in POINTS.items():
        for text in values:
            base = f"base: {{steps: 1, batch: 4, method: {METHODS.get(name, 'static')}}}\n"
            option = name.replace("_", "-")
            says = rf"({option}|{name})( of points\[0\])?\b.*got .*allowed|cannot read"
            code = 3 if name == "recipe" else 2
            content = f"{base}points: [{{{name}: {text}}}]\n"
            yield _sweep(f"{name}-{text}", content, says, code)
    for name, content, says in FILES:
        yield _sweep(name, content, says, 2)


def _sweep(name: str, content: str, says: str, code: int) -> WrongInput:
    def prepare(folder: Path) -> None:
        (folder / "s.yaml").write_text(content, encoding="utf-8")

    return WrongInput(name, ["sweep", "s.yaml"], says, code, prepare)
