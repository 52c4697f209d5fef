"""What the compiler decides by a limit: at the limit, one below it and one above."""

from __future__ import annotations

import numpy as np
import pytest

from fractrain.host.compiler import Step, compile_program, residency
from fractrain.host.compiler.canonical import ways
from fractrain.host.compiler.choosing import FormChoice
from fractrain.host.compiler.planning import TooLarge, image_groups, raw_format
from fractrain.host.compiler.slices import pair_count, pairs_of
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.commands import Convolve, Format, Pattern, Store
from fractrain.hw.contract.configuration_checks import WINDOW_PATTERNS
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from tests.host.compiler.running import run, three_passes
from tests.hw.machines import machine

LEAST = -(1 << 15)
LARGE = {
    "buffers__plane_words": 65536,
    "buffers__column_words": 65536,
    "buffers__gradient_words": 65536,
}


@pytest.mark.parametrize(
    ("bound", "format_"),
    [
        (2**31 - 1, Format.RAW32),
        (2**31, Format.RAW48),
        (2**31 + 1, Format.RAW48),
    ],
)
def test_raw_sums_of_32_bits(bound: int, format_: Format) -> None:
    assert raw_format(bound) is format_


@pytest.mark.parametrize(("terms", "bytes_written"), [(1, 4), (2, 6), (3, 6)])
def test_a_sum_of_exactly_2_31_is_no_negative_one(terms: int, bytes_written: int) -> None:
    p = machine()
    step = three_passes(Geometry(1, 8, terms, (4, 4), (1, 1)), (1, 16, 16))[1]
    program = compile_program(p, [step])
    shapes = {"e": step.geometry.errors, "w": step.geometry.weights}
    operands = {name: np.full(shape, LEAST) for name, shape in shapes.items()}
    results, counted = run(program, operands, {0: Precision(1, 16, 16)})
    assert np.all(np.asarray(results["dx"]) == terms * 2**30)
    assert sum(counted.bytes_written.values()) == bytes_written * p.array.rows * p.array.columns


@pytest.mark.parametrize(
    ("images", "bound", "groups"),
    [
        (2**47 - 1, 1, 1),
        (2**47, 1, 2),
        (2**47 + 1, 1, 2),
        (1, 2**47 - 1, 1),
        (3, 2**47 - 1, 3),
        (2, 2**46 - 1, 1),
        (2, 2**46, 2),
    ],
)
def test_images_whose_sums_fit_the_accumulators(images: int, bound: int, groups: int) -> None:
    found = image_groups(images, bound)
    assert len(found) == groups
    assert all((each.stop - each.start) * bound < 2**47 for each in found)
    assert (found[0].start, found[-1].stop) == (0, images)
    assert all(before.stop == after.start for before, after in zip(found, found[1:], strict=False))


@pytest.mark.parametrize("bound", [2**47, 2**47 + 1])
def test_an_image_beyond_the_accumulators(bound: int) -> None:
    with pytest.raises(TooLarge):
        image_groups(1, bound)


def test_sums_of_2_47_are_refused_and_those_below_exact() -> None:
    """Errors and weights of 16 bits: 2^30 a product."""
    p = machine("zc706", array__spatial_bits=8)

    def step_of(terms: int) -> Step:
        return three_passes(Geometry(1, 1, terms, (1, 1), (1, 1)), (1, 16, 16))[1]

    for terms in (2**17, 2**17 + 1):
        with pytest.raises(ParameterError, match=r"sums below 2\^47"):
            compile_program(p, [step_of(terms)])
    step = step_of(2**17 - 1)
    program = compile_program(p, [step])
    shapes = {"e": step.geometry.errors, "w": step.geometry.weights}
    operands = {name: np.full(shape, LEAST) for name, shape in shapes.items()}
    results, _ = run(program, operands, {0: Precision(1, 16, 16)})
    assert int(np.asarray(results["dx"]).item()) == (2**17 - 1) * 2**30


def test_what_a_command_can_count() -> None:
    """Fields as large as they can be, and cut where more would be needed: encoding refuses more."""
    p = machine(**LARGE, array__cluster_columns=1)

    def most(geometry: Geometry, pass_: int, kind: type, name: str) -> int:
        step = three_passes(geometry, (1, 1, 1))[pass_]
        commands = compile_program(p, [step]).decoded
        return max(getattr(each, name) for each in commands if isinstance(each, kind))

    for groups in (1023, 1024, 1025):
        deep = Geometry(1, 8 * groups, 1, (1, 1), (3, 3), 1, 1)
        assert most(deep, 0, Convolve, "slices") == (1023 if groups == 1023 else (groups + 1) // 2)
    for rows in (255, 256, 257):
        assert most(Geometry(1, 1, 1, (rows, 16), (1, 1)), 0, Convolve, "tiles_y") <= 255
    for blocks in (63, 64, 65):
        wide = Geometry(1, 1, 1, (2, 16 * blocks), (3, 3), 1, 1)
        assert most(wide, 0, Convolve, "tiles_x") == (63 if blocks == 63 else 1)
    for groups in (909, 910, 911):
        pairs = pair_count(groups, (3, 3))
        deep = Geometry(1, 8 * groups, 1, (1, 1), (3, 3), 1, 1)
        assert (most(deep, 2, Store, "images") == pairs) == (pairs <= 4095)


@pytest.mark.parametrize("kernel", [(1, 1), (1, 3), (3, 3)])
def test_pairs_are_counted_as_they_are_made(kernel: tuple[int, int]) -> None:
    for groups in range(6):
        for stride in (1, 2):
            assert pair_count(groups, kernel) == len(pairs_of(range(groups), kernel, stride))


def test_the_largest_window_has_as_many_patterns_as_a_table_must_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every way of every pass, rows of every width, slices of every shape."""
    found: set[int] = set()

    class Watched(residency.PatternTable):
        def need(self, entries: tuple[Pattern, ...]) -> tuple[int, bool]:
            found.add(len(entries))
            return super().need(entries)

    monkeypatch.setattr("fractrain.host.compiler.schedule.PatternTable", Watched)
    p = machine(**LARGE)
    for side in (1, 3):
        for stride in (1, 2):
            for width in (3, 8, 16, 32, 48, 160):
                for images, rows in ((1, 1), (2, 2), (3, 3), (4, 9)):
                    g = Geometry(images, 11, 1, (rows * stride, width), (side, side), stride, 1)
                    compile_every_way(p, g, monkeypatch)
    assert max(found) == WINDOW_PATTERNS


def compile_every_way(p: Parameters, g: Geometry, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in three_passes(g, (1, 1, 1)):
        for way in ways(step.pass_, g):
            with monkeypatch.context() as forced:
                forced.setattr(FormChoice, "_form", lambda self, s, w=way: self._compiled(s, w))
                compile_program(p, [step])
