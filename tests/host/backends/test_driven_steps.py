"""Whole steps on the RTL, by the driver: in co-simulation and on the simulated board they leave
what the golden model leaves, also after all that can go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.backends import cosim
from fractrain.host.backends.board import BoardAccelerator
from fractrain.host.backends.cosim import CosimAccelerator
from fractrain.host.backends.driven import DrivenAccelerator
from fractrain.host.backends.driven_steps import DrivenVectorMachine, first_of_steps
from fractrain.host.board import clock
from fractrain.host.board.cache_guard import StaleCaches
from fractrain.host.board.clock import ClockChanged
from fractrain.host.board.device import BoardDevice
from fractrain.host.driver import driver as driver_module
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.machine_step.compiled_machine import CompiledMachine
from fractrain.host.methods.recipe import make_recipe
from fractrain.host.training.machine_trainer import MachineTrainer
from fractrain.host.training.trainer import DivergenceError, Trainer, TrainerState
from fractrain.hw.contract.commands import Fault, Load, Recall, Tag
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.registers import COUNTERS, VECTOR_COUNTERS, WINDOW_FIRST, WINDOW_LAST
from fractrain.sim.board import SimulatedBoard
from fractrain.sim.cosim.convolution import ConvolutionSimulation
from fractrain.sim.cosim.convolution_faults import BusFaults, ErrorRegion
from tests.host.machine_step.test_compiled_machine import Programs
from tests.host.machine_step.trainers import Case, assert_same_state, make, train
from tests.sim.cosim.vector_engine import P

CASE = Case(
    make_recipe("static", precision=Precision(3, 2, 4)),
    options=IntegerOptions(chunk_rows=8),
    stages=((8, 2),),
    batch=3,
    steps=3,
)
"""Two stages, whose chunks have one image and two: the host is met twice, and the last chunk is
short."""

BUFFER_BYTES = 4 << 20


@dataclass
class Opened:
    """An accelerator, and the RTL behind it."""

    accelerator: DrivenAccelerator
    engine: ConvolutionSimulation

    @property
    def machine(self) -> DrivenVectorMachine:
        assert isinstance(self.accelerator.vector_machine, DrivenVectorMachine)
        return self.accelerator.vector_machine


@pytest.fixture(scope="module")
def golden() -> Iterator[Accelerator]:
    with open_accelerator("golden") as accelerator:
        yield accelerator


@pytest.fixture(scope="module")
def simulated() -> Iterator[Opened]:
    """In co-simulation."""
    accelerator = CosimAccelerator(P)
    with accelerator:
        yield Opened(accelerator, accelerator._machine)


@pytest.fixture(scope="module")
def board() -> Iterator[SimulatedBoard]:
    with SimulatedBoard(P, buffer_bytes=BUFFER_BYTES) as opened:
        yield opened


@pytest.fixture(scope="module")
def on_board(board: SimulatedBoard) -> Iterator[Opened]:
    with BoardDevice.open(board) as device:
        yield Opened(BoardAccelerator.over(device), board.engine)


@pytest.fixture(params=["co-simulation", "simulated board"])
def opened(request: pytest.FixtureRequest) -> Opened:
    name = "simulated" if request.param == "co-simulation" else "on_board"
    found: Opened = request.getfixturevalue(name)
    return found


@pytest.fixture(scope="module")
def begun(golden: Accelerator) -> TrainerState:
    """After a step of golden, with which ranges are known."""
    usual = make(CASE, golden)
    train(usual, 1)
    return usual.state()


def on_rtl(opened: Opened, begun: TrainerState | None = None) -> MachineTrainer:
    found = make(CASE, opened.accelerator, lambda case, of: Programs(opened.machine))
    assert isinstance(found, MachineTrainer)
    found.note = pytest.fail
    if begun is not None:
        found.load(begun)
    return found


def programs(trainer: MachineTrainer) -> CompiledMachine:
    machine = trainer._steps._machine
    assert isinstance(machine, CompiledMachine)
    return machine


def one_step(golden: Accelerator, begun: TrainerState, whole: MachineTrainer) -> Trainer:
    """The next one from ``begun`` on ends as golden's."""
    usual = make(CASE, golden)
    usual.load(begun)
    before = whole.whole_steps
    assert train(whole, 2) == train(usual, 2)
    assert whole.whole_steps == before + 1
    assert_same_state(whole.state(), usual.state())
    return usual


def test_a_run_all_of_which_is_on_the_machine(golden: Accelerator, opened: Opened) -> None:
    """What is measured and evaluated goes layer by layer, and leaves the weights where they are."""
    usual, whole = make(CASE, golden), on_rtl(opened)
    log = []
    for step in (1, 2):
        log += train(usual, step)
        assert train(whole, step) == log[-1:]
        assert whole.evaluate(2) == usual.evaluate(2)
    assert whole.whole_steps == 2
    assert_same_state(whole.state(), usual.state())
    sums = [each.arithmetic.weights_sha256(each.parameters()) for each in (usual, whole)]
    assert sums[0] == sums[1]


