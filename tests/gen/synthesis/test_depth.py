"""Logic depth of hand-made netlists."""

import pytest

from fractrain.gen.synthesis.depth import Depth, TimingPath, logic_depth
from fractrain.gen.synthesis.flat import flatten
from fractrain.hw.contract.errors import DataError
from tests.gen.synthesis.netlists import cell, flip_flop, lut, module, netlist


def depth_of(*cells: dict, **modules: dict) -> Depth:
    """Depth of a top with the input bits 3..9 and the clock 2."""
    top = module(list(cells), inputs={"clk": [2], "a": [3, 4, 5, 6, 7, 8, 9]}, names={"end": [99]})
    return logic_depth(flatten(netlist(top, **modules)))


def test_no_logic() -> None:
    assert depth_of(flip_flop(3, 10), flip_flop(10, 11)).levels == 0


def test_chain_between_registers_and_the_names_of_its_ends() -> None:
    depth = depth_of(
        flip_flop(3, 10), lut(11, 10), lut(12, 11, 4), lut(13, 12, 10), flip_flop(13, 99)
    )
    assert (depth.levels, depth.levels_after_direct) == (3, 0)
    assert depth.paths[0] == TimingPath(3, "net 10", "end")


def test_paths_are_listed_once_for_each_register() -> None:
    """A register of two bits, 1 and 2 levels deep, is listed with 2; another one with 1."""
    cells = [lut(10, 3), lut(11, 10), flip_flop(10, 20), flip_flop(11, 21), flip_flop(10, 22)]
    names = {"wide": [20, 21], "narrow": [22]}
    top = module(cells, inputs={"clk": [2], "a": [3]}, names=names)
    paths = logic_depth(flatten(netlist(top))).paths
    assert paths == (TimingPath(2, "a", "wide"), TimingPath(1, "a", "narrow"))


def test_registers_cut_paths() -> None:
    depth = depth_of(lut(10, 3), lut(11, 10), flip_flop(11, 12), lut(13, 12), flip_flop(13, 14))
    assert depth.levels == 2


def test_enable_and_reset_of_a_register_are_ends() -> None:
    enabled = cell("FDRE", C=2, D="0", CE=11, R="0", Q=12)
    assert depth_of(lut(10, 3), lut(11, 10), enabled).levels == 2


def test_pins_of_the_processing_system_are_like_ports() -> None:
    """A path ends at each, under the name of its own net, and begins at each."""
    ps7 = cell("PS7", SAXIHP0ACLK=2, SAXIHP0WDATA=[11, 12], outputs=[20, 21])
    cells = [ps7, lut(11, 20), lut(13, 21), lut(12, 13)]
    top = module(cells, inputs={"clk": [2]}, names={"narrow": [11], "deep": [12], "from": [21]})
    paths = logic_depth(flatten(netlist(top))).paths
    assert paths == (TimingPath(2, "from", "deep"), TimingPath(1, "net 20", "narrow"))


def test_output_port_is_an_end() -> None:
    top = module([lut(4, 3), lut(5, 4)], inputs={"a": [3]}, outputs={"o": [5]})
    assert logic_depth(flatten(netlist(top))).levels == 2


def test_both_outputs_of_lut6_2() -> None:
    double = cell("LUT6_2", I0=3, I1=4, I2=5, I3=6, I4=7, I5="1", O5=10, O6=11)
    assert depth_of(double, lut(12, 10), flip_flop(12, 13)).levels == 2
    assert depth_of(double, lut(12, 11), flip_flop(12, 13)).levels == 2


def test_wide_multiplexers_are_free() -> None:
    wide = cell("MUXF7", I0=10, I1=11, S=3, O=12)
    assert depth_of(lut(10, 3), lut(11, 4), wide, flip_flop(12, 13)).levels == 1


def carry(select: list, data: list, sums: list, carries: list, start: int | str = "0") -> dict:
    return cell("CARRY4", CI=start, CYINIT="0", S=select, DI=data, O=sums, CO=carries)


def test_carry_chain_counts_with_the_lut_in_front_of_it() -> None:
    """LUT, two chained CARRY4, sum: one level."""
    first = carry([10, "0", "0", "0"], [3, "0", "0", "0"], [20, 21, 22, 23], [24, 25, 26, 27])
    second = carry(["0"] * 4, ["0"] * 4, [30, 31, 32, 33], [34, 35, 36, 37], start=27)
    assert depth_of(lut(10, 3, 4), first, second, flip_flop(33, 40)).levels == 1


