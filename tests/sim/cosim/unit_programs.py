"""Programs of a machine with a vector unit on its RTL, run by its registers alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fractrain.hw.contract import registers as contract
from fractrain.hw.contract.commands import Fault, Tag
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cosim.convolution import ConvolutionSimulation

__all__ = ["Ended", "read_counters", "run_program", "set_tables", "soft_reset"]

SLICE_CYCLES = 1_000_000
RESET_READS = 100
WORD = (1 << contract.WORD_BITS) - 1


@dataclass(frozen=True)
class Ended:
    """How a program ended: ``fault`` NONE at its END; ``index`` of the command at fault."""

    fault: Fault
    index: int


def set_tables(
    machine: ConvolutionSimulation,
    table: Sequence[Precision],
    kept: Sequence[KeptBits],
    rounding: tuple[int, int],
) -> None:
    """The precision table; seed and step of the random bits."""
    for slot, (precision, bits) in enumerate(zip(table, kept, strict=True)):
        word = contract.encode_precision(precision, bits)
        machine.write_register(contract.TABLE_BASE + slot, word)
    seed, step = rounding
    for register, value in (
        (contract.SEED_LOW, seed & WORD),
        (contract.SEED_HIGH, seed >> contract.WORD_BITS),
        (contract.STEP_LOW, step & WORD),
        (contract.STEP_HIGH, step >> contract.WORD_BITS),
    ):
        machine.write_register(register.address, value)


def run_program(
    machine: ConvolutionSimulation,
    address: int,
    commands: int,
    *,
    host: Callable[[], int] | None = None,
    cycle_limit: int = SLICE_CYCLES,
) -> Ended:
    """Run ``commands`` commands from ``address`` on; ``host`` is called for each token that it is
    given, and says how many it gives."""
    first = machine.base_address
    clear = contract.CLEAR_COUNTERS.insert(1)
    for register, value in (
        (contract.WINDOW_FIRST, first),
        (contract.WINDOW_LAST, first + len(machine.memory) - 1),
        (contract.PROGRAM_ADDRESS, address),
        (contract.PROGRAM_COMMANDS, commands),
        (contract.INTERRUPT_ENABLE, 1),
        (contract.INTERRUPT, 1),
        (contract.CONTROL, contract.START.insert(1) | clear),
    ):
        machine.write_register(register.address, value)
    begun = machine.cycles
    while machine.advance(cycle_limit - (machine.cycles - begun)):
        tokens = machine.read_register(contract.HOST_TOKENS.address)
        for _ in range(tokens):
            machine.write_register(contract.HOST_TOKENS.address, 1)
            given = host() if host else 0
            if given:
                machine.write_register(contract.HOST_GIVE.address, given)
        if machine.read_register(contract.INTERRUPT.address) & 1:
            return _ended(machine)
    status = machine.read_register(contract.STATUS.address)
    raise AssertionError(f"no end within {cycle_limit} cycles: STATUS 0x{status:08X}")


def soft_reset(machine: ConvolutionSimulation) -> None:
    """Until a program can be started again."""
    machine.write_register(contract.CONTROL.address, contract.RESET.insert(1))
    for _ in range(RESET_READS):
        if contract.IDLE.extract(machine.read_register(contract.STATUS.address)):
            return
    raise AssertionError("not idle after a reset")


def _ended(machine: ConvolutionSimulation) -> Ended:
    status = machine.read_register(contract.STATUS.address)
    index = machine.read_register(contract.FAULT_INDEX.address)
    return Ended(Fault(contract.CAUSE.extract(status)), index)


def read_counters(machine: ConvolutionSimulation) -> dict[tuple[Tag, str], int]:
    """What all counters stand at."""
    counters = {}
    for tag in Tag:
        for counter in (*contract.COUNTERS, *contract.VECTOR_COUNTERS):
            low, high = (machine.read_register(counter.address(tag) + word) for word in range(2))
            counters[tag, counter.name] = low | high << contract.WORD_BITS
    return counters
