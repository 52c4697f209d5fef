"""Area of hand-made netlists, where every number can be counted by eye."""

import pytest

from fractrain.gen.synthesis.area import area_of_cells, module_areas, total_area
from fractrain.gen.synthesis.netlist import parse_netlist
from fractrain.hw.contract.errors import DataError
from tests.gen.synthesis.netlists import cell, flip_flop, lut, module, netlist


def test_lut6_2_counts_as_one_lut() -> None:
    assert area_of_cells({"LUT6_2": 3, "LUT6": 2}).luts == 5


def test_every_resource() -> None:
    area = area_of_cells(
        {"FDRE": 7, "FDSE": 1, "DSP48E1": 3, "RAMB36E1": 2, "RAMB18E1": 3, "RAM32M": 2, "SRL16E": 1}
    )
    assert (area.flip_flops, area.dsps, area.bram36) == (8, 3, 3.5)
    assert (area.memory_luts, area.luts) == (9, 9)


def test_carry_and_wide_multiplexers_cost_no_lut() -> None:
    assert area_of_cells({"CARRY4": 5, "MUXF7": 4, "MUXF8": 2}).luts == 0


@pytest.mark.parametrize(
    ("counts", "packed"),
    [
        ({"LUT6": 4}, 4),
        ({"LUT5": 2, "LUT1": 2}, 3),  # a LUT5 leaves no input for another; two LUT1 share one
        ({"LUT4": 2, "LUT1": 1}, 2),
        ({"LUT3": 3, "LUT2": 2}, 3),
        ({"LUT2": 5}, 3),
        ({"LUT3": 2}, 2),  # six inputs are too many for one LUT
        ({"LUT6_2": 2, "LUT1": 1}, 3),  # full already
        ({"INV": 2}, 1),
    ],
)
def test_packing_by_inputs(counts: dict[str, int], packed: int) -> None:
    assert area_of_cells(counts).packed_luts == packed


def test_multiplicity_over_the_hierarchy() -> None:
    """2 x (3 leaves of 1 LUT + 1 LUT) + 1 leaf of 1 LUT + 1 FF = 9 LUTs, 1 FF."""
    leaf = module([lut(4, 3)], inputs={"a": [3]}, outputs={"o": [4]})

    def use_leaf(source: int, sink: int) -> dict:
        return cell("leaf", a=source, out=sink) | {"connections": {"a": [source], "o": [sink]}}

    pair = module(
        [use_leaf(3, 4), use_leaf(4, 5), use_leaf(5, 6), lut(7, 6)],
        inputs={"a": [3]},
        outputs={"o": [7]},
    )
    use_pair = {"type": "pair"}
    top = module(
        [
            use_leaf(3, 4) | use_pair,
            use_leaf(4, 5) | use_pair,
            use_leaf(5, 6),
            flip_flop(6, 7),
        ],
        inputs={"clk": [2], "a": [3]},
        outputs={"o": [7]},
    )
    design = netlist(top, leaf=leaf, pair=pair)
    assert design.instance_counts == {"top": 1, "pair": 2, "leaf": 7}
    assert design.cell_counts == {"LUT1": 9, "FDRE": 1}
    area = total_area(design)
    assert (area.luts, area.flip_flops) == (9, 1)
    assert [(part.name, part.count, part.each.luts) for part in module_areas(design)] == [
        ("leaf", 7, 1),
        ("pair", 2, 1),
        ("top", 1, 0),
    ]


def test_modules_of_the_cell_library_are_not_design() -> None:
    document = {
        "modules": {
            "top": module([lut(3, 2)]),
            "LUT1": module([]) | {"attributes": {"blackbox": "1"}},
            "unused": module([lut(3, 2)]),
        }
    }
    assert parse_netlist(document, "top").cell_counts == {"LUT1": 1}


def test_unknown_cell_is_refused() -> None:
    with pytest.raises(DataError, match="SB_LUT4"):
        netlist(module([cell("SB_LUT4", I0=2, O=3)]))


def test_missing_top_is_refused() -> None:
    with pytest.raises(DataError, match="no module nothing"):
        parse_netlist({"modules": {"top": module([])}}, "nothing")