def test_carry_chain_fed_by_a_register_takes_a_lut_as_a_wire() -> None:
    chain = carry([10, "0", "0", "0"], ["0"] * 4, [20, 21, 22, 23], [24, 25, 26, 27])
    assert depth_of(flip_flop(3, 10), chain, flip_flop(22, 40)).levels == 1


def test_sum_does_not_depend_on_higher_bits_of_a_carry_chain() -> None:
    chain = carry([10, "0", "0", 13], ["0"] * 4, [20, 21, 22, 23], [24, 25, 26, 27])
    deep = [lut(11, 3), lut(12, 11), lut(13, 12)]
    assert depth_of(lut(10, 3), *deep, chain, flip_flop(20, 40)).levels == 1
    assert depth_of(lut(10, 3), *deep, chain, flip_flop(23, 40)).levels == 3


def test_path_through_modules_crosses_their_boundaries() -> None:
    """FF in one module, LUT in another, LUT in the top, LUT and FF in a third: 3 levels."""
    source = module([flip_flop(3, 4)], inputs={"clk": [2], "d": [3]}, outputs={"q": [4]})
    middle = module([lut(3, 2)], inputs={"i": [2]}, outputs={"o": [3]})
    sink = module([lut(4, 3), flip_flop(4, 5)], inputs={"clk": [2], "d": [3]}, names={"held": [5]})

    def use(name: str, **pins: int) -> dict:
        return cell(name, **pins)

    depth = depth_of(
        use("source", clk=2, d=3, q=10),
        use("middle", i=10, o=11),
        lut(12, 11),
        use("sink", clk=2, d=12),
        source=source,
        middle=middle,
        sink=sink,
    )
    assert depth.levels == 3
    assert depth.paths[0].end == "cell3.held"


def test_feed_through_and_constant_outputs_of_a_module() -> None:
    """An output that is an input, and one that is constant, are the nets they are tied to."""
    through = module([], inputs={"i": [2]}, outputs={"o": [2], "zero": ["0"]})
    depth = depth_of(
        lut(10, 3),
        cell("through", i=10, o=11, zero=12),
        lut(13, 11, 12),
        flip_flop(13, 14),
        through=through,
    )
    assert depth.levels == 2


def test_memory_in_luts_is_a_level_from_its_read_address_only() -> None:
    memory = cell(
        "RAM32M",
        WCLK=2,
        WE=3,
        ADDRA=[10, "0", "0", "0", "0"],
        ADDRD=[12, "0", "0", "0", "0"],
        DIA=[4, 5],
        DOA=[20, 21],
    )
    slow_write_address = [lut(11, 3), lut(12, 11)]
    assert depth_of(lut(10, 3), memory, *slow_write_address, flip_flop(20, 30)).levels == 2
    after = [lut(22, 20), lut(23, 22), flip_flop(23, 30)]
    assert depth_of(flip_flop(3, 10), memory, *slow_write_address, *after).levels == 3


@pytest.mark.parametrize(("register", "after"), [("0", 2), ("1", 0)])
def test_block_ram_without_output_register(register: str, after: int) -> None:
    memory = cell(
        "RAMB36E1",
        {"DOA_REG": register, "RAM_MODE": "SDP"},
        CLKARDCLK=2,
        ADDRARDADDR=[3],
        DOADO=[10],
    )
    depth = depth_of(memory, lut(11, 10), lut(12, 11), flip_flop(12, 13))
    assert (depth.levels, depth.levels_after_direct) == (2, after)


def test_second_port_of_a_block_ram_has_its_own_register() -> None:
    memory = cell(
        "RAMB18E1",
        {"DOA_REG": "1", "DOB_REG": "0", "RAM_MODE": "TDP"},
        CLKARDCLK=2,
        DOADO=[10],
        DOBDO=[11],
    )
    a_only = depth_of(memory, lut(12, 10), flip_flop(12, 13))
    assert a_only.levels_after_direct == 0
    assert depth_of(memory, lut(12, 11), flip_flop(12, 13)).levels_after_direct == 1


@pytest.mark.parametrize(("register", "after"), [("0", 1), ("1", 0)])
def test_dsp_slice_without_output_register(register: str, after: int) -> None:
    dsp = cell("DSP48E1", {"PREG": register}, CLK=2, A=[3], P=[10])
    assert depth_of(dsp, lut(11, 10), flip_flop(11, 12)).levels_after_direct == after


def test_combinational_loop_is_refused() -> None:
    with pytest.raises(DataError, match="loop"):
        depth_of(lut(10, 11), lut(11, 10))
