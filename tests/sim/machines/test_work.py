"""What a machine is asked."""

import pytest

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Pass
from fractrain.sim.machines import Figures, Layer, Work


def test_a_layer() -> None:
    layer = Layer(3, 16, 2, 8, 32, 4)
    assert layer.macs == 9 * 256 * 8 * 32 * 4
    assert layer.text == "3,16,2,8,32 at batch 4"
    assert layer.error == Layer(3, 32, 1, 32, 8, 4)
    assert Layer(3, 16, 1, 8, 32, 4).error.error == Layer(3, 16, 1, 8, 32, 4)


@pytest.mark.parametrize(
    "numbers", [(0, 1, 1, 1, 1, 1), (3, 16, 2, 8, 32, -1), (1.0, 1, 1, 1, 1, 1), (True,) * 6]
)
def test_what_is_no_layer(numbers: tuple) -> None:
    with pytest.raises(ParameterError, match="whole numbers of at least 1"):
        Layer(*numbers)


def test_a_layer_too_large_to_count() -> None:
    most = Layer(1, 1 << 10, 1, 1 << 11, 1 << 11, 1)
    assert most.macs == 1 << 42
    with pytest.raises(ParameterError, match="MACs"):
        Layer(1, 1 << 10, 1, 1 << 11, 1 << 11, 2)


@pytest.mark.parametrize("bits", [(0, 4), (4, 17), (4.0, 4)])
def test_bits_are_checked(bits: tuple) -> None:
    with pytest.raises(ParameterError, match="bits"):
        Work(Layer(1, 1, 1, 1, 1, 1), Pass.FORWARD, bits)


def test_figures_add_up() -> None:
    one = Figures(1, 2, 3, 4.0, 5, 6, 7.0, ("a", "b"))
    two = Figures(10, 20, 30, 40.0, 50, 60, 70.0, ("b", "c"))
    assert one + two == Figures(11, 22, 33, 44.0, 55, 66, 77.0, ("a", "b", "c"))
