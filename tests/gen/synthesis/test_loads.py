"""Fan-out of hand-made netlists."""

from fractrain.gen.synthesis.flat import flatten
from fractrain.gen.synthesis.loads import Loaded, measure_loads
from tests.gen.synthesis.netlists import cell, flip_flop, lut, module, netlist

INPUTS = {"clk": [2], "rst": [3], "rows__0": [4, 5], "control": [6]}


def test_operand_bits_are_followed_through_registers_but_not_through_logic() -> None:
    """rows[0] has 2 loads, its register 3; behind a LUT a net with 5 loads is no operand bit."""
    cells = [
        flip_flop(4, 10),
        flip_flop(4, 11),
        *(lut(20 + index, 10) for index in range(3)),
        *(lut(30 + index, 20) for index in range(5)),
    ]
    names = {"held": [10], "counted": [20]}
    loads = measure_loads(flatten(netlist(module(cells, INPUTS, names=names))), ["rows"])
    assert loads.operand == Loaded(3, "held")
    assert loads.any_net == Loaded(5, "counted")


def test_clock_and_reset_are_not_counted() -> None:
    cells = [cell("FDRE", C=2, D=6, CE="1", R=3, Q=10 + index) for index in range(2)]
    cells += [cell("FDRE", C=2, D="0", CE="1", R=3, Q=20 + index) for index in range(9)]
    loads = measure_loads(flatten(netlist(module(cells, INPUTS))), ["rows"])
    assert loads.any_net == Loaded(2, "control")
    assert loads.reset == Loaded(11, "rst")


def test_a_reset_within_the_design_is_not_counted_either() -> None:
    cells = [cell("FDRE", C=2, D="0", CE="1", R=7, Q=10 + index) for index in range(9)]
    top = module([*cells, lut(30, 4)], INPUTS, names={"part.reset": [7]})
    loads = measure_loads(flatten(netlist(top)), ["rows"], ["part.reset"])
    assert loads.any_net == Loaded(1, "rows__0[0]")
    assert loads.reset == Loaded(9, "part.reset")


def test_names_of_operands_are_patterns() -> None:
    """From their beginning on; several names may mean the same net."""
    names = {"engine.rows$7.rows": [7], "engine.rows": [8], "the.engine.rows": [9]}
    cells = [lut(20 + index, 7) for index in range(2)] + [lut(30, 8)]
    cells += [lut(40 + index, 9) for index in range(3)]
    flat = flatten(netlist(module(cells, INPUTS, names=names)))
    patterns = [r"engine\.rows(\$\d+\.rows)?$"]
    assert measure_loads(flat, patterns).operand == Loaded(2, "engine.rows$7.rows")


def test_loads_add_up_over_modules() -> None:
    """A port that drives three modules of two loads each has six loads."""
    leaf = module([lut(3, 2), lut(4, 2)], inputs={"a": [2]})
    top = module([cell("leaf", a=5) for _ in range(3)], INPUTS)
    loads = measure_loads(flatten(netlist(top, leaf=leaf)), ["rows"])
    assert loads.operand == Loaded(6, "rows__0[1]")


def test_no_operands_asked_for() -> None:
    loads = measure_loads(flatten(netlist(module([lut(10, 4)], INPUTS))), [])
    assert loads.operand == Loaded(0, "")
