"""Bounds on a program's work, from its commands alone, and its start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from fractrain.host.compiler import Program
from fractrain.host.driver import Launch
from fractrain.hw.contract.commands import Convolve, Format, Load, Store
from fractrain.hw.contract.precision import Operand, Precision

__all__ = ["cycle_limit", "launch", "port_beats"]

CYCLES_PER_PASS = 4
CYCLES_PER_COMMAND = 400
CYCLES_PER_BYTE = 2
START_CYCLES = 10_000


def launch(program: Program, precisions: Mapping[int, Precision]) -> Launch:
    """The start of ``program``: the machine may touch its memory, and nothing else."""
    first = program.base_address
    return Launch(
        program.program_address,
        len(program.commands),
        (first, first + program.memory_bytes - 1),
        cycle_limit(program, precisions),
    )


def port_beats(program: Program) -> int:
    """The most beats that leave at the result port."""
    return _bounds(program).port_beats


def cycle_limit(program: Program, precisions: Mapping[int, Precision]) -> int:
    """Far more cycles than any program needs on a working machine."""
    bounds = _bounds(program)

    def digits(slot: int, operand: Operand) -> int:
        return program.parameters.digits(precisions[program.slots[slot]].bits(operand))

    passes = sum(
        count * digits(slot, row) * digits(slot, column)
        for (slot, row, column), count in bounds.passes.items()
    )
    loaded = sum(count * digits(slot, operand) for (slot, operand), count in bounds.loaded.items())
    return (
        START_CYCLES
        + CYCLES_PER_PASS * passes
        + CYCLES_PER_COMMAND * len(program.commands)
        + CYCLES_PER_BYTE * (loaded + bounds.stored)
    )


@dataclass(frozen=True)
class Bounds:
    """The work in a program's commands, independent of precisions.

    passes : of the array for each digit of one operand and the other, by slot (of the template)
        and operands
    loaded : bytes for each digit of an operand, by slot and operand
    stored : bytes at most
    port_beats : at the result port
    """

    passes: Mapping[tuple[int, Operand, Operand], int]
    loaded: Mapping[tuple[int, Operand], int]
    stored: int
    port_beats: int


_BOUNDS: WeakKeyDictionary[Program, Bounds] = WeakKeyDictionary()
"""Work of templates: a program runs often, in many slots, and its commands never change, so they
are counted once."""


def _bounds(program: Program) -> Bounds:
    template = program.template
    found = _BOUNDS.get(template)
    if found is None:
        found = _BOUNDS[template] = _count(template)
    return found


def _count(program: Program) -> Bounds:
    parameters = program.parameters
    passes: Counter[tuple[int, Operand, Operand]] = Counter()
    loaded: Counter[tuple[int, Operand]] = Counter()
    stored = tiles = 0
    for command in program.decoded:
        if isinstance(command, Convolve):
            key = command.slot, command.operand, command.partner
            passes[key] += command.slices * _tiles(command)
        elif isinstance(command, Load):
            bytes_ = command.runs * command.words * parameters.word_bytes
            loaded[command.slot, command.operand] += bytes_
        elif isinstance(command, Store):
            stored += _tiles(command) * parameters.array.rows * parameters.array.columns * 8
            tiles += _tiles(command) * (command.format is Format.PORT)
    return Bounds(passes, loaded, stored, parameters.beats_per_tile * tiles)


def _tiles(command: Convolve | Store) -> int:
    return command.images * command.tiles_y * command.tiles_x
