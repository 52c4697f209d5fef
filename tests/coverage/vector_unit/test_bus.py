"""Memory that answers with errors, or not at all, in the middle of each command of a vector unit
that reads or writes it: the machine stops readably, and goes on after a reset. A host that never
gives its token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import cycle

import pytest

from fractrain.host.backends.simulated_bus import CycleClock, SimulatedBus
from fractrain.host.driver import Driver, Launch
from fractrain.hw.contract import registers as contract
from fractrain.hw.contract.commands import (
    Channel,
    Command,
    End,
    Fault,
    Fill,
    Form,
    Normalize,
    Opcode,
    Quantize,
    Recall,
    Recalled,
    Report,
    Second,
    Set,
    Shape,
    Spill,
    Update,
    encode,
    opcode_of,
)
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.precision import Operand
from fractrain.sim.cosim.convolution_faults import BusFaults, ErrorRegion, Response
from tests.coverage.vector_unit.drawing import TENSOR_BYTES, TENSORS
from tests.coverage.vector_unit.fields import Kind, kind_of
from tests.coverage.vector_unit.pair import ENDED, PROGRAM, Access, Pair
from tests.sim.cosim.unit_programs import Ended, run_program
from tests.sim.cosim.vector_engine import P

WATCHDOG = 300
USUAL_WATCHDOG = 1 << 20
PARTS = 0.2, 0.5, 0.8
"""Of the cycles of a command, where memory falls silent."""
INDEX = 1
"""Of the command, behind a SHAPE."""


def place(number: int) -> int:
    return TENSORS + TENSOR_BYTES * number


SHAPE = Shape(
    entry=0,
    channel_groups=2,
    images=3,
    stash_stride=6,
    stash_group_stride=3,
    mask_plane=11,
    activation_plane=12,
    residual_plane=20,
)
STASH = {"normalized": True, "stash_normalized": True, "stash_mask": True}
COMMANDS: tuple[Command, ...] = (
    Recall(kind=Recalled.INSIDE, slot=1, kept_slot=2, masked=True, mask_plane=11, plane_stride=6,
           group_stride=3, channel_groups=2, blocks=3, address=place(0)),
    Fill(address=place(0), lines=200),
    Set(address=place(0), words=200),
    Channel(pixels=16, channel_groups=4, slot=1, address=place(0)),
    Channel(pixels=16, channel_groups=4, slot=1, backward=True, address=place(0)),
    Normalize(shape=0, stashed=True, slot=1, stash=place(0)),
    Form(shape=0, slot=1, form_slot=1, stash=place(0), pool=place(1), pooled=True,
         stash_activations=True, stash_residual=True, **STASH),
    Form(shape=0, slot=1, second=Second.RESIDUAL, pool=place(1), pooled=True),
    Spill(address=place(0), lines=200),
    Report(address=place(0), blocks=60),
    Quantize(slot=2, operand=Operand.WEIGHT, source=place(0), destination=place(4), blocks=4,
             plane_stride=4),
    Update(slot=1, a_enable=True, a_address=place(0), b_enable=True, b_address=place(1),
           velocity=4 * TENSOR_BYTES, taps=9),
)  # fmt: skip
NAMES = [
    f"{type(each).__name__}{' ' + str(number) if number in (4, 7) else ''}"
    for number, each in enumerate(COMMANDS)
]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    opened = Pair(P)
    yield opened
    opened.close()


def words_of(command: Command) -> list[int]:
    return [encode(each) for each in (SHAPE, command, End())]


def chosen(accesses: list[Access]) -> list[Access]:
    """The first, one in the middle and the last of the reads and of the writes, of one beat."""
    found = []
    for written in (False, True):
        some = [each for each in accesses if each[2] is written]
        for address, size, _ in dict.fromkeys(some[number] for number in _ends(len(some))):
            found += [(address + 8 * beat, 8, written) for beat in _ends(size // 8)]
    return list(dict.fromkeys(found))


def _ends(count: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys((0, count // 2, count - 1))) if count else ()


def test_every_command_that_names_memory_is_here() -> None:
    """By the contract's fields: a new one is missing until it is tried."""
    wanted = {
        opcode
        for opcode in Opcode
        if opcode >= Opcode.RECALL
        and any(kind_of(opcode, name) is Kind.MEMORY for name in _fields(opcode))
    }
    assert {opcode_of(each) for each in COMMANDS} == wanted


