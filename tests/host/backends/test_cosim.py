"""The generated engine behind the accelerator interface: exact, counted, well after a fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from types import ModuleType

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.backends import cosim
from fractrain.host.backends.cosim import CosimAccelerator
from fractrain.host.compiler import Planes, Port, Step, compile_program, planning
from fractrain.host.driver import driver
from fractrain.host.graph.geometry import Geometry
from fractrain.host.machine.counters import Counters
from fractrain.hw.contract.commands import Fault, Tag
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.sim.cosim.convolution_faults import BusFaults, ErrorRegion
from fractrain.sim.memory_model import MemoryModel
from tests.coverage import reference
from tests.host.compiler.running import random_operands, three_passes
from tests.host.compiler.test_program import network

TINY = load_parameters("tiny")
LAYER = Geometry(2, 8, 16, (16, 16), (3, 3), 1, 1)
BITS = (3, 2, 4)
EVERYWHERE = BusFaults((ErrorRegion(0, cosim.MEMORY_BYTES - 1),))


@pytest.fixture(scope="module")
def accelerator() -> Iterator[CosimAccelerator]:
    opened = CosimAccelerator(TINY)
    yield opened
    opened.close()


def operands(g: Geometry, seed: int = 0) -> dict[str, np.ndarray]:
    """a, w and e of any values."""
    program = compile_program(TINY, three_passes(g, BITS))
    return random_operands(program, np.random.default_rng(seed))


def forward(accelerator: Accelerator, t: dict[str, np.ndarray]) -> np.ndarray:
    """Of LAYER."""
    return accelerator.forward(t["a"], t["w"], bits=BITS[:2], padding=1)


@pytest.mark.parametrize(
    "g",
    [
        LAYER,
        Geometry(1, 11, 3, (9, 6), (3, 3), 2, 1),
        Geometry(3, 9, 17, (5, 7), (1, 1), 2, 0),
        Geometry(2, 4, 5, (7, 4), (2, 4), 3, 2),
    ],
    ids=str,
)
def test_the_three_passes_are_exact(accelerator: CosimAccelerator, g: Geometry) -> None:
    t, place = operands(g), (g.stride, g.padding)
    a, w, e = BITS
    y = accelerator.forward(t["a"], t["w"], (a, w), *place)
    assert np.array_equal(y, reference.forward(t["a"], t["w"], g))
    dx = accelerator.error(t["e"], t["w"], (e, w), *place, input_size=g.size)
    assert np.array_equal(dx, reference.error(t["e"], t["w"], g))
    dw = accelerator.gradient(t["a"], t["e"], (a, e), *place, kernel_size=g.kernel)
    assert np.array_equal(dw, reference.gradient(t["a"], t["e"], g))


@pytest.mark.parametrize("third", [8, 0])
def test_whole_programs(accelerator: CosimAccelerator, third: int) -> None:
    """Results in planes, at the port and raw; one step skipped, others at fewer bits."""
    program = compile_program(TINY, network(), base_address=1 << 16)
    t = random_operands(program, np.random.default_rng(third))
    table = {0: Precision(7, 4, 3), 1: Precision(6, 5, 7), 2: Precision(third, 8, 7)}
    found = accelerator.run(program, t, table)
    wanted = reference.results(program.steps, t, table)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        result = found[name]
        assert result is value or np.array_equal(np.asarray(result), np.asarray(value)), name
    assert (found["y3"] is None) == (third == 0)


@pytest.mark.parametrize("signs", [(True, True), (False, False), (True, False)])
def test_signs_are_those_of_the_tensors(
    accelerator: CosimAccelerator, signs: tuple[bool, bool]
) -> None:
    """Whatever the pass usually has."""
    p, g = accelerator.parameters, Geometry(2, 9, 7, (6, 9), (3, 3), 1, 1)
    steps = [replace(step, signs=signs) for step in three_passes(g, (5, 3, 5))]
    for step in steps:
        program = compile_program(p, [step])
        values = random_operands(program, np.random.default_rng(0))
        precisions = {0: Precision(4, 3, 5)}
        with open_accelerator("golden", p) as golden:
            wanted = golden.run(program, values, precisions)
        found = accelerator.run(program, values, precisions)
        assert found[step.result] is not None
        np.testing.assert_array_equal(
            np.asarray(found[step.result]), np.asarray(wanted[step.result])
        )


def test_results_of_other_calls_are_not_touched(accelerator: CosimAccelerator) -> None:
    """What a call returned does not lie in the machine's memory."""
    first, second = operands(LAYER, 1), operands(LAYER, 2)
    y = forward(accelerator, first)
    before = y.copy()
    forward(accelerator, second)
    assert np.array_equal(y, before)


