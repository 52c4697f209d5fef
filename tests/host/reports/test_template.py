"""Text of the pages."""

import pytest

from fractrain.host.reports.template import NO_BREAK_SPACE, unbroken


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("saved 69.7 % of 122 µs", 2),
        ("9.70 G effective MACs, 16.7 J, 2.02 min, 5.17 h", 4),
        ("in 40 steps at 200 MHz", 0),
        ("seed 0 h5", 0),
        ("run 3 kept", 0),
    ],
)
def test_numbers_stay_with_their_units(text: str, units: int) -> None:
    assert unbroken(text).count(NO_BREAK_SPACE) == units
    assert unbroken(text).replace(NO_BREAK_SPACE, " ") == text
