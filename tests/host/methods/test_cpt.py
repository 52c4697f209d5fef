"""CPT: the bits of every step against cosines of 60 digits, ties by hand, runs and their ends."""

from __future__ import annotations

import decimal
import functools
import itertools
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.host.cli.main import main
from fractrain.host.methods import cpt
from fractrain.host.methods.cpt import CyclicBits, first_position
from fractrain.host.methods.method import Method, Task
from fractrain.host.methods.recipe import make_recipe, read_recipe
from fractrain.host.runs import running
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import MAX_BITS, Precision

PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")
WIDTHS = tuple(itertools.combinations_with_replacement(range(1, MAX_BITS + 1), 2))


@functools.cache
def cosine(x: Fraction) -> Decimal:
    """cos(π·x) by its series, to more than 50 digits for x in 0..1."""
    with decimal.localcontext(prec=60):
        square = (PI * x.numerator / x.denominator) ** 2
        term, total = Decimal(1), Decimal(0)
        for k in range(60):
            total += term
            term *= -square / ((2 * k + 1) * (2 * k + 2))
        return total


def expected(lowest: int, highest: int, x: Fraction) -> int:
    """The formula, rounded half up; closer than 10⁻⁴⁰ to a half is a half."""
    with decimal.localcontext(prec=60):
        value = lowest + (highest - lowest) * (1 - cosine(x)) / 2 + Decimal("0.5")
        whole = value.to_integral_value()
        return int(whole if abs(value - whole) < Decimal("1e-40") else value // 1)


def build(steps: int, **options: Any) -> Method:
    task = Task(steps, 10, [16], [100], mode="float", rng=np.random.default_rng(0))
    return make_recipe("cpt", **options).build(task)


def bits_of(method: Method, steps: int) -> list[int]:
    found = []
    for step in range(steps):
        method.before_step(step)
        found.append(method.selector.precision.activation)  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 7, 12, 30, 61, 64])
def test_every_step_of_a_cycle_for_every_pair_of_bounds(length: int) -> None:
    for lowest, highest in WIDTHS:
        bits = CyclicBits(lowest, highest, 3, 3 * length)
        found = [bits(step) for step in range(3 * length)]
        wanted = [expected(lowest, highest, Fraction(step, length)) for step in range(length)]
        assert found == 3 * wanted, (lowest, highest)


@pytest.mark.parametrize(("steps", "cycles"), [(64_001, 32), (6_000, 32), (97, 10), (1000, 999)])
def test_cycles_that_do_not_divide_the_run(steps: int, cycles: int) -> None:
    bits = CyclicBits(3, 8, cycles, steps)
    length = Fraction(steps, cycles)
    for step in range(steps) if steps < 10_000 else range(0, steps, 37):
        assert bits(step) == expected(3, 8, step % length / length)
    starts = [step for step in range(1, steps) if step // length > (step - 1) // length]
    assert len(starts) == cycles - 1
    if length > 5:  # cos(π/5) is above ⅘: bits rise later
        assert {bits(step) for step in starts} == {3}
    assert bits(steps - 1) == expected(3, 8, 1 - 1 / length)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(WIDTHS), st.integers(1, 10**8), st.data())
def test_positions_of_long_runs(bounds: tuple[int, int], steps: int, data: st.DataObject) -> None:
    """Beside each threshold, where it is decided, and anywhere."""
    lowest, highest = bounds
    bits = CyclicBits(lowest, highest, 1, steps)
    places = {data.draw(st.integers(0, steps - 1))}
    for number in range(highest - lowest):
        first = first_position(1 - Fraction(2 * number + 1, highest - lowest), steps)
        places |= {each for each in (first - 1, first) if each < steps}
    for each in places:
        assert bits(each) == expected(lowest, highest, Fraction(each, steps))


@pytest.mark.parametrize(
    ("lowest", "highest", "x", "bits"),
    [
        # halves are between b and b + 1: b + 1
        (3, 8, Fraction(1, 2), 6),
        (4, 5, Fraction(1, 2), 5),
        (1, 16, Fraction(1, 2), 9),
        (3, 5, Fraction(1, 3), 4),
        (3, 5, Fraction(2, 3), 5),
        (2, 8, Fraction(1, 3), 4),
        (2, 8, Fraction(2, 3), 7),
        (1, 11, Fraction(1, 3), 4),
        # a whole number
        (2, 8, Fraction(1, 2), 5),
        (3, 7, Fraction(1, 3), 4),
    ],
)
@pytest.mark.parametrize("sixths", [1, 1_000, 16_666_666])
def test_ties_go_up(lowest: int, highest: int, x: Fraction, bits: int, sixths: int) -> None:
    """And only ties: at the position before, the bits are those below."""
    schedule = CyclicBits(lowest, highest, 1, 6 * sixths)
    tie = int(x * 6 * sixths)
    assert schedule(tie) == bits == expected(lowest, highest, x)
    assert schedule(tie - 1) == expected(lowest, highest, x - Fraction(1, 6 * sixths))


def test_all_ties_are_in_the_table() -> None:
    """Wherever 60 digits see a tie, and nowhere else, the cosine is one of the table."""
    for position, count in itertools.product(range(1, 420), range(1, MAX_BITS)):
        x = Fraction(position, 420)
        ties = [
            number
            for number in range(count)
            if abs(cosine(x) - 1 + Decimal(2 * number + 1) / count) < Decimal("1e-25")
        ]
        table = [c for c, place in cpt.RATIONAL_CROSSINGS.items() if place == x]
        assert [1 - Fraction(2 * number + 1, count) for number in ties] in (table, [])
        assert bool(ties) == any(1 - Fraction(2 * n + 1, count) in table for n in range(count))


