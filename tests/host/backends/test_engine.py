"""The engine behind the accelerator's interface, here the emulated one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.host.accelerator import open_accelerator
from fractrain.host.backends.functional import FunctionalAccelerator
from fractrain.host.compiler import Results, Step, compile_program
from fractrain.host.graph.geometry import Geometry
from fractrain.host.machine.counters import Counters
from fractrain.host.machine.work import MachineWork, ProgramRun, program_work
from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.hw.contract.registers import COUNTERS
from fractrain.sim.functional import FunctionalMachine
from tests.host.compiler.running import random_operands, three_passes
from tests.host.compiler.test_program import network
from tests.hw.machines import machine


def assert_same(found: Results, wanted: Results) -> None:
    """The same results, bit for bit, and the same ones skipped."""
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert (found[name] is None) == (value is None), name
        if value is not None:
            np.testing.assert_array_equal(found[name], value, name)


@given(
    shape=st.tuples(*[st.integers(1, 6)] * 3),
    size=st.tuples(st.integers(3, 12), st.integers(3, 12)),
    kernel=st.sampled_from([(1, 1), (3, 3), (2, 3)]),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=25, deadline=None)
def test_the_three_passes_are_exact(
    shape: tuple[int, int, int],
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    padding: int,
    seed: int,
) -> None:
    p = machine()
    g = Geometry(*shape, size, kernel, stride, padding)
    t = random_operands(compile_program(p, three_passes(g, (5, 4, 6))), np.random.default_rng(seed))
    with FunctionalAccelerator(p) as engine, open_accelerator("golden", p) as golden:
        found, wanted = (
            (
                each.forward(t["a"], t["w"], (5, 4), stride, padding),
                each.error(t["e"], t["w"], (6, 4), stride, padding, input_size=size),
                each.gradient(t["a"], t["e"], (5, 6), stride, padding, kernel_size=kernel),
            )
            for each in (engine, golden)
        )
        assert engine.counters.busy_cycles > 0
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("third", [8, 0])
def test_whole_programs(third: int) -> None:
    p = machine()
    program = compile_program(p, network())
    operands = random_operands(program, np.random.default_rng(0))
    precisions = {0: Precision(7, 4, 3), 1: Precision(6, 5, 7), 2: Precision(third, 8, 7)}
    with FunctionalAccelerator(p) as engine, open_accelerator("golden", p) as golden:
        results = engine.run(program, operands, precisions)
        assert_same(results, golden.run(program, operands, precisions))
    assert (results["y3"] is None) == (third == 0)


@pytest.mark.parametrize("backend", ["golden", "torch"])
def test_signs_of_a_program_are_those_of_its_tensors(backend: str) -> None:
    """Signed activations, multiplied step by step or on the machine."""
    if backend == "torch":
        pytest.importorskip("torch")
    p = machine()
    g = Geometry(2, 5, 7, (6, 9), (3, 3), 1, 1)
    program = compile_program(
        p, [Step(Pass.FORWARD, g, 0, "a", "b", "y", (8, 8), signs=(True, False))]
    )
    operands = random_operands(program, np.random.default_rng(0))
    assert operands["a"].min() < 0 and operands["b"].max() > 127
    precisions = {0: Precision(6, 8, 1)}
    with FunctionalAccelerator(p) as engine, open_accelerator(backend, p) as other:
        found = engine.run(program, operands, precisions)
        wanted = other.run(program, operands, precisions)["y"]
    np.testing.assert_array_equal(np.asarray(found["y"]), np.asarray(wanted, np.int64))


def test_a_skipped_result_is_zeros_for_the_next_step() -> None:
    p = machine()
    program = compile_program(p, network())
    operands = random_operands(program, np.random.default_rng(0))
    precisions = {0: Precision(0, 4, 3), 1: Precision(6, 5, 7), 2: Precision(8, 8, 7)}
    with FunctionalAccelerator(p) as engine, open_accelerator("golden", p) as golden:
        results = engine.run(program, operands, precisions)
        assert_same(results, golden.run(program, operands, precisions))
    assert results["a1"] is None and not np.any(results["y2"])


@pytest.mark.parametrize("preset", ["tiny", "zc706"])
@pytest.mark.parametrize("size", [8, 16, 32])
def test_results_lie_in_memory_as_golden_s(preset: str, size: int) -> None:
    """In C order, whatever the tiles of the machine are: sums of floats depend on it."""
    p = machine(preset)
    g = Geometry(2, 16, 32, (size, size), (3, 3), 1, 1)
    t = random_operands(compile_program(p, three_passes(g, (2, 2, 2))), np.random.default_rng(0))
    with FunctionalAccelerator(p) as engine:
        for result in (
            engine.forward(t["a"], t["w"], (2, 2), 1, 1),
            engine.error(t["e"], t["w"], (2, 2), 1, 1, input_size=size),
            engine.gradient(t["a"], t["e"], (2, 2), 1, 1, kernel_size=3),
        ):
            assert result.flags.c_contiguous


def test_refusals() -> None:
    p = machine()
    program = compile_program(p, network())
    operands = random_operands(program, np.random.default_rng(0))
    precisions = {slot: Precision(6, 4, 6) for slot in range(3)}
    engine = FunctionalAccelerator(machine(queues__commands=8))
    with pytest.raises(ParameterError, match="config"):
        engine.run(program, operands, precisions)
    with pytest.raises(ParameterError, match="slot 0"):
        engine.run(program, operands, precisions | {0: Precision(6, 5, 6)})
    engine.close()
    with pytest.raises(MachineError, match="closed"):
        engine.run(program, operands, precisions)


def test_layers_of_one_network_share_the_stream() -> None:
    p = machine()
    program = compile_program(p, network())
    memory = program.pack(random_operands(program, np.random.default_rng(0)))
    emulated = FunctionalMachine(p, memory)
    for slot in range(3):
        emulated.table[slot] = Precision(1, 1, 1)
    result = emulated.run(program.program_address, len(program.commands))
    assert set(result.passes) == {Tag.FORWARD, Tag.ERROR, Tag.GRADIENT}


@pytest.mark.parametrize("stored", [3, 5, 8])
def test_the_top_planes_of_what_is_stored(stored: int) -> None:
    """One program serves every precision; fewer bits take fewer passes, and the same integers
    come out as of shifted activations."""
    rng = np.random.default_rng(stored)
    parameters = machine()
    a = rng.integers(0, 1 << stored, (2, 5, 6, 6))
    w, e = rng.integers(-4, 4, (3, 5, 3, 3)), rng.integers(-8, 8, (2, 3, 6, 6))
    with (
        FunctionalAccelerator(parameters) as engine,
        open_accelerator("golden", parameters) as golden,
    ):
        assert engine.reads_planes and not golden.reads_planes
        busy = []
        for bits in (1, 2, 3):
            for accelerator in (engine, golden):
                top = a >> (stored - bits)
                np.testing.assert_array_equal(
                    accelerator.forward(a, w, (bits, 3), padding=1, stored=stored),
                    golden.forward(top, w, (bits, 3), padding=1),
                )
                np.testing.assert_array_equal(
                    accelerator.gradient(a, e, (bits, 4), padding=1, kernel_size=3, stored=stored),
                    golden.gradient(top, e, (bits, 4), padding=1, kernel_size=3),
                )
            busy.append(engine.counters.busy_cycles)
        assert busy[1] == 3 * busy[0] and busy[2] == 6 * busy[0]
        assert engine.programs.compilations == 2
        with pytest.raises(ParameterError, match="stored: got 2, allowed: at least bits.0., 3"):
            engine.forward(a, w, (3, 3), padding=1, stored=2)
        with pytest.raises(ParameterError, match="a"):
            engine.forward(a + (1 << stored), w, (3, 3), padding=1, stored=stored)


# -- what was measured -----------------------------------------------------------------------------


def test_work_is_kept_by_pass_and_each_program_is_told_of() -> None:
    parameters, seen = machine(), list[ProgramRun]()
    rng = np.random.default_rng(0)
    a, e = rng.integers(0, 8, (2, 5, 6, 6)), rng.integers(-8, 8, (2, 3, 6, 6))
    w = rng.integers(-4, 4, (3, 5, 3, 3))
    with FunctionalAccelerator(parameters) as engine:
        assert engine.work == MachineWork()
        engine.forward(a, w, (3, 3), padding=1)
        engine.program_observer = seen.append
        first = engine.work
        engine.forward(a, w, (3, 3), padding=1)
        engine.gradient(a, e, (3, 4), padding=1, kernel_size=3)
        since = engine.work - first
        assert engine.work.total == engine.counters
    assert since.programs == len(seen) == 2
    assert set(first.passes) == {Tag.FORWARD, Tag.OTHER} and first.programs == 1
    assert since.of(Tag.FORWARD) == first.of(Tag.FORWARD)
    assert since.of(Tag.GRADIENT).busy_cycles > 0 and since.of(Tag.ERROR) == Counters()
    assert seen[0].work + seen[1].work == since
    assert [each.program.steps[0].pass_.label for each in seen] == ["forward", "gradient"]
    assert min(seen[0].pack_seconds, seen[0].run_seconds, seen[0].unpack_seconds) > 0


def test_no_machine_no_work() -> None:
    with open_accelerator("golden") as golden:
        assert golden.work is None and golden.measured_as is None


def test_cycles_of_a_program_are_divided_among_its_passes() -> None:
    """By the counter that each cycle is in; what nobody counted is OTHER's."""
    names = [each.name for each in COUNTERS]
    forward = dict(zip(names, (100, 1, 2, 3, 4, 5, 640, 32), strict=True))
    other = dict(zip(names, (0, 0, 0, 0, 0, 20, 96, 0), strict=True))
    work = program_work({Tag.FORWARD: forward, Tag.OTHER: other}, cycles=140, seconds=0.5)
    assert work.of(Tag.FORWARD) == Counters(115, 100, 640, 32, 1, 2, 3, 4)
    assert work.of(Tag.OTHER) == Counters(cycles=25, bytes_in=96)
    assert (work.total.cycles, work.programs, work.seconds) == (140, 1, 0.5)
    assert program_work({Tag.FORWARD: forward, Tag.OTHER: other}).total.cycles == 135
