"""The DSP48E1 and its twin in plain logic: alike in every cycle, and as Python's integers say.

The primitive runs on the simulation model that Yosys has of it.
"""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.vector.dsp_slice import Base, First, SlicePlan, dsp_slice
from tests.hw.verilator import Player, primitive_models

PLANS = [SlicePlan(first) for first in First] + [SlicePlan(First.A, cascaded=True)]
PLANS += [SlicePlan(First.A, joined=True), SlicePlan(First.SUM, joined=True)]
CYCLES = 20_000


class Slices(wiring.Component):
    """All plans in both forms. The cascaded ones stand on the first plan's slice of their form."""

    def __init__(self) -> None:
        self.slices = {
            f"p{number}_{form}": dsp_slice(plan, primitives=form == "dsp48e1")
            for form in ("plain", "dsp48e1")
            for number, plan in enumerate(PLANS)
        }
        common = {
            name: member
            for name, member in PLANS[0].signature.members.items()
            if member.flow == In and name != "below"
        }
        super().__init__(common | {name: Out(48) for name in self.slices})
        self.common = list(common)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, each in self.slices.items():
            m.submodules[name] = each
            m.d.comb += [getattr(each, port).eq(getattr(self, port)) for port in self.common]
            below = self.slices["p0_" + name.partition("_")[2]]
            m.d.comb += [each.below.eq(below.cascade), getattr(self, name).eq(each.p)]
        return m


@pytest.fixture(scope="module")
def player() -> Player:
    return Player(Slices(), "vector_slices", models=primitive_models())


def stimulus(rng: np.random.Generator) -> dict[str, np.ndarray]:
    def numbers(bits: int) -> np.ndarray:
        half = 1 << (bits - 1)
        drawn = rng.integers(-half, half, CYCLES)
        ends = rng.choice([-half, half - 1, -1, 0, 1], CYCLES)
        return np.where(rng.random(CYCLES) < 0.3, ends, drawn) & ((1 << bits) - 1)

    bases = rng.choice([each.value for each in Base], CYCLES)
    addend, negate, join = rng.integers(0, 2, (3, CYCLES))
    return {
        **{"a": numbers(25), "b": numbers(18), "c": numbers(48), "d": numbers(25)},
        "use_d": rng.integers(0, 2, CYCLES),
        "control": bases | addend << 3 | negate << 4 | join << 5,
        "enable": rng.integers(0, 2, CYCLES),
    }


def signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (value >> (bits - 1) << bits)


def expected(plan: SlicePlan, given: dict[str, np.ndarray], below: list[int]) -> list[int]:
    """``p`` of every cycle, from `SlicePlan`'s timing."""
    past = {name: [0] * plan.latency_cycles + values.tolist() for name, values in given.items()}
    past["below"] = [0] * plan.latency_cycles + below
    p, seen = 0, []
    for cycle in range(CYCLES):

        def at(name: str, taken: int, cycle: int = cycle) -> int:
            # what is seen in this cycle was given so many cycles ago
            return past[name][cycle + taken]

        a, b, d = (signed(at(name, 0), bits) for name, bits in (("a", 25), ("b", 18), ("d", 25)))
        first = {
            First.A: a,
            First.SUM: d + a,
            First.DIFFERENCE: d - a,
            First.EITHER: d if at("use_d", 0) else a,
        }[plan.first]
        c, control = signed(at("c", plan.control_cycle), 48), at("control", plan.control_cycle)
        enabled = cycle >= 1 and at("enable", plan.enable_cycle)
        base = {
            Base.ZERO: 0,
            Base.BELOW: signed(at("below", plan.enable_cycle), 48),
            Base.VALUE: p,
            Base.C: c,
            Base.BELOW_SHIFTED: signed(at("below", plan.enable_cycle), 48) >> 17,
            Base.SHIFTED: p >> 17,
        }[Base(control & 7)]
        term = signed(first, 25) * b
        if control >> 3 & 1:
            term = c
        elif plan.joined and control >> 5:
            high, low = plan.control_cycle, plan.control_cycle + plan.low_cycle
            term = signed(at("a", high), 25) << 18 | at("b", low)
        if enabled:
            p = signed(base - term if control >> 4 & 1 else base + term, 48)
        seen.append(p)
    return seen


def test_both_forms_and_the_formula(player: Player, rng: np.random.Generator) -> None:
    given = stimulus(rng)
    found = player.play(**given)
    alone = [signed(value, 48) for value in found["p0_plain"].tolist()]
    for number, plan in enumerate(PLANS):
        below = alone if plan.cascaded else [0] * CYCLES
        wanted = expected(plan, given, below)
        for form in ("plain", "dsp48e1"):
            if not plan.cascaded and form == "plain":
                continue  # the twin adds `below` whatever the plan says
            got = [signed(value, 48) for value in found[f"p{number}_{form}"].tolist()]
            assert got == wanted, (plan, form)
