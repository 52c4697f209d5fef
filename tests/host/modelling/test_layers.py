"""A network as shapes: the convolutions that training really asks for."""

import numpy as np
import pytest

from fractrain.host.graph.choice import UNQUANTIZED
from fractrain.host.modelling import LayerShape, layer_precisions, layer_shapes
from fractrain.host.modelling.layers import training_program
from fractrain.host.modelling.pass_costs import predict_program
from fractrain.host.networks.resnet import ResNet, build_network
from fractrain.host.simulation.programs import ResultForm, make_job
from fractrain.host.simulation.step import record_training_step
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.sim.cycles import predict
from fractrain.sim.memory_model import MemoryModel

PARAMETERS = load_parameters("zc706")
BITS = Precision(4, 3, 6)


def network(model: str = "resnet8") -> ResNet:
    return build_network(model, channels=3, classes=10, rng=np.random.default_rng(0))


def test_shapes_in_forward_order() -> None:
    shapes = layer_shapes(network(), (32, 24))
    assert [each.name for each in shapes] == [
        "first",
        *("stage0.block0.first", "stage0.block0.second"),
        *("stage1.block0.first", "stage1.block0.second", "stage1.block0.shortcut"),
        *("stage2.block0.first", "stage2.block0.second", "stage2.block0.shortcut"),
    ]
    assert shapes[0] == LayerShape("first", 3, 16, (32, 24), (3, 3), 1, 1, needs_error=False)
    assert shapes[3] == LayerShape("stage1.block0.first", 16, 32, (32, 24), (3, 3), 2, 1)
    assert shapes[4] == LayerShape("stage1.block0.second", 32, 32, (16, 12), (3, 3), 1, 1)
    assert shapes[8] == LayerShape("stage2.block0.shortcut", 32, 64, (16, 12), (1, 1), 2, 0)


def test_passes() -> None:
    first, second = layer_shapes(network(), (32, 32))[:2]
    assert first.passes == (Pass.FORWARD, Pass.GRADIENT)
    assert second.passes == tuple(Pass)


def test_precisions_of_blocks() -> None:
    net = network()
    blocks = [Precision(3, 3, 6), Precision(0, 0, 0), Precision(8, 8, 8)]
    found = dict(zip(layer_shapes(net, (32, 32)), layer_precisions(net, blocks), strict=True))
    by_name = {shape.name: precision for shape, precision in found.items()}
    assert by_name["stage0.block0.second"] == blocks[0]
    assert by_name["stage1.block0.first"] == blocks[1]
    for name in ("first", "stage1.block0.shortcut", "stage2.block0.shortcut"):
        assert by_name[name] == UNQUANTIZED
    with pytest.raises(ParameterError, match="blocks: got 2, allowed: 3 precisions"):
        layer_precisions(net, blocks[:2])


@pytest.mark.parametrize("memory", ["port", "ddr"])
def test_the_program_costs_what_recorded_training_costs(memory: str) -> None:
    """Array time and bytes are those of a step that the golden model recorded."""
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16), dtype=np.uint8)
    recorded = record_training_step("resnet8", images, PARAMETERS, BITS, seed=0)
    form = ResultForm.PORT if memory == "port" else ResultForm.PLANES
    job = make_job(PARAMETERS, recorded, recorded.calls, form)
    model = MemoryModel.ideal() if memory == "port" else MemoryModel.ddr(PARAMETERS.clock_mhz)
    wanted = predict(
        PARAMETERS,
        job.program.decoded,
        dict(enumerate(recorded.precisions)),
        model,
        program_address=job.program.program_address,
    )
    net = network()
    layers = layer_shapes(net, (16, 16))
    precisions = layer_precisions(net, [BITS] * len(net.blocks))
    program, slots = training_program(PARAMETERS, layers, 2, precisions, memory)
    cycles, busy, moved = predict_program(program, slots, memory)
    assert busy == wanted.total("BUSY")
    assert moved == wanted.total("BYTES_READ") + wanted.total("BYTES_WRITTEN")
    # where tensors lie in memory differs, and with it whose burst is whose turn
    assert cycles == pytest.approx(wanted.cycles, rel=0.002)


def test_what_is_no_convolution() -> None:
    with pytest.raises(ParameterError, match="a kernel that fits"):
        LayerShape("a", 3, 16, (2, 2), (5, 5), 1, 0)