def test_digits_are_added_until_they_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [first_position(Fraction(n, 15), 10**8) for n in range(-14, 15)]
    for digits in (1, 2, 3, 25):
        monkeypatch.setattr(cpt, "DIGITS", digits)
        assert [first_position(Fraction(n, 15), 10**8) for n in range(-14, 15)] == wanted


def test_a_cycle_rises_from_the_lowest_to_the_highest() -> None:
    method = build(64, cycles=2)
    bits = bits_of(method, 64)
    assert bits[:32] == bits[32:] == sorted(bits[:32])
    assert (bits[0], bits[31], set(bits)) == (3, 8, set(range(3, 9)))
    assert method.selector.precisions == tuple(Precision(b, b, 8) for b in range(3, 9))
    assert method.target_cp is None and len(method.stages) == method.stages_planned == 1


def test_an_evaluation_has_the_bits_of_the_step_before_it() -> None:
    method = build(64, cycles=2, backward_bits=6)
    for steps, bits in ((0, 3), (1, 3), (32, 8), (33, 3), (64, 8)):
        method.before_evaluation(steps)
        assert method.selector.precision == Precision(bits, bits, 6)  # type: ignore[attr-defined]


def test_published_settings() -> None:
    defaults = {"forward_bits": [3, 8], "backward_bits": 8, "cycles": 32}
    assert make_recipe("cpt").record == defaults
    assert make_recipe("cpt", **read_recipe("cpt")).record == defaults
    assert make_recipe("cpt", **read_recipe("cpt-bw6")).record == defaults | {"backward_bits": 6}


def test_constant_bits_are_a_range_too() -> None:
    assert bits_of(build(40, forward_bits=(5, 5)), 40) == [5] * 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"forward_bits": (8, 3)}, r"forward_bits: got \(8, 3\), allowed: the lower one first"),
        ({"forward_bits": (0, 3)}, "forward_bits: got .*each 1..16"),
        ({"forward_bits": (3,)}, "forward_bits"),
        ({"backward_bits": 17}, "backward_bits: got 17"),
        ({"cycles": 0}, "cycles: got 0"),
        ({"cycles": 41}, "cycles: got 41, allowed: at most 40, the steps of the run"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        build(40, **options)


# -- whole runs ----------------------------------------------------------------------------------

TRAIN = (
    *("train", "--method", "cpt", "--batch", "4", "--test-images", "2", "--steps", "8"),
    *("--cycles", "2", "--forward-bits", "2,5", "--backward-bits", "6"),
)
CYCLE = [2, 2, 4, 5]
"""x = 0, ¼, ½, ¾: 2, 2.44, 3.5, 4.56."""


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_report", lambda folder: None)


def test_the_command_line_trains_with_it(
    tmp_path: Path, no_page: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TRAIN, "--out", str(tmp_path)]) == 0
    run = (tmp_path / "latest").resolve()
    assert run.name == "digits-resnet8-cpt-2to5-bw6-golden-seed0"
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["bits"] for line in lines] == [[[b, b, 6]] * 3 for b in 2 * CYCLE]
    options = {"forward_bits": [2, 5], "backward_bits": 6, "cycles": 2}
    assert json.loads((run / "config.json").read_text())["method_options"] == options
    summary = json.loads((run / "summary.json").read_text())
    assert summary["stages"] == [{**options, "first_step": 0, "first_epoch": 0}]
    assert "forward_bits [2, 5], backward_bits 6, cycles 2 from step 0" in capsys.readouterr().out


def test_a_run_goes_on_where_it_was(
    tmp_path: Path, no_page: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--checkpoint-every", "1", "--evaluate-every", "3", "--out", str(tmp_path)]
    assert main([*TRAIN, *options, "--name", "whole"]) == 0
    before = cpt.CyclicMethod.before_step

    def failing(self: cpt.CyclicMethod, step: int) -> None:
        if step == 6:
            raise KeyboardInterrupt
        before(self, step)

    with monkeypatch.context() as patched:
        patched.setattr(cpt.CyclicMethod, "before_step", failing)
        assert main([*TRAIN, *options, "--name", "parts"]) == 130
    assert main(["train", "--resume", str(tmp_path / "parts")]) == 0
    for name in ("log.jsonl", "evaluations.jsonl"):
        one, other = ((tmp_path / run / name).read_bytes() for run in ("whole", "parts"))
        assert one == other
    one, other = (
        json.loads((tmp_path / run / "summary.json").read_text())["weights_sha256"]
        for run in ("whole", "parts")
    )
    assert one == other


def test_its_report_shows_the_bits_of_every_step(tmp_path: Path) -> None:
    assert main([*TRAIN, "--out", str(tmp_path)]) == 0
    page = (tmp_path / "latest" / "report.html").read_text()
    assert "Bits of activations" in page


def test_a_run_shorter_than_its_cycles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--method", "cpt", "--steps", "20", "--out", str(tmp_path)]
    assert main(["train", *options]) == 2
    assert "cycles: got 32, allowed: at most 20" in capsys.readouterr().err
