"""What a run costs: names, units, savings."""

import pytest

from fractrain.host.reports.quantities import (
    EFFECTIVE_MACS,
    MEASURED_TIME,
    MODELLED_ENERGY,
    MODELLED_TIME,
    Cost,
    Quantity,
    percent,
)


@pytest.mark.parametrize(
    ("quantity", "value", "text"),
    [
        (EFFECTIVE_MACS, 9.7e9, "9.70 G"),
        (MODELLED_TIME, 0.0001215, "122 µs"),
        (MEASURED_TIME, 1.2474, "1.25 s"),
        (MODELLED_ENERGY, 16.69, "16.7 J"),
    ],
)
def test_each_has_its_units(quantity: Quantity, value: float, text: str) -> None:
    assert quantity.text(value) == text


def test_values_side_by_side_share_a_unit() -> None:
    assert MODELLED_TIME.texts([1.25, None, 0.5]) == ["1.25 s", "—", "0.500 s"]
    assert MODELLED_TIME.texts([1.25, 0.05]) == ["1.25 s", "50.0 ms"], "too small for that"


def test_savings() -> None:
    assert percent(Cost(3.9, 6.25).saving) == "37.6 %"
    assert percent(Cost(2, 1).saving) == "-100.0 %"
    assert percent(Cost(1, 0).saving) == percent(Cost(1, None).saving) == "—"
    assert percent(-1e-9) == "0.0 %", "nothing is not less than nothing"


def test_names_in_documents_say_the_source() -> None:
    names = [each.identifier for each in (EFFECTIVE_MACS, MODELLED_TIME, MEASURED_TIME)]
    assert names == ["effective_macs", "modelled_seconds", "measured_seconds"]
