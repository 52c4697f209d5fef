"""Programs that meet the host: tokens taken and given, access by access, and what goes wrong."""

from __future__ import annotations

import pytest

from fractrain.host.driver import Driver, EngineRegisters, Launch
from fractrain.host.driver.driver import IDLE_WATCHDOGS, WATCHDOG_CYCLES, WORK
from fractrain.hw.contract.commands import Fault, Tag
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.registers import (
    COUNTERS,
    HOST_TOKENS,
    TABLE_BASE,
    VECTOR_COUNTERS,
    VECTOR_REGISTERS,
    encode_precision,
)
from tests.host.driver.scripted_machine import (
    DONE,
    FAULT,
    IDLE,
    INTERRUPT_CYCLES,
    NAMES,
    PATIENCE,
    ScriptedMachine,
    WrongClock,
)
from tests.hw.machines import with_vector

NAMES |= {each.address: each.name for each in VECTOR_REGISTERS}
P = with_vector()
LAUNCH = Launch(0x1000, 3, (0x1000, 0x1FFF), None)
BUSY, LINES = (
    next(each for each in of if each.name == name).address(Tag.FORWARD)
    for of, name in ((COUNTERS, "BUSY"), (VECTOR_COUNTERS, "VECTOR_BUSY"))
)


class MeetingMachine(ScriptedMachine):
    """With a vector unit. ``tokens``: what HOST_TOKENS reads, the last for ever; ``work``: what the
    counter at that address reads, a number more each time."""

    def __init__(self, *states: int, tokens: tuple[int, ...] = (0,), work: int = 0, **more: int):
        super().__init__(*states, **more)
        self.tokens, self.work, self.done = list(tokens), work, 0
        self.driver = Driver(self, self, P)

    def read(self, address: int) -> int:
        found = super().read(address)
        if address == HOST_TOKENS.address:
            return self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]
        if address == self.work:
            self.done += 1
            return self.done
        return found


def test_a_token_is_taken_before_the_next_interrupt_is_let_through() -> None:
    machine = MeetingMachine(0, DONE | IDLE, tokens=(2, 0), interrupts=2)
    running = machine.driver.start(LAUNCH)
    machine.seen.clear()
    assert machine.driver.meet(running) is None
    taken = ["wait", "read STATUS", "read HOST_TOKENS", "write HOST_TOKENS 1", "listen"]
    assert machine.seen == taken
    machine.seen.clear()
    machine.driver.give(1)
    assert machine.seen == ["write HOST_GIVE 1"]
    ended = machine.driver.meet(running)
    assert ended is not None and ended.elapsed == ended.most == 2 * INTERRUPT_CYCLES
    assert machine.written[-1] == "INTERRUPT 1"


def test_tokens_come_before_the_end() -> None:
    """Both may be there when the host looks."""
    machine = MeetingMachine(DONE | IDLE, tokens=(1, 1, 0), interrupts=3)
    running = machine.driver.start(LAUNCH)
    assert [machine.driver.meet(running) for _ in range(2)] == [None, None]
    assert machine.driver.meet(running) is not None


def test_a_fault_counts_whatever_tokens_there_are() -> None:
    machine = MeetingMachine(FAULT | Fault.READ_ERROR << 8, IDLE, tokens=(1,))
    running = machine.driver.start(LAUNCH)
    with pytest.raises(EngineFault, match="with a fault at command 17") as error:
        machine.driver.meet(running)
    assert error.value.cause is Fault.READ_ERROR
    assert machine.written[-2:] == ["INTERRUPT 1", "CONTROL 2"]


def test_an_interrupt_that_means_nothing_is_waited_past() -> None:
    machine = MeetingMachine(0, tokens=(0, 1), interrupts=2)
    assert machine.driver.meet(machine.driver.start(LAUNCH)) is None
    assert machine.time == 2 * INTERRUPT_CYCLES


@pytest.mark.parametrize(
    ("state", "tokens", "did"), [(0, 1, "waits for the host"), (DONE | IDLE, 0, "has ended")]
)
def test_an_interrupt_that_does_not_come(state: int, tokens: int, did: str) -> None:
    machine = MeetingMachine(state, IDLE, tokens=(tokens,), interrupts=0)
    with pytest.raises(MachineError, match=rf"the program {did} .* no interrupt came .*\(line\)"):
        machine.driver.meet(machine.driver.start(LAUNCH))
    assert machine.written[-1] == "CONTROL 2"


def test_a_machine_that_does_nothing_is_given_up() -> None:
    machine = MeetingMachine(0, 0, IDLE, interrupts=0)
    message = rf"^nothing was done for {PATIENCE} ticks: STATUS 0x00000000, 5 beats; counters: all"
    with pytest.raises(MachineError, match=message):
        machine.driver.meet(machine.driver.start(LAUNCH))
    assert machine.time == 2 * PATIENCE, "two looks at the counters, and nothing in between"
    assert machine.written[-1] == "CONTROL 2"


