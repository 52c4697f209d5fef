"""SPILL, REPORT, QUANTIZE and UPDATE behind one port, one after the other, against the functional
machine."""

import functools

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import Command, opcode_of
from fractrain.hw.contract.commands import Update as UpdateCommand
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import Record
from fractrain.hw.vector.memory_commands import MemoryCommands
from fractrain.hw.vector.random_bytes import RandomBytes
from fractrain.sim.functional.decoding import Task
from tests.harness.stalls import STALLS
from tests.hw.vector import test_quantize_command, test_report, test_spill, test_update_command
from tests.hw.vector.memory_bench import (
    Design,
    Stalls,
    Surroundings,
    behind_members,
    connect_behind,
    unit_machine,
)

PARAMETERS = unit_machine()
KEY = ("key", "load", "counters", "random_valid", "random")


class WithStage(wiring.Component):
    """The commands with what they have of their stage, a `RandomBytes` and a `WriteBehind`."""

    def __init__(self, unit: MemoryCommands) -> None:
        self.unit = unit
        inside = *KEY, "blocks", "settled"
        self.passed = {
            name: each for name, each in unit.signature.members.items() if name not in inside
        }
        super().__init__({**self.passed, **behind_members(unit.parameters)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit, m.submodules.random = self.unit, RandomBytes()
        connect_behind(m, self.unit, self, self.unit.parameters)
        unit, random = self.unit, m.submodules.random
        wiring.connect(m, unit.counters, random.counters)
        m.d.comb += [
            random.key.eq(unit.key),
            random.load.eq(unit.load),
            unit.random_valid.eq(random.valid),
            unit.random.eq(random.random),
        ]
        for name, member in self.passed.items():
            inner, outer = getattr(unit, name), getattr(self, name)
            if member.is_signature:
                wiring.connect(m, inner, wiring.flipped(outer))
            elif member.flow == wiring.In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner)
        return m


class Together(Design):
    @staticmethod
    def around(unit: wiring.Component, parameters: Parameters) -> wiring.Component:
        return WithStage(unit)

    def tasks_of(self, command: Command) -> str:
        return opcode_of(command).name.lower()


@functools.cache
def design() -> Together:
    return Together(MemoryCommands(PARAMETERS), PARAMETERS, "commands_8")


@st.composite
def commands(draw: st.DrawFn) -> tuple[Command, int]:
    p = PARAMETERS
    kinds = [
        st.tuples(test_spill.spills(p), st.just(0)),
        st.tuples(test_report.reports(p), st.just(0)),
        test_quantize_command.commands(p, 3),
        st.tuples(test_update_command.updates(p), st.just(8)),
    ]
    return draw(st.one_of(*kinds))


@pytest.mark.parametrize("stalls", STALLS)
@settings(deadline=None, max_examples=6)
@given(data=st.data())
def test_one_after_the_other(stalls: str, data: st.DataObject) -> None:
    some = data.draw(st.lists(commands(), min_size=3, max_size=6))
    each = Stalls(words=stalls, blocks=stalls, reads=stalls, requests=stalls)
    around = Surroundings(PARAMETERS, seed=data.draw(st.integers(0, 1 << 20)), stalls=each)
    # the same records for all: of an update from 0 on, of scales from 32 on
    rule = {name: 100_003 for name in RULE_MANTISSAS} | dict.fromkeys(RULE_SHIFTS, 20)
    for place in range(32):
        around.put_record(Record.UPDATE, place, before=3, **rule)
        around.put_record(Record.SCALE, 32 + place, mantissa=100_003, shift=36)
    around.chip.gradients[:] >>= 18
    items = []
    for index, (command, bits) in enumerate(some):
        field = "rule" if isinstance(command, UpdateCommand) else "scale"
        if hasattr(command, field):
            base = 0 if field == "rule" else 32
            place = getattr(command, field) % 32 + base
            command = type(command)(**(vars(command) | {field: place}))
        items.append((command, Task(index, command, bits=bits, partner_bits=8)))
    around.run(design(), items)


RULE_MANTISSAS = [f"{name}_mantissa" for name in ("gradient", "momentum", "decay", "rate")]
RULE_SHIFTS = [f"{name}_shift" for name in ("gradient", "momentum", "decay", "rate")]
