"""Numbers as people read them: three digits, a unit that fits."""

import pytest

from fractrain.host.reports.units import BYTES, COUNTS, JOULES, SECONDS, Units, significant


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0, 3, "0"),
        (1, 3, "1.00"),
        (127.94, 3, "128"),
        (127.94, 4, "127.9"),
        (999.6, 3, "1,000"),
        (1234.5, 3, "1,234"),
        (0.012346, 3, "0.0123"),
        (0.00012346, 3, "0.000123"),
        (1.2346e-7, 3, "1.23e-07"),
        (5e17, 3, "5.00e+17"),
        (-3.14159, 3, "-3.14"),
        (9.996, 3, "10.0"),
        (float("nan"), 3, "—"),
        (float("inf"), 3, "—"),
    ],
)
def test_digits(value: float, digits: int, text: str) -> None:
    assert significant(value, digits) == text


@pytest.mark.parametrize(
    ("units", "value", "text"),
    [
        (SECONDS, 0.0001215, "122 µs"),
        (SECONDS, 0.0009996, "1.00 ms"),
        (SECONDS, 1.2474, "1.25 s"),
        (SECONDS, 113.1, "113 s"),
        (SECONDS, 121, "2.02 min"),
        (SECONDS, 18_626.4, "5.17 h"),
        (SECONDS, 3e-12, "0.00300 ns"),
        (SECONDS, 0, "0 s"),
        (JOULES, 16.69, "16.7 J"),
        (JOULES, 33_560, "33.6 kJ"),
        (JOULES, -0.06, "-60.0 mJ"),
        (BYTES, 614_080, "614 kB"),
        (BYTES, 7, "7 B"),
        (COUNTS, 6.5, "6.50"),
        (COUNTS, 9.7e9, "9.70 G"),
        (COUNTS, 999, "999"),
        (COUNTS, 1.279e14, "128 T"),
        (COUNTS, 0, "0"),
        (SECONDS, None, "—"),
        (SECONDS, float("nan"), "—"),
    ],
)
def test_units(units: Units, value: float | None, text: str) -> None:
    assert units.text(value) == text


def test_a_common_unit_is_that_of_the_largest() -> None:
    scale = SECONDS.scale([0.8, None, float("inf"), 0.3])
    assert [scale.text(each) for each in (0.8, 0.3, None)] == ["800 ms", "300 ms", "—"]
    scale = SECONDS.scale([2.5, 0.3])
    assert scale.text(0.3) == "0.300 s"
    assert scale.text(0.099) == "99.0 ms", "below a tenth of it a unit of its own reads better"
    assert SECONDS.scale([]).text(None) == "—"