def _fields(opcode: Opcode) -> list[str]:
    from fractrain.hw.contract.commands import FIELDS

    return list(FIELDS[opcode])


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_errors(pair: Pair, command: Command) -> None:
    """SLVERR and DECERR at the first, a middle and the last beat of what is read and written."""
    words = words_of(command)
    accesses = pair.accesses(words, INDEX)
    responses = cycle(Response)
    seen: Counter[Fault] = Counter()
    for address, size, written in chosen(accesses):
        region = ErrorRegion(
            address, address + size - 1, next(responses), reads=not written, writes=written
        )
        with pair.broken(region):
            wanted = pair.expect(words)
            assert wanted is not None and wanted.index == INDEX
            found = pair.run(words)
        assert found == wanted, (command, region, found)
        pair.recovers(reset=True)
        seen[wanted.fault] += 1
    kinds = {written for _, _, written in accesses}
    assert (seen[Fault.READ_ERROR] > 0) == (False in kinds)
    assert (seen[Fault.WRITE_ERROR] > 0) == (True in kinds)
    assert pair.run(words) == ENDED
    pair.recovers(reset=False)


@pytest.mark.parametrize("requests", [False, True], ids=["answers", "requests"])
@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_silence(pair: Pair, command: Command, requests: bool) -> None:
    """From some cycle in the middle of the command on memory gives no answer, or takes nothing
    either: TIMEOUT of that command. It is not idle before memory has answered after all."""
    words, rtl = words_of(command), pair.rtl
    around, first = _cycles(pair, [encode(End())]), _cycles(pair, [words[0], encode(End())])
    last = _cycles(pair, words)
    rtl.write_register(contract.WATCHDOG.address, WATCHDOG)
    stopped = 0
    for part in PARTS:
        # registers are written before the start, and read behind the end
        stuck = first - around // 2 + int(part * (last - first))
        rtl.inject(BusFaults(stuck_from=stuck, stuck_requests=requests))
        ended = run_program(rtl, PROGRAM, len(words), cycle_limit=last + 20 * WATCHDOG)
        assert ended in (ENDED, Ended(Fault.TIMEOUT, INDEX)), (command, part)
        if ended != ENDED:
            stopped += 1
            rtl.write_register(contract.CONTROL.address, contract.RESET.insert(1))
            rtl.advance(200, until_interrupt=False)
            status = rtl.read_register(contract.STATUS.address)
            assert not contract.FAULT.extract(status)
            assert contract.IDLE.extract(status) != contract.DRAINING.extract(status)
        rtl.inject(BusFaults())
        pair.recovers(reset=True)
    rtl.write_register(contract.WATCHDOG.address, USUAL_WATCHDOG)
    assert stopped


def _cycles(pair: Pair, words: list[int]) -> int:
    """Of a good program, with its registers."""
    before = pair.rtl.cycles
    assert pair.run(words) == ENDED
    return pair.rtl.cycles - before


def test_a_token_that_the_host_never_gives(pair: Pair) -> None:
    """The machine has no limit of its own: the driver gives up what does nothing for 4 times
    WATCHDOG, and the next program runs. The functional machine says at once who waits."""
    words = [encode(each) for each in (Set(address=0, wait=1 << 3), End())]
    assert pair.expect(words) is None
    with pytest.raises(MachineError, match="waits for ever: FETCH at command 0"):
        pair.functional.run(PROGRAM, len(words))
    pair.put(pair.rtl.memory, PROGRAM, words)
    driver = Driver(SimulatedBus(pair.rtl), CycleClock(pair.rtl), P)
    driver.watchdog_cycles = WATCHDOG
    first, before = pair.rtl.base_address, pair.rtl.cycles
    window = first, first + len(pair.rtl.memory) - 1
    running = driver.start(Launch(PROGRAM, len(words), window, None))
    with pytest.raises(MachineError, match="nothing was done for") as error:
        driver.meet(running)
    assert "waits for the host" not in str(error.value)
    assert pair.rtl.cycles - before > 4 * WATCHDOG
    pair.rtl.write_register(contract.WATCHDOG.address, USUAL_WATCHDOG)
    pair.recovers(reset=False)
