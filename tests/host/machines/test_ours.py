"""Our machine behind the interface: the cycle model, and what it refuses."""

from pathlib import Path

import pytest

from fractrain.host.graph.convolution import Convolution, usual_convolution
from fractrain.host.graph.geometry import Geometry
from fractrain.host.machines import Zc706, ours
from fractrain.host.modelling.energy import joules
from fractrain.host.modelling.pass_costs import PassCost, PassCosts
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass
from fractrain.sim.machines import Figures, Layer, Work

LAYER = Layer(3, 8, 1, 16, 16, 2)


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path / "build"))
    ours._costs.cache_clear()


def figures(layer: Layer, bits: tuple[int, int], pass_: Pass = Pass.FORWARD) -> Figures:
    return Zc706().figures(Work(layer, pass_, bits))


@pytest.mark.parametrize("memory", ["port", "ddr"])
def test_it_is_the_cost_of_a_pass(memory: str, tmp_path: Path) -> None:
    parameters = load_parameters("zc706")
    geometry = Geometry(2, 16, 16, (8, 8), (3, 3), 1, 1)
    cost = PassCosts(parameters, memory, tmp_path).get(
        usual_convolution(Pass.ERROR, geometry, (4, 3))
    )
    found = Zc706(memory).figures(Work(LAYER, Pass.ERROR, (4, 3)))
    assert found.cycles == cost.cycles and found.macs == geometry.macs
    assert found.cycles - found.stall_cycles == cost.busy_cycles
    assert found.dram_read_bits + found.dram_write_bits == 8 * cost.bytes_moved
    assert found.seconds == cost.cycles / 200e6
    assert found.joules == joules(parameters, cost.cycles, cost.busy_cycles, cost.bytes_moved)
    # sixteen planes of 2 images x 16 channels x 8 x 8 pixels; at the port they do not go to memory
    assert found.dram_write_bits == (16 * 2 * 16 * 64 if memory == "ddr" else 0)


def test_time_is_bits_times_bits() -> None:
    two, four = figures(LAYER, (2, 2)), figures(LAYER, (4, 4))
    assert four.cycles - four.stall_cycles == 4 * (two.cycles - two.stall_cycles)


def test_large_batches_are_on_a_line() -> None:
    eight, twelve, many = (figures(Layer(*LAYER.numbers, batch), (2, 2)) for batch in (4, 8, 16))
    assert many.cycles - twelve.cycles == pytest.approx(2 * (twelve.cycles - eight.cycles), abs=2)
    assert many.macs == 2 * twelve.macs


def test_a_large_layer_is_asked_for_less_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = figures(LAYER, (2, 2))
    monkeypatch.setattr(ours, "LARGE_PRODUCTS", 1000)
    found = figures(LAYER, (2, 2))
    assert usual.notes == () and found.notes == (ours.LARGE,)
    geometry = Geometry(2, 16, 16, (8, 8), (3, 3), 1, 1)
    alone = PassCosts(load_parameters("zc706"), "ddr", tmp_path).get(
        usual_convolution(Pass.FORWARD, geometry, (2, 2)), alone=True
    )
    # its start is not hidden
    assert found.cycles == alone.cycles > usual.cycles
    assert found.stall_cycles - usual.stall_cycles == found.cycles - usual.cycles
    assert figures(Layer(1, 1, 1, 16, 16, 1), (1, 1)).notes == ()
    monkeypatch.setattr(ours, "LARGE_WEIGHTS", 10)
    assert figures(Layer(1, 1, 1, 16, 16, 1), (1, 1)).notes == (ours.LARGE,)


def test_an_array_is_not_busier_than_there_are_cycles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With few images a gradient takes as long as its results take to memory."""

    def get(self: PassCosts, convolution: Convolution, *, alone: bool = False) -> PassCost:
        images = convolution.geometry.images
        return PassCost(max(1000, 100 * images), 100 * images, 5000, 4000, 7)

    monkeypatch.setattr(PassCosts, "get", get)
    geometry = Geometry(16, 16, 16, (8, 8), (3, 3), 1, 1)
    convolution = usual_convolution(Pass.GRADIENT, geometry, (4, 4))
    found = PassCosts(load_parameters("zc706"), "ddr", tmp_path).of_batch(convolution)
    assert found == PassCost(1600, 1600, 5000, 4000, 7)
