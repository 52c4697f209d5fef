"""Bounds on what a program does, from its commands alone."""

from __future__ import annotations

from collections.abc import Mapping

from fractrain.host.compiler import Program
from fractrain.host.driver import Launch
from fractrain.hw.contract.commands import Convolve, Format, Load, Store
from fractrain.hw.contract.precision import Precision

__all__ = ["cycle_limit", "launch", "port_beats"]

CYCLES_PER_PASS = 4
CYCLES_PER_COMMAND = 400
CYCLES_PER_BYTE = 2
START_CYCLES = 10_000


def launch(program: Program, precisions: Mapping[int, Precision]) -> Launch:
    """How ``program`` is started: the machine may touch its memory, and nothing else."""
    first = program.base_address
    return Launch(
        program.program_address,
        len(program.commands),
        (first, first + program.memory_bytes - 1),
        cycle_limit(program, precisions),
    )


def port_beats(program: Program) -> int:
    """The most beats that leave at the result port."""
    return program.parameters.beats_per_tile * sum(
        _tiles(command)
        for command in program.decoded
        if isinstance(command, Store) and command.format is Format.PORT
    )


def cycle_limit(program: Program, precisions: Mapping[int, Precision]) -> int:
    """Far more than any program needs whose machine has not stopped."""
    parameters = program.parameters
    passes = moved = 0
    for command in program.decoded:
        if isinstance(command, Convolve):
            precision = precisions[command.slot]
            digits = [
                parameters.digits(precision.bits(operand))
                for operand in (command.operand, command.partner)
            ]
            passes += command.slices * _tiles(command) * digits[0] * digits[1]
        elif isinstance(command, Load):
            digits = [parameters.digits(precisions[command.slot].bits(command.operand))]
            moved += digits[0] * command.runs * command.words * parameters.word_bytes
        elif isinstance(command, Store):
            moved += _tiles(command) * parameters.array.rows * parameters.array.columns * 8
    return (
        START_CYCLES
        + CYCLES_PER_PASS * passes
        + CYCLES_PER_COMMAND * len(program.commands)
        + CYCLES_PER_BYTE * moved
    )


def _tiles(command: Convolve | Store) -> int:
    return command.images * command.tiles_y * command.tiles_x