@pytest.mark.parametrize(("state", "tokens"), [(0, 1), (DONE | IDLE, 0)])
def test_what_happens_as_patience_ends(state: int, tokens: int) -> None:
    """The interrupt comes between the end of a wait and the look at the registers."""
    machine = MeetingMachine(state, tokens=(tokens,), interrupts=0)
    running = machine.driver.start(LAUNCH)
    read = machine.read

    def late(address: int) -> int:
        machine.interrupts = 1
        return read(address)

    machine.read = late  # type: ignore[method-assign]
    assert (machine.driver.meet(running) is None) == bool(tokens)
    assert machine.time == PATIENCE + INTERRUPT_CYCLES


@pytest.mark.parametrize("counter", [BUSY, LINES])
def test_a_machine_that_works_may_take_any_time(counter: int) -> None:
    """It is looked at again and again, until its interrupt comes."""
    machine = MeetingMachine(0, tokens=(0,) * 5 + (1,), work=counter, interrupts=0)
    running = machine.driver.start(LAUNCH)
    wait, waits = machine.wait, 0

    def late(cycles: float) -> bool:
        nonlocal waits
        waits += 1
        machine.interrupts = int(waits == 6)
        return wait(cycles)

    machine.wait = late  # type: ignore[method-assign]
    assert machine.driver.meet(running) is None
    assert machine.time > 5 * PATIENCE


def test_the_watchdog_comes_first() -> None:
    """Memory that is silent is the machine's own to report."""
    assert IDLE_WATCHDOGS > 1
    asked: list[tuple[int, int]] = []
    machine = MeetingMachine(0, tokens=(1,))

    def patience(limit: int, watchdog: int) -> float:
        asked.append((limit, watchdog))
        return PATIENCE

    machine.patience = patience  # type: ignore[assignment]
    machine.driver.meet(machine.driver.start(LAUNCH))
    assert asked == [(IDLE_WATCHDOGS * WATCHDOG_CYCLES, WATCHDOG_CYCLES)]


def test_what_counts_work() -> None:
    names = {each.name for each in (*COUNTERS, *VECTOR_COUNTERS)}
    assert set(WORK) < names
    assert all("STALL" in each or each == "OTHER_CYCLES" for each in names - set(WORK))


@pytest.mark.parametrize("act", ["meet", "give"])
def test_no_register_is_accessed_once_the_clock_is_wrong(act: str) -> None:
    machine = MeetingMachine(0, tokens=(1,), right=1)
    running = machine.driver.start(LAUNCH)
    with pytest.raises(WrongClock):
        machine.driver.meet(running) if act == "meet" else machine.driver.give(1)
    assert set(machine.seen[machine.seen.index("wrong clock") :]) == {"wrong clock"}


@pytest.mark.parametrize("act", ["meet", "give"])
def test_an_interruption_stops_the_machine(act: str) -> None:
    machine = MeetingMachine(0, IDLE, tokens=(1,))
    running = machine.driver.start(LAUNCH)
    write = machine.write

    def interrupted(address: int, value: int) -> None:
        write(address, value)
        if address >= HOST_TOKENS.address:
            raise KeyboardInterrupt

    machine.write = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        machine.driver.meet(running) if act == "meet" else machine.driver.give(1)
    assert machine.written[-1] == "CONTROL 2"


def test_only_a_limit_can_be_waited_for_without_meeting() -> None:
    machine = MeetingMachine(DONE | IDLE)
    running = machine.driver.start(LAUNCH)
    with pytest.raises(ParameterError, match="cycle_limit"):
        machine.driver.finish(running)


def test_seed_and_step_have_two_words() -> None:
    machine = MeetingMachine(IDLE)
    machine.driver.set_rounding((5 << 32) | 6, (7 << 32) | 8)
    assert machine.written == ["SEED_LOW 6", "SEED_HIGH 5", "STEP_LOW 8", "STEP_HIGH 7"]


def test_entries_with_bits_of_x_are_others() -> None:
    """A slot that convolutions have used is written again for a whole step, and the other way
    round; one that has not changed is not."""
    machine = MeetingMachine(IDLE)
    table, bits, kept = machine.driver.table, Precision(4, 3, 6), KeptBits(7, 5)
    assert table.set({2: bits}) == 1
    assert table.set({2: bits}, {2: kept}) == 1
    assert table.set({2: bits}, {2: kept}) == 0
    assert table.set({2: bits}) == 1
    words = [encode_precision(bits, each) for each in (None, kept, None)]
    assert machine.written == [f"{TABLE_BASE + 2} {word}" for word in words]


def test_counters_of_a_vector_unit_are_read_where_there_is_one() -> None:
    machine = MeetingMachine(IDLE)
    for found, counters in (
        (EngineRegisters(machine).counters(), COUNTERS),
        (EngineRegisters(machine, with_unit=True).counters(), (*COUNTERS, *VECTOR_COUNTERS)),
    ):
        assert all(set(found[tag]) == {each.name for each in counters} for tag in Tag)
