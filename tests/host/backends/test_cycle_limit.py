"""Bounds on programs: above what they take, at any precisions, and counted once."""

from __future__ import annotations

import numpy as np
import pytest

from fractrain.host.backends import cycle_limit
from fractrain.host.backends.cycle_limit import launch, port_beats
from fractrain.host.compiler import Program, compile_program
from fractrain.hw.contract.commands import Convolve, Format, Load, Store
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cycles import predict
from fractrain.sim.memory_model import MemoryModel
from tests.host.compiler.running import random_operands, run
from tests.host.compiler.test_program import network

TINY = load_parameters("tiny")
TABLE = {0: Precision(7, 4, 3), 1: Precision(6, 5, 7), 2: Precision(4, 8, 7)}


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_program(TINY, network(), base_address=1 << 16)


def from_commands(program: Program, table: dict[int, Precision]) -> int:
    """The bound, command by command."""
    total = 10_000 + 400 * len(program.commands)
    for command in program.decoded:
        if isinstance(command, Load | Convolve):
            bits = table[command.slot].bits(command.operand)
        if isinstance(command, Convolve):
            tiles = command.images * command.tiles_y * command.tiles_x * command.slices
            total += (
                4
                * tiles
                * TINY.digits(bits)
                * TINY.digits(table[command.slot].bits(command.partner))
            )
        elif isinstance(command, Load):
            total += 2 * TINY.digits(bits) * command.runs * command.words * TINY.word_bytes
        elif isinstance(command, Store):
            tiles = command.images * command.tiles_y * command.tiles_x
            total += 2 * tiles * TINY.array.rows * TINY.array.columns * 8
    return total


def test_every_command_counts(program: Program) -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        table = {slot: Precision(*map(int, random.integers(0, 9, 3))) for slot in TABLE}
        assert cycle_limit.cycle_limit(program, table) == from_commands(program, table)


def test_it_is_more_than_the_program_takes(program: Program) -> None:
    """On a memory that is slow, too."""
    slow = MemoryModel(bytes_per_cycle=2.0, read_latency_cycles=200)
    cycles = predict(TINY, program.decoded, TABLE, slow).cycles
    assert cycles < cycle_limit.cycle_limit(program, TABLE) < 100 * cycles


def test_beats_are_those_that_leave(program: Program) -> None:
    stores = [each for each in program.decoded if isinstance(each, Store)]
    assert any(each.format is Format.PORT for each in stores)
    operands = random_operands(program, np.random.default_rng(0))
    assert port_beats(program) == len(run(program, operands, TABLE)[1].beats)


def test_the_machine_may_touch_the_program_s_memory(program: Program) -> None:
    found = launch(program, TABLE)
    assert found.window == (1 << 16, (1 << 16) + program.memory_bytes - 1)
    assert (found.address, found.commands) == (program.program_address, len(program.commands))


def test_commands_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, looks = compile_program(TINY, network()), []
    count = cycle_limit._count

    def counted(program: Program) -> object:
        looks.append(program)
        return count(program)

    monkeypatch.setattr(cycle_limit, "_count", counted)
    for _ in range(3):
        launch(fresh, TABLE)
        port_beats(fresh)
    assert looks == [fresh]
