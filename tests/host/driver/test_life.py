"""The driver over a machine's whole life: whatever programs did before, the next is itself."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.host.driver import Launch
from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.registers import STATUS, encode_precision
from tests.host.driver.engine_double import ACCESS, BUILD, EngineDouble, Program

LIMIT = 5_000
FAULTS = [each for each in Fault if each]
PROGRAMS = st.builds(
    Program,
    cycles=st.integers(1, 2 * LIMIT),
    fault=st.just(Fault.NONE) | st.sampled_from(FAULTS),
    index=st.integers(0, 1 << 20),
    drain=st.integers(0, 400_000),
    strays=st.lists(st.integers(0, 3 * LIMIT), max_size=3).map(tuple),
)
LAUNCHES = st.builds(
    Launch,
    address=st.integers(0, (1 << 32) - 1),
    commands=st.integers(1, 1 << 20),
    window=st.tuples(st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 32) - 1)),
    cycle_limit=st.just(LIMIT),
)


@settings(max_examples=60, deadline=None)
@given(
    masks=st.booleans(),
    programs=st.lists(st.tuples(PROGRAMS, LAUNCHES, st.integers(1, 8), st.booleans()), max_size=8),
)
def test_every_program_ends_as_it_must(
    masks: bool, programs: list[tuple[Program, Launch, int, bool]]
) -> None:
    """In its own cycles, with its own fault, or at its limit; before it, the table is right, and
    a machine that memory still owes answers is given none."""
    machine = EngineDouble(masks=masks)
    driver = machine.driver
    for program, launch, bits, deaf in programs:
        machine.program, machine.deaf = program, deaf
        before, table = len(machine.started), {2: Precision(bits, bits, bits)}
        if not machine.idle:
            with pytest.raises(MachineError, match="owes answers to an earlier program"):
                driver.run(launch)
            assert len(machine.started) == before
            machine.sleep(400_000)
        driver.table.set(table)
        ended, error = None, None
        try:
            ended = driver.run(launch)
        except MachineError as raised:
            error = raised
        began = machine.started[-1]
        assert (began.address, began.commands, began.window) == (
            launch.address,
            launch.commands,
            launch.window,
        )
        assert machine.table[2] == encode_precision(table[2])
        _check(machine, program, ended and ended.elapsed, error)
    if not machine.idle:
        machine.sleep(400_000)
    driver.identify(BUILD, "the double")


def _check(
    machine: EngineDouble, program: Program, elapsed: float | None, error: MachineError | None
) -> None:
    slack = 4 * ACCESS * (len(program.strays) + 1)  # STATUS is read at each interrupt
    if error is None:
        assert not program.fault and not machine.deaf
        assert elapsed is not None and abs(elapsed - program.cycles) <= slack
        if not program.strays:
            assert elapsed == program.cycles
        return
    if not machine.idle:
        assert "; not idle 131056 cycles after a reset" in str(error)
        error = error.__cause__ or error
    if isinstance(error, EngineFault):
        assert (error.cause, error.index) == (program.fault, program.index)
        assert error.cycles == program.cycles <= LIMIT + slack
    elif "no interrupt came within 5000 cycles: (line)" in str(error):
        assert machine.deaf and program.cycles <= LIMIT
    else:
        assert "no end within 50" in str(error)
        assert program.cycles > LIMIT - slack


@settings(max_examples=60, deadline=None)
@given(masks=st.booleans(), at=st.integers(0, 12), program=PROGRAMS)
def test_however_it_is_interrupted_the_machine_is_stopped(
    masks: bool, at: int, program: Program
) -> None:
    """By an exception at any access: nothing runs afterwards that nobody waits for."""
    machine = EngineDouble(masks=masks)
    machine.program = program
    count = 0

    def interrupting(name: str):  # type: ignore[no-untyped-def]
        method = getattr(machine, name)

        def call(*args: object) -> object:
            nonlocal count
            result = method(*args)
            if (count := count + 1) == at:
                raise KeyboardInterrupt
            return result

        return call

    for name in ("write", "wait", "now"):
        setattr(machine, name, interrupting(name))
    with contextlib.suppress(KeyboardInterrupt, MachineError):
        machine.driver.run(Launch(0, 1, (0, 4095), LIMIT))
    machine.sleep(400_000)
    assert machine.idle
    machine.program = Program(cycles=77)
    count = 100
    assert machine.driver.run(Launch(0, 1, (0, 4095), LIMIT)).elapsed == 77


@pytest.mark.parametrize("masks", [False, True])
def test_an_interrupt_left_pending_is_not_the_next_program_s(masks: bool) -> None:
    machine = EngineDouble(masks=masks)
    machine.program = Program(cycles=50)
    running = machine.driver.start(Launch(0, 1, (0, 4095), LIMIT))
    machine.sleep(1_000)  # nobody waits for it: the process was killed
    assert running.begun == running.before + ACCESS and machine.idle
    machine.program = Program(cycles=900)
    assert machine.driver.run(Launch(0, 1, (0, 4095), LIMIT)).elapsed == 900


def test_counts_are_the_last_program_s() -> None:
    machine = EngineDouble(masks=True)
    for cycles in (40, 300):
        machine.program = Program(cycles=cycles)
        work = machine.driver.execute(Launch(0, 1, (0, 4095), LIMIT))
        assert machine.driver.counted_cycles() == work.total.cycles == cycles
    assert machine.driver.registers.read(STATUS) == 3
