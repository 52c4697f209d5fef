"""Both shift-accumulators do ``value = (first ? 0 : value) ± (total << shift)``, alike.

The DSP48E1 runs on the simulation model that Yosys has of it, which models the pre-adder, all
pipeline registers, INMODE, OPMODE and ALUMODE.
"""

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.flow.delay import delayed
from fractrain.hw.mac.accumulator import AccumulatorTiming, BehaviouralAccumulator, ShiftPlan
from fractrain.hw.mac.dsp_accumulator import DspAccumulator
from fractrain.hw.mac.recursive_dot import total_shape
from tests.hw.refusals import assert_refused
from tests.hw.verilator import Player, primitive_models

LANES = 144
# spatial_bits, greatest shift, bits of the value
CASES = [(1, 32, 48), (1, 30, 40), (2, 28, 48), (4, 24, 48), (8, 16, 48), (8, 14, 16)]
SHIFT_BITS = 6
TOTAL_BITS = 25


class Accumulators(wiring.Component):
    """All cases in both forms; a pass is given in one cycle and aligned here."""

    def __init__(self) -> None:
        self.units = {}
        for bits, max_shift, value_bits in CASES:
            plan = ShiftPlan(total_shape(LANES, bits), max_shift)
            name = f"value_{bits}_{max_shift}"
            self.units[f"{name}_dsp48e1"] = DspAccumulator(plan, value_bits)
            self.units[f"{name}_behavioural"] = BehaviouralAccumulator(plan, value_bits)
        values = {name: Out(len(unit.value)) for name, unit in self.units.items()}
        super().__init__(
            {
                "total": In(TOTAL_BITS),
                "shift": In(SHIFT_BITS),
                "negate": In(1),
                "first": In(1),
                "valid": In(1),
                **values,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        takes = AccumulatorTiming
        negate = delayed(m, self.negate, takes.negate, name="negate")
        first = delayed(m, self.first, takes.first, name="first")
        valid = delayed(m, self.valid, takes.valid, name="valid")
        for name, unit in self.units.items():
            m.submodules[name] = unit
            shift = Signal(range(unit.plan.max_shift + 1), name=f"shift_{name}")
            power, upper = unit.plan.decode(shift)
            m.d.comb += [
                shift.eq(self.shift),
                unit.total.eq(self.total),
                unit.control.eq(Cat(power, upper, negate, first, valid)),
                getattr(self, name).eq(unit.value),
            ]
        return m


@pytest.fixture(scope="module")
def player() -> Player:
    return Player(Accumulators(), "accumulators", models=primitive_models())


def check_values(player: Player, case: tuple[int, int, int], passes: dict[str, Any]) -> None:
    """Play ``passes`` and compare the value of every cycle, in both forms, with integers."""
    bits, max_shift, value_bits = case
    idle = np.zeros(AccumulatorTiming.value, np.int64)
    passes = {name: np.concatenate([values, idle]) for name, values in passes.items()}
    outputs = player.play(**passes)
    value, expected = 0, []
    for total, shift, negate, first, valid in zip(
        *(passes[name].tolist() for name in ("total", "shift", "negate", "first", "valid")),
        strict=True,
    ):
        expected.append(value)
        if valid:
            addend = total << shift
            value = (0 if first else value) + (-addend if negate else addend)
            value &= (1 << value_bits) - 1
    # the value is there AccumulatorTiming.value cycles after its pass; expected[n] is before it
    expected = expected[: len(expected) - AccumulatorTiming.value + 1]
    for form in ("dsp48e1", "behavioural"):
        name = f"value_{bits}_{max_shift}_{form}"
        got = outputs[name][AccumulatorTiming.value - 1 :]
        assert got.tolist() == expected, name


@pytest.mark.parametrize("case", CASES)
def test_random_passes(
    player: Player, case: tuple[int, int, int], rng: np.random.Generator
) -> None:
    """Long sums of mixed signs and shifts, with bubbles."""
    shape = total_shape(LANES, case[0])
    low, high = (-(1 << shape.width - 1), 1 << shape.width - 1) if shape.signed else (0, LANES + 1)
    cycles = 20_000
    totals = rng.integers(low, high, cycles)
    extreme = rng.random(cycles) < 0.2
    totals[extreme] = rng.choice([low, high - 1], extreme.sum())
    passes = {
        "total": totals,
        "shift": rng.integers(0, case[1] + 1, cycles),
        "negate": rng.random(cycles) < 0.5,
        "first": rng.random(cycles) < 0.05,
        "valid": rng.random(cycles) < 0.7,
    }
    check_values(player, case, passes)


def test_every_count_shift_and_control(player: Player) -> None:
    """All counts of 144 lanes x all shifts 0..32 x sign x first x valid, onto a known value."""
    case = CASES[0]
    grid = np.meshgrid(np.arange(LANES + 1), np.arange(33), [0, 1], [0, 1], [0, 1], indexing="ij")
    total, shift, negate, first, valid = (axis.ravel() for axis in grid)
    # before each, a pass that makes the value something that no other pass makes
    count = 2 * len(total)
    passes = {
        name: np.zeros(count, np.int64) for name in ("total", "shift", "negate", "first", "valid")
    }
    passes["total"][0::2] = 1 + np.arange(len(total)) % LANES
    passes["shift"][0::2] = np.arange(len(total)) % 31
    passes["first"][0::2] = passes["valid"][0::2] = 1
    for name, values in zip(passes, (total, shift, negate, first, valid), strict=True):
        passes[name][1::2] = values
    check_values(player, case, passes)


def test_dsp_refuses_what_its_ports_cannot_take() -> None:
    wide = ShiftPlan(total_shape(1024, 8), 16)
    assert_refused(lambda: DspAccumulator(wide, 48), "25 bits")
    far = ShiftPlan(total_shape(LANES, 8), 17)
    assert_refused(lambda: DspAccumulator(far, 48), "at most 16")
    assert_refused(lambda: DspAccumulator(ShiftPlan(total_shape(8, 1), 30), 49), r"1\.\.48")
    assert_refused(lambda: ShiftPlan(total_shape(8, 1), 33), r"0\.\.32")


def test_reach_of_the_dsp() -> None:
    """At 144 lanes the machine's greatest shifts, twice the bits above a digit of 16, fit."""
    for bits in (1, 2, 4, 8):
        ShiftPlan(total_shape(LANES, bits), 2 * (16 - bits)).require_multiplier()
