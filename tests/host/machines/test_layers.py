"""Layers and geometries, one from the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.host.graph.geometry import Geometry
from fractrain.host.machines import geometry_of, layer_of
from fractrain.hw.contract.errors import ParameterError
from fractrain.sim.machines import Layer


@given(st.tuples(st.integers(1, 12), st.integers(1, 60), st.integers(1, 5)))
def test_back_and_forth(shape: tuple[int, int, int]) -> None:
    layer = Layer(*shape, 3, 5, 2)
    geometry = geometry_of(layer)
    assert layer_of(geometry) == layer
    assert geometry.macs == layer.macs


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (1, 1, 0), (1, 2, 0), (5, 1, 2)]
)
def test_geometries_of_networks_are_found_again(kernel: int, stride: int, padding: int) -> None:
    geometry = Geometry(2, 16, 32, (32, 32), (kernel, kernel), stride, padding)
    assert geometry_of(layer_of(geometry)) == geometry


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(1, 4, 4, (8, 9), (3, 3), 1, 1),
        Geometry(1, 4, 4, (9, 8), (3, 2), 1, 0),
        Geometry(1, 4, 4, (8, 8), (3, 3), 1, 1, groups=2),
    ],
)
def test_what_other_machines_are_not_asked(geometry: Geometry) -> None:
    with pytest.raises(ParameterError, match="square, in one group"):
        layer_of(geometry)
