"""Methods: which precision comes when, and what they refuse."""

import pytest

from host.training.methods import ProgressiveMethod, Stage, StaticMethod
from hw.contract.errors import ParameterError
from hw.contract.precision import Precision


def test_static_never_changes() -> None:
    method = StaticMethod(Precision(4, 3, 6))
    for epoch in range(30):
        method.end_epoch(1.0, 10 * (epoch + 1))
    assert method.precision == Precision(4, 3, 6)
    assert method.stages == [Stage(Precision(4, 3, 6), 0)]


def test_progressive_climbs_the_published_schedule() -> None:
    method = ProgressiveMethod()
    for epoch in range(30):
        method.end_epoch(1.0, 10 * (epoch + 1))
    assert method.stages == [
        Stage(Precision(3, 3, 6), 0),
        Stage(Precision(4, 4, 6), 50),
        Stage(Precision(6, 6, 8), 100),
        Stage(Precision(8, 8, 8), 150),
    ]
    assert method.precision == Precision(8, 8, 8)


def test_progressive_stays_while_the_loss_falls() -> None:
    method = ProgressiveMethod()
    for epoch in range(12):
        method.end_epoch(30.0 - 2 * epoch, epoch + 1)
    assert method.precision == Precision(3, 3, 6)


def test_schedule_of_two() -> None:
    method = ProgressiveMethod([2, 16], [4, 16], epsilon=0.1, alpha=1.0)
    for epoch in range(30):
        method.end_epoch(1.0, epoch + 1)
    assert [stage.precision for stage in method.stages] == [
        Precision(2, 2, 4),
        Precision(16, 16, 16),
    ]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([3, 4], [6]), {}, "same length"),
        (([], []), {}, "same length"),
        (([3, 0], [6, 6]), {}, "at least 1 bit"),
        (([3, 17], [6, 6]), {}, "got 17"),
        ((), {"epsilon": 0}, "epsilon: got 0"),
        ((), {"epsilon": float("nan")}, "epsilon"),
        ((), {"alpha": 0}, "alpha: got 0"),
        ((), {"alpha": 1.5}, "alpha: got 1.5"),
    ],
)
def test_progressive_refuses(arguments: tuple, options: dict[str, float], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        ProgressiveMethod(*arguments, **options)


def test_static_refuses_to_skip() -> None:
    with pytest.raises(ParameterError, match="at least 1 bit"):
        StaticMethod(Precision(4, 0, 6))
