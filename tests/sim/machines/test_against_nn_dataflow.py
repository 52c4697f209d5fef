"""Eyeriss against TETRIS' own scheduler, where it is installed: ``pip install nn-dataflow==2.1
sympy==1.7.1`` (Python 3.11)."""

import pytest

from fractrain.hw.contract.precision import Pass
from fractrain.sim.machines import Eyeriss, Layer, Work

core = pytest.importorskip("nn_dataflow.core", reason="nn-dataflow is not installed")

CASES = [
    (Layer(3, 16, 1, 16, 16, 4), (16, 16)),
    (Layer(3, 16, 2, 12, 32, 4), (12, 14)),
    (Layer(1, 8, 2, 32, 64, 4), (12, 14)),
    (Layer(5, 27, 1, 6, 16, 2), (16, 16)),
    (Layer(11, 55, 4, 3, 48, 2), (16, 16)),
    (Layer(16, 3, 1, 4, 16, 8), (12, 14)),
    (Layer(1, 1, 1, 64, 10, 16), (16, 16)),
]
"""Small ones: it takes seconds for each. The last but one is a gradient pass."""


def scheduled(layer: Layer, array: tuple[int, int]) -> dict[str, float]:
    """What nn_dataflow finds, with the settings of the golden rows."""
    region = {
        kind: core.NodeRegion(dim=core.PhyDim2(1, 1), origin=core.PhyDim2(0, 0), type=kind)
        for kind in (core.NodeRegion.PROC, core.NodeRegion.DRAM)
    }
    memory = region[core.NodeRegion.DRAM]
    resource = core.Resource(
        proc_region=region[core.NodeRegion.PROC],
        dram_region=memory,
        src_data_region=memory,
        dst_data_region=memory,
        dim_array=core.PhyDim2(*array),
        size_gbuf=64 * 1024,
        size_regf=256,
        array_bus_width=float("inf"),
        dram_bandwidth=float("inf"),
        no_time_mux=False,
    )
    convolution = core.ConvLayer(
        layer.inputs, layer.outputs, layer.output, layer.kernel, layer.stride
    )
    network = core.Network("one layer")
    network.set_input_layer(core.InputLayer(layer.inputs, (convolution.hifm, convolution.wifm)))
    network.add("layer", convolution)
    # DRAM, buffer, array, registers
    cost = core.Cost(mac_op=1, mem_hier=(200, 6, 2, 1), noc_hop=10, idl_unit=0)
    found, _ = core.NNDataflow(
        network, layer.batch, resource, cost, core.MapStrategyEyeriss
    ).schedule_search(core.Option(sw_gbuf_bypass=(False,) * 3, opt_goal="e"))
    (best,) = found
    names = ("dram_words", "buffer_words", "array_words", "register_words")
    counts = dict(zip(names, best.total_accesses, strict=True))
    return {"macs": best.total_ops, "cycles": best.total_time, **counts}


@pytest.mark.parametrize(("layer", "array"), CASES)
def test_the_same_schedule(layer: Layer, array: tuple[int, int]) -> None:
    """All figures, if words count once that reach several sets."""
    machine = Eyeriss(*array, copies=False)
    found = machine.figures(Work(layer, Pass.FORWARD, (16, 16)))
    expected = scheduled(layer, array)
    assert {name: getattr(found, name) for name in expected} == expected
