"""Values in the file of `--recipe` that a field does not take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fractrain.host.methods.registry import methods_that_read
from tests.wrong_inputs.wrong_input import WrongInput

NUMBERS = ("epsilon", "alpha", "target", "beta", "dead_band")
WHOLE_NUMBERS = ("interval", "weight_bits", "backward_bits", "cycles")
LISTS = (
    *("schedule_forward", "schedule_backward", "targets", "candidates", "precision"),
    "forward_bits",
)
FLAGS = ("skip",)

NO_NUMBERS = ("much", "-1", "1e30", "[1]", "{a: 1}", "true", "inf", "'nan'", "'0x10'", "1,5", "''")
NO_WHOLE_NUMBERS = ("3.5", "1.0", "1e2", "0", "-3", "many", "[4]", "false", "99999999999999")
NO_LISTS = ("{a: 1}", "[]", "[x]", "[[[1]]]", "[-1]", "[true]", "3", "1000", "[null]", "''")

NO_FLAGS = ("1", "0", "'true'", "maybe", "[true]", "{a: true}", "''")

AMBIGUOUS = (
    "010",
    "0o10",
    "0x10",
    "1_000",
    "12:30:45",
    "yes",
    "off",
    ".inf",
    "-.INF",
    ".nan",
    "1e999",
)
"""Numbers that versions of YAML read differently, and such that no arithmetic goes on with."""

CONTRADICTIONS = (
    ("pfq", "schedule_forward: [8, 4]\nschedule_backward: [6, 8]", "values that never fall"),
    ("pfq", "schedule_forward: [3, 4]", "two of the same length"),
    ("pfq", "schedule_forward: [0, 4]\nschedule_backward: [6, 8]", "or 0/0 to skip"),
    ("fractrain", "targets: [3, 2, 1]", "values that never fall"),
    ("fractrain", "candidates: [[3, 6], [3, 6]]", "all different"),
    ("fractrain", "candidates: [[3, 4, 6], [3, 6]]", "all different"),
    ("dfq", "candidates: [[4, 4, 0], [8, 8, 8]]", "or 0/0/0 to skip"),
    ("dfq", "candidates: [[4, 4, 6], [8, 8, 8]]\nweight_bits: 6", "with candidates F/B only"),
    ("cpt", "forward_bits: [8, 3]", "the lower one first"),
    ("static", "precision: [8, 0, 8]", "at least 1 bit"),
)


def wrong_inputs() -> Iterator[WrongInput]:
    for fields, texts in (
        (NUMBERS, NO_NUMBERS),
        (WHOLE_NUMBERS, NO_WHOLE_NUMBERS),
        (LISTS, NO_LISTS),
        (FLAGS, NO_FLAGS),
    ):
        for field in fields:
            for text in texts:
                says = rf"{field}: got .*\({field} in r.yaml\)"
                yield _recipe(f"{field}-{text}", f"{field}: {text}", field, says)
    for number, text in enumerate(AMBIGUOUS):
        fields = (*NUMBERS, *WHOLE_NUMBERS)
        field = fields[number % len(fields)]
        says = rf"{field}: got '{text}', allowed: .*\(line 2 of r.yaml\)"
        yield _recipe(f"{field}-{text}", f"# a recipe\n{field}: {text}", field, says)
    for wrong, meant in (("epsilom", "epsilon"), ("weight-bits", "weight_bits"), ("Beta", "beta")):
        says = f"unknown key: got '{wrong}', allowed: method, .*r.yaml.*did you mean {meant}"
        yield _recipe(f"field {wrong}", f"{wrong}: 1", "epsilon", says)
    yield _recipe("twice", "beta: 1\nalpha: 0.5\nbeta: 2", "beta", "line 1 has it already .line 3")
    yield _recipe("method", "method: sgd", "beta", "method: got 'sgd', allowed: static,")
    for number, (method, text, says) in enumerate(CONTRADICTIONS):
        yield _recipe(f"contradiction {number}", text, "", f"{says}.*r.yaml is the recipe", method)


def _recipe(name: str, text: str, field: str, says: str, method: str = "") -> WrongInput:
    """For a ``method`` that reads ``field``."""

    def prepare(folder: Path) -> None:
        (folder / "r.yaml").write_text(text + "\n", encoding="utf-8")

    method = method or methods_that_read(field)[0]
    arguments = ["train", "--method", method, "--recipe", "r.yaml"]
    return WrongInput(name, arguments, says, prepare=prepare)