def test_precisions_that_change_and_skip(golden: Accelerator, opened: Opened) -> None:
    """The host is met three times a step; one program for all tables."""
    bits = Precision(2, 2, 3), Precision(0, 0, 0), Precision(4, 3, 6)
    case = replace(CASE, recipe=None, script=tuple((each,) for each in bits), batch=5)
    usual = make(case, golden)
    found = make(case, golden, lambda case, of: Programs(opened.machine))
    assert isinstance(found, MachineTrainer)
    assert train(usual) == train(found)
    assert found.whole_steps == 3
    assert len(programs(found).compiled(found._executor(5, training=True).graph).chunks) == 3
    assert_same_state(found.state(), usual.state())


def test_what_it_counts(golden: Accelerator, opened: Opened, begun: TrainerState) -> None:
    """Its registers, by tag; the accelerator's work is that of steps, too. It may touch the memory
    of the step, and nothing else."""
    whole, before = on_rtl(opened, begun), opened.accelerator.work
    one_step(golden, begun, whole)
    counts = opened.machine.counts
    assert counts is not None
    work = opened.accelerator.work - before
    assert work.programs == 1
    for tag in Tag:
        assert set(counts[tag]) == {each.name for each in (*COUNTERS, *VECTOR_COUNTERS)}
    moved = ("BYTES_READ", "STASH_READ"), ("BYTES_WRITTEN", "STASH_WRITTEN")
    read, written = (sum(counts[tag][name] for tag in Tag for name in names) for names in moved)
    assert (work.total.bytes_in, work.total.bytes_out) == (read, written) and written > 0
    assert work.of(Tag.GRADIENT).busy_cycles == counts[Tag.GRADIENT]["BUSY"] > 0
    assert counts[Tag.FORWARD]["VECTOR_BUSY"] > 0 < counts[Tag.ERROR]["VECTOR_CHANNEL"]
    vector = sum(counts[tag][each.name] for tag in Tag for each in VECTOR_COUNTERS[:6])
    assert 0 < vector <= work.total.cycles
    step = programs(whole).compiled(whole._executor(CASE.batch, training=True).graph)
    window = [
        opened.accelerator.driver.registers.read(each) for each in (WINDOW_FIRST, WINDOW_LAST)
    ]
    first = opened.machine.base_address
    assert window == [first, first + step.memory_bytes - 1] and first > opened.engine.base_address


def test_a_step_that_nobody_finishes(
    golden: Accelerator, opened: Opened, begun: TrainerState
) -> None:
    """It waits for the host, whose loss is refused. Convolutions stop it, and so does a step."""
    whole = on_rtl(opened, begun)
    bias = next(each for each in whole.parameters() if each.name == "classifier.bias")
    good = bias.value
    bias.value = good + np.array([np.inf, 0, 0])
    with pytest.raises(DivergenceError, match="the loss is"):
        train(whole, 2)
    bias.value = good
    assert_same_state(whole.state(), begun)
    usual = make(CASE, golden)
    usual.load(begun)
    assert whole.evaluate(1) == usual.evaluate(1)
    one_step(golden, begun, whole)


def test_an_error_on_the_bus(golden: Accelerator, opened: Opened, begun: TrainerState) -> None:
    """In the middle of the stash, which the way back reads: it is named, and the next step is
    right."""
    whole = on_rtl(opened, begun)
    step = programs(whole).compiled(whole._executor(CASE.batch, training=True).graph)
    bad = step.memory.stash["block0.first"].address + 64
    opened.engine.inject(BusFaults((ErrorRegion(bad, bad, writes=False),)))
    with pytest.raises(EngineFault, match="with a fault at command") as error:
        train(whole, 2)
    assert error.value.cause is Fault.READ_ERROR
    assert isinstance(step.commands[error.value.index], Recall | Load)
    opened.engine.inject(BusFaults())
    whole.load(begun)
    one_step(golden, begun, whole)


def test_a_memory_that_is_silent_for_a_while(
    golden: Accelerator, opened: Opened, begun: TrainerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened.accelerator.driver, "watchdog_cycles", 2_000)
    whole = on_rtl(opened, begun)
    opened.engine.inject(BusFaults(stuck_from=6_000, stuck_until=10_000))
    with pytest.raises(EngineFault, match=Fault.TIMEOUT.description) as error:
        train(whole, 2)
    assert error.value.index > 0 and "; not idle" not in str(error.value)
    opened.engine.inject(BusFaults())
    whole.load(begun)
    one_step(golden, begun, whole)


