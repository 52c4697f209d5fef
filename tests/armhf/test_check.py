"""What the check of the board's Python must not let pass."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from fractrain.hw.contract.errors import DataError, MismatchError
from tests.armhf.check import (
    NOT_THESE,
    TESTS,
    largest_difference,
    require_present,
    require_weights,
)
from tests.host.training.pinned import ON_RANDOM_PIXELS


def test_every_test_that_is_listed_is_there(tmp_path: Path) -> None:
    require_present((*TESTS, *NOT_THESE))
    (tmp_path / "test_one.py").touch()
    require_present(["test_one.py::test_x"], tmp_path)
    with pytest.raises(DataError, match=r"lists test_two.py::test_x, which does not exist"):
        require_present(["test_one.py", "test_two.py::test_x"], tmp_path)


def test_losses() -> None:
    assert largest_difference([(2.0, 2.0), (2.0, 2.001)]) == pytest.approx(5e-4)
    with pytest.raises(MismatchError, match="differ by 5.0e-01"):
        largest_difference([(2.0, 2.0), (2.0, 1.0)])


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_loss_that_is_no_number(place: int, wrong: float) -> None:
    """Wherever it is: `max` keeps the number that it has seen before a NaN."""
    losses = [(2.0, 2.0), (2.0, 2.0)]
    losses[place] = (2.0, wrong)
    with pytest.raises(MismatchError, match="no numbers"):
        largest_difference(losses)


@pytest.mark.parametrize("wrong", [{}, {"weights_sha256": "0" * 64}, {"test_accuracy": 99.0}])
def test_weights(wrong: dict[str, object]) -> None:
    pinned = ON_RANDOM_PIXELS
    right = {"weights_sha256": pinned.weights_sha256, "test_accuracy": pinned.test_accuracy}
    if not wrong:
        return require_weights("here", right)
    with pytest.raises(MismatchError, match=r"weights and test accuracy on armhf are .*, not"):
        require_weights("on armhf", right | wrong)
