"""How figures read: digits, units, savings."""

import pytest

from host.reports.quantities import (
    EFFECTIVE_MACS,
    MEASURED_TIME,
    MODELLED_ENERGY,
    MODELLED_TIME,
    Cost,
    Quantity,
    percent,
    significant,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "1.000"),
        (127.94, "127.9"),
        (999.96, "1000"),
        (1234.5, "1,234"),
        (123456.7, "123,457"),
        (0.012346, "0.01235"),
        (0.00012346, "1.235e-04"),
        (5e12, "5.000e+12"),
        (-3.14159, "-3.142"),
        (float("nan"), "—"),
    ],
)
def test_four_digits(value: float, text: str) -> None:
    assert significant(value) == text


@pytest.mark.parametrize(
    ("quantity", "largest", "unit", "text"),
    [
        (EFFECTIVE_MACS, 1.279e14, "10¹²", "127.9"),
        (EFFECTIVE_MACS, 1e6, "10⁶", "1.000"),
        (EFFECTIVE_MACS, 999.0, "", "999.0"),
        (MODELLED_TIME, 0.0005, "ms", "0.5000"),
        (MODELLED_TIME, 59.0, "s", "59.00"),
        (MODELLED_TIME, 90.0, "min", "1.500"),
        (MODELLED_TIME, 18_626.4, "h", "5.174"),
        (MODELLED_ENERGY, 33_550.0, "kJ", "33.55"),
        (MODELLED_ENERGY, 0.06, "mJ", "60.00"),
    ],
)
def test_units(quantity: Quantity, largest: float, unit: str, text: str) -> None:
    """The largest value decides for all."""
    scale = quantity.scale([None, largest / 1000, largest])
    assert (scale.unit, scale.text(largest)) == (unit, text)


def test_units_of_nothing() -> None:
    assert MODELLED_TIME.scale([]).text(None) == "—"
    assert EFFECTIVE_MACS.scale([0.0]).text(0.0) == "0"


def test_savings() -> None:
    assert percent(Cost(3.9, 6.25).saving) == "37.6 %"
    assert percent(Cost(2, 1).saving) == "-100.0 %"
    assert percent(Cost(1, 0).saving) == percent(Cost(1, None).saving) == "—"


def test_names_in_documents_say_the_source() -> None:
    names = [each.identifier for each in (EFFECTIVE_MACS, MODELLED_TIME, MEASURED_TIME)]
    assert names == ["effective_macs", "modelled_seconds", "measured_seconds"]
