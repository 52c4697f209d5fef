"""Values that do not fit are found and named."""

import numpy as np
import pytest

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.layout import check_values


@pytest.mark.parametrize(
    ("values", "bits", "signed", "message"),
    [
        ([[0, 16]], 4, False, r"a\[0, 1\]: got 16, allowed: 0\.\.15 \(4 bits, unsigned\)"),
        ([[-9, 0]], 4, True, r"a\[0, 0\]: got -9, allowed: -8\.\.7 \(4 bits, signed\)"),
        ([[0, 1], [-1, 0]], 1, False, r"a\[1, 0\]: got -1"),
    ],
)
def test_the_first_misfit_is_named(values: list, bits: int, signed: bool, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        check_values("a", np.array(values), bits, signed)


def test_the_whole_range_fits() -> None:
    check_values("a", np.array([-8, 7]), 4, True)
    check_values("a", np.array([0, 65535]), 16, False)
    check_values("a", np.zeros(0, int), 1, False)
