"""The golden rows of Eyeriss that TETRIS' own scheduler made, made again where it is installed:
``pip install nn-dataflow==2.1 sympy==1.7.1`` (Python 3.11). It takes seconds for each."""

import pytest

from fractrain.sim.machines import Layer
from tests.sim.machines.golden_rows import golden_rows

core = pytest.importorskip("nn_dataflow.core", reason="nn-dataflow is not installed")


def scheduled(layer: Layer, array: tuple[int, int]) -> dict[str, int]:
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
    # a second one, as the weights of a network of one layer would stay on the chip
    network.add("other", core.ConvLayer(layer.outputs, 1, layer.output, 1))
    # DRAM, buffer, array, registers
    cost = core.Cost(mac_op=1, mem_hier=(200, 6, 2, 1), noc_hop=10, idl_unit=0)
    found, _ = core.NNDataflow(
        network, layer.batch, resource, cost, core.MapStrategyEyeriss
    ).schedule_search(core.Option(sw_gbuf_bypass=(False,) * 3, opt_goal="e"))
    best = found[0]["layer"]
    names = ("dram_words", "buffer_words", "array_words", "register_words")
    counts = dict(zip(names, best.total_accesses, strict=True))
    counts |= {"macs": best.total_ops, "cycles": best.total_time}
    return {name: round(value) for name, value in counts.items()}


@pytest.mark.parametrize("row", golden_rows("nn_dataflow"), ids=lambda row: str(row["macs"]))
def test_the_table_is_what_it_finds(row: dict[str, int]) -> None:
    """`test_eyeriss` compares the model with the table."""
    shape = [row.pop(each) for each in ("kernel", "output", "stride", "inputs", "outputs", "batch")]
    assert scheduled(Layer(*shape), (row.pop("height"), row.pop("width"))) == row
