"""A pass of a convolution as a value."""

import pytest

from fractrain.host.graph.convolution import usual_convolution
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.precision import Pass, Precision


@pytest.mark.parametrize(
    ("pass_", "expected"),
    [
        (Pass.FORWARD, Precision(6, 3, 1)),
        (Pass.ERROR, Precision(1, 3, 6)),
        (Pass.GRADIENT, Precision(6, 1, 3)),
    ],
)
def test_precision_has_the_bits_of_the_multiplied_operands(
    pass_: Pass, expected: Precision
) -> None:
    """Activation, weight, error."""
    geometry = Geometry(1, 4, 4, (4, 4), (1, 1))
    assert usual_convolution(pass_, geometry, (6, 3)).precision == expected
    assert usual_convolution(pass_, geometry, (6, 3), stored=8).precision == expected
