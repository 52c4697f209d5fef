"""The one formula for a convolution's output, and the one for its work."""

import pytest

from fractrain.host.graph.convolution import operand_shapes
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Pass


def test_shapes_and_work() -> None:
    geometry = Geometry(2, 6, 8, (9, 7), (3, 3), 2, 1, groups=2)
    assert geometry.output == (5, 4)
    assert (geometry.activations, geometry.errors) == ((2, 6, 9, 7), (2, 8, 5, 4))
    assert geometry.weights == (8, 3, 3, 3)
    assert geometry.macs == 2 * 8 * 5 * 4 * 3 * 9
    assert operand_shapes(Pass.FORWARD, geometry)[2] == geometry.errors
    assert operand_shapes(Pass.ERROR, geometry)[2] == geometry.activations
    assert operand_shapes(Pass.GRADIENT, geometry)[2] == geometry.weights


@pytest.mark.parametrize("groups", [0, 4])
def test_groups_divide_channels_and_filters(groups: int) -> None:
    with pytest.raises(ParameterError, match="groups"):
        Geometry(1, 6, 8, (4, 4), (3, 3), groups=groups)
