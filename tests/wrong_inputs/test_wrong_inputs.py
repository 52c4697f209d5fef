"""Whatever users get wrong ends in one line that names it, and nothing is lost or half-written."""

from pathlib import Path

import pytest

from tests.wrong_inputs.drawing import KINDS, draw, judge
from tests.wrong_inputs.wrong_input import WrongInput

CASES = [pytest.param(case, id=f"{kind}-{case.name}") for kind in KINDS for case in draw(kind)]


@pytest.mark.parametrize("case", CASES)
def test_is_refused_in_one_line(case: WrongInput, tmp_path: Path) -> None:
    said, found = judge(case, tmp_path)
    assert not found, f"{said}\n" + "\n".join(found)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_enough(kind: str) -> None:
    assert len(draw(kind)) >= 15