# -- counters --------------------------------------------------------------------------------------


def test_counters_count(accelerator: CosimAccelerator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a layer that is loaded once: each word read, each sum written, each pass counted."""
    monkeypatch.setattr(planning, "WARM_UP_STRIPS", 1)
    a, w, e = BITS
    program = compile_program(TINY, three_passes(LAYER, BITS)[:1])
    before = accelerator.counters
    accelerator.run(
        program, {name: operands(LAYER)[name] for name in "aw"}, {0: Precision(a, w, e)}
    )
    cost = accelerator.counters - before
    # a block is a row of 16 pixels, 8 channels; 2 groups of filters
    tiles = 2 * 16 * 2
    assert cost.busy_cycles == tiles * a * w
    words = 2 * 16 * a + 2 * 5 * w
    assert cost.bytes_in == words * TINY.word_bytes + 32 * len(program.commands)
    assert cost.bytes_out == tiles * 16 * 8 * 4
    stalls = cost.stall_operand + cost.stall_result + cost.stall_memory + cost.stall_token
    assert 0 < stalls < cost.cycles - cost.busy_cycles


def test_counters_are_kept_by_pass(accelerator: CosimAccelerator) -> None:
    """Each pass has the passes of the array that it takes; cycles add up to all of them."""
    t, before, first = operands(LAYER), accelerator.counters, accelerator.work
    a, w, e = BITS
    forward(accelerator, t)
    accelerator.gradient(t["a"], t["e"], bits=(a, e), padding=1, kernel_size=3)
    cost, work = accelerator.counters - before, accelerator.work - first
    assert work.total == cost and work.programs == 2
    assert work.of(Tag.FORWARD).busy_cycles == 2 * 16 * 2 * a * w
    assert work.of(Tag.ERROR) == Counters()
    assert work.of(Tag.FORWARD).bytes_in > 0 and work.of(Tag.OTHER).busy_cycles == 0
    assert work.of(Tag.FORWARD).busy_cycles + work.of(Tag.GRADIENT).busy_cycles == cost.busy_cycles
    assert 0 < work.of(Tag.OTHER).cycles < cost.cycles


def test_counters_add_up_over_calls(accelerator: CosimAccelerator) -> None:
    t, before = operands(LAYER), accelerator.counters
    forward(accelerator, t)
    once = accelerator.counters - before
    forward(accelerator, t)
    assert accelerator.counters - before == once + once
    assert all(getattr(once, each.name) > 0 for each in fields(Counters)[:4])


def test_a_skipped_step_costs_its_commands(accelerator: CosimAccelerator) -> None:
    step = Step(Pass.FORWARD, LAYER, 3, "a", "w", "y", BITS[:2], Planes(4))
    program = compile_program(TINY, [step])
    before = accelerator.counters
    t = {name: operands(LAYER)[name] for name in "aw"}
    assert accelerator.run(program, t, {3: Precision(3, 0, 1)}) == {"y": None}
    cost = accelerator.counters - before
    assert (cost.busy_cycles, cost.bytes_out) == (0, 0)
    assert cost.bytes_in == 32 * len(program.commands)


def test_a_slower_memory_costs_cycles_only(accelerator: CosimAccelerator) -> None:
    t, before = operands(LAYER), accelerator.counters
    y = forward(accelerator, t)
    ideal = accelerator.counters - before
    slow = MemoryModel(bytes_per_cycle=2.0, read_latency_cycles=200)
    with CosimAccelerator(TINY, slow) as other:
        assert np.array_equal(forward(other, t), y)
        cost = other.counters
    assert cost.cycles > 2 * ideal.cycles and cost.stall_memory > ideal.stall_memory
    assert (cost.busy_cycles, cost.bytes_in, cost.bytes_out) == (
        ideal.busy_cycles,
        ideal.bytes_in,
        ideal.bytes_out,
    )


# -- what goes wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (EVERYWHERE, Fault.READ_ERROR.description),
        (BusFaults(stuck_from=300), "no end within"),
        (BusFaults(stuck_from=0, stuck_requests=True), "no end within"),
    ],
    ids=["errors", "stuck", "stuck at once"],
)
def test_a_fault_is_an_error_and_the_next_call_is_exact(
    accelerator: CosimAccelerator, faults: BusFaults, message: str
) -> None:
    t, before = operands(LAYER), accelerator.counters
    accelerator._machine.inject(faults)
    with pytest.raises(MachineError, match=message):
        forward(accelerator, t)
    assert accelerator.counters == before
    assert np.array_equal(forward(accelerator, t), reference.forward(t["a"], t["w"], LAYER))


def test_after_an_interruption_the_next_call_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fractrain.sim.cosim.convolution.SLICE_CYCLES", 300)
    t, told = operands(LAYER), []

    def stop_once(cycles: int) -> None:
        told.append(cycles)
        if len(told) == 3:
            raise KeyboardInterrupt

    with CosimAccelerator(TINY, watch=stop_once) as machine:
        with pytest.raises(KeyboardInterrupt):
            forward(machine, t)
        assert told == [300, 600, 900] and machine.counters == Counters()
        assert np.array_equal(forward(machine, t), reference.forward(t["a"], t["w"], LAYER))


def test_the_table_is_written_where_it_changed(accelerator: CosimAccelerator) -> None:
    """And anew after a fault, whatever the machine has kept of it."""
    t, table = operands(LAYER), accelerator.driver.table
    forward(accelerator, t)
    writes = table.writes
    forward(accelerator, t)
    assert table.writes == writes
    accelerator.forward(t["a"], t["w"], (BITS[0] + 1, BITS[1]), padding=1)
    assert table.writes == writes + 1
    accelerator._machine.inject(EVERYWHERE)
    with pytest.raises(EngineFault):
        forward(accelerator, t)
    forward(accelerator, t)
    assert table.writes == writes + 3


def test_the_failing_command_is_named(accelerator: CosimAccelerator) -> None:
    program = compile_program(TINY, three_passes(LAYER, BITS)[:1])
    last = program.base_address + program.program_address - 1
    accelerator._machine.inject(BusFaults((ErrorRegion(last - 8, last, reads=False),)))
    with pytest.raises(EngineFault) as error:
        accelerator.run(
            program, {name: operands(LAYER)[name] for name in "aw"}, {0: Precision(*BITS)}
        )
    assert error.value.cause is Fault.WRITE_ERROR
    assert 0 < error.value.index < len(program.commands)


def test_a_program_beyond_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cosim, "MEMORY_BYTES", 1 << 15)
    with CosimAccelerator(TINY) as small:
        with pytest.raises(ParameterError, match="memory of the program: got .* at most 32768"):
            forward(small, operands(LAYER))
        one = Geometry(1, 8, 8, (16, 16), (3, 3), 1, 1)
        t = operands(one)
        assert np.array_equal(forward(small, t), reference.forward(t["a"], t["w"], one))


@pytest.mark.parametrize(
    ("module", "name", "value", "message"),
    [
        (cosim, "build_hash", lambda parameters: "0" * 64, "were not generated together"),
        (driver, "IDENTITY", 1, "no FracTrain engine"),
    ],
)
def test_another_machine_is_refused(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, value: object, message: str
) -> None:
    monkeypatch.setattr(module, name, value)
    with pytest.raises(MachineError, match=message):
        CosimAccelerator(TINY)


def test_wrong_values_are_refused(accelerator: CosimAccelerator) -> None:
    ones = np.ones((1, 1, 1, 1), int)
    with pytest.raises(ParameterError, match=r"a\[0, 0, 0, 0\]: got 4"):
        accelerator.forward(4 * ones, ones, bits=(2, 2))


def test_a_closed_machine_takes_no_calls() -> None:
    accelerator = CosimAccelerator(TINY)
    t = operands(LAYER)
    forward(accelerator, t)
    accelerator.close()
    accelerator.close()
    assert accelerator.counters.busy_cycles > 0
    with pytest.raises(MachineError, match="closed"):
        forward(accelerator, t)
    program = compile_program(TINY, [Step(Pass.FORWARD, LAYER, 0, "a", "w", "y", BITS[:2], Port())])
    with pytest.raises(MachineError, match="closed"):
        accelerator.run(program, t, {0: Precision(*BITS)})