def test_a_memory_that_never_answers_again(
    golden: Accelerator, opened: Opened, begun: TrainerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A board needs a power cycle; a simulation can be reset."""
    monkeypatch.setattr(opened.accelerator.driver, "watchdog_cycles", 1_000)
    monkeypatch.setattr(driver_module, "RESET_PAUSES", (100, 100))
    whole = on_rtl(opened, begun)
    opened.engine.inject(BusFaults(stuck_from=3_000))
    with pytest.raises(MachineError, match="WATCHDOG cycles; not idle .* after a reset"):
        train(whole, 2)
    whole.load(begun)
    if isinstance(opened.accelerator, CosimAccelerator):
        one_step(golden, begun, whole)
        return
    with pytest.raises(MachineError, match="an earlier program; the board needs a power cycle"):
        train(whole, 2)
    opened.engine.inject(BusFaults())
    opened.accelerator.driver.stop()
    one_step(golden, begun, whole)


def test_a_host_that_gives_nothing(
    golden: Accelerator, simulated: Opened, begun: TrainerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits for ever. What the host had not taken or given is forgotten. (A board is given
    time to wake a process up, which takes long to simulate.)"""
    whole = on_rtl(simulated, begun)
    with monkeypatch.context() as patch:
        patch.setattr(simulated.accelerator.driver, "watchdog_cycles", 1_000)
        patch.setattr(simulated.machine, "give", lambda tokens: None)
        with pytest.raises(MachineError, match="^nothing was done for 4000 cycles: .*STALL_TOKEN"):
            train(whole, 2)
    whole.load(begun)
    one_step(golden, begun, whole)


@pytest.mark.parametrize(
    "defect", ["stale-caches", "unwritten-caches", "half-stale-caches", "half-written-caches"]
)
def test_caches_that_are_not_maintained(
    golden: Accelerator, board: SimulatedBoard, on_board: Opened, begun: TrainerState, defect: str
) -> None:
    assert isinstance(on_board.accelerator, BoardAccelerator)
    whole, buffer = on_rtl(on_board, begun), on_board.accelerator.device.buffer
    # the same step may have left there what this one leaves
    buffer.data[:] = np.random.default_rng(0).integers(256, size=buffer.size)
    buffer.share(0, buffer.size)
    board.injected.add(defect)
    try:
        with pytest.raises(StaleCaches):
            train(whole, 2)
    finally:
        board.injected.remove(defect)
    whole.load(begun)
    one_step(golden, begun, whole)


def test_a_clock_that_stops(
    golden: Accelerator,
    board: SimulatedBoard,
    on_board: Opened,
    begun: TrainerState,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under a step: no register is accessed any more."""
    monkeypatch.setattr(clock, "SETTLE_SECONDS", 1e-5)  # in which the machine is simulated
    assert isinstance(on_board.accelerator, BoardAccelerator)
    device, whole = on_board.accelerator.device, on_rtl(on_board, begun)
    board.injected.add("fclk-stopped")
    try:
        for _ in range(2):
            with pytest.raises(ClockChanged, match="what the machine computed meanwhile is not"):
                train(whole, 2)
    finally:
        board.injected.remove("fclk-stopped")
    device.set_clock()
    device.identify()
    whole.load(begun)
    one_step(golden, begun, whole)


def test_only_a_program_at_work_is_met(opened: Opened) -> None:
    for act in (opened.machine.wait, lambda: opened.machine.give(1)):
        with pytest.raises(MachineError, match="no program is at work"):
            act()
    opened.machine.stop()


def test_steps_and_programs_have_parts_of_the_memory(opened: Opened) -> None:
    size = len(opened.engine.memory)
    if isinstance(opened.accelerator, BoardAccelerator):
        size = BUFFER_BYTES
    first = first_of_steps(size)
    assert opened.machine.base_address == opened.accelerator.base_address + first
    assert len(opened.machine.memory(size - first)) == size - first
    with pytest.raises(ParameterError, match="memory of a whole step: .* part for whole steps"):
        opened.machine.memory(size - first + 1)


def test_a_memory_that_is_too_small(golden: Accelerator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps go layer by layer, and that is said."""
    monkeypatch.setattr(cosim, "first_of_steps", lambda size: size - 4096)
    said: list[str] = []
    accelerator = CosimAccelerator(P)
    with accelerator:
        whole: Any = make(CASE, accelerator, lambda case, of: Programs(accelerator.vector_machine))
        whole.note = said.append
        usual = make(CASE, golden)
        assert train(whole, 1) == train(usual, 1)
        assert_same_state(whole.state(), usual.state())
        assert whole.whole_steps == 0
    (text,) = said
    assert "memory of a whole step" in text and "layer by layer" in text
