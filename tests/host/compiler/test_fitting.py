"""Steps that fit on the chip alone, and what becomes of them in a program with others."""

from __future__ import annotations

import pytest

from fractrain.host.compiler import Planes, Step, compile_program
from fractrain.host.compiler.canonical import Way
from fractrain.host.compiler.compilation import Compilation
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Pass, Precision
from tests.host.compiler.running import check
from tests.hw.machines import machine


def test_a_step_whose_rows_become_too_wide_is_a_matrix_product() -> None:
    """Its own 110 pixels take 7 blocks, a row of tiles of which has room for its sums; beside a
    step of stride 2 they take 8."""
    p = machine(precision__max_bits=4, buffers__plane_words=120, buffers__gradient_words=28)
    steps = [
        Step(
            Pass.FORWARD,
            Geometry(1, 16, 8, (4, 110), (3, 3), stride, 1),
            0,
            "a",
            f"w{stride}",
            f"y{stride}",
            (4, 4),
        )
        for stride in (1, 2)
    ]

    def ways_of(steps: list[Step]) -> list[Way]:
        return [each.way for each in Compilation(p, steps, 0).compiled]

    assert ways_of(steps[:1]) == ways_of(steps[1:]) == [Way.DIRECT]
    assert ways_of(steps) == [Way.UNFOLDED, Way.DIRECT]
    check(p, steps, {0: Precision(4, 4, 4)})


@pytest.mark.parametrize("width", [320, 400, 1000])
def test_what_stays_in_memory_is_right_or_refused(width: int) -> None:
    """A matrix product leaves its results otherwise than the next step reads them."""
    p = machine()
    steps = [
        Step(
            Pass.FORWARD,
            Geometry(1, 8, 8, (6, width), (3, 3), 1, 1),
            0,
            "x",
            "w1",
            "a1",
            (8, 4),
            Planes(4, shift=5),
        ),
        Step(Pass.FORWARD, Geometry(1, 8, 8, (6, width), (1, 1)), 1, "a1", "w2", "y", (4, 4)),
    ]
    table = {0: Precision(8, 4, 1), 1: Precision(4, 4, 1)}
    if width == 320:
        check(p, steps, table)
        return
    with pytest.raises(ParameterError, match=r"rows of x: got '\d+ pixels', .*plane_words is 512"):
        compile_program(p, steps)
    check(p, steps[:1], table)
