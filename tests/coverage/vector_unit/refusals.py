"""Programs with one wrong number, made from the tables of fields, and what each ends with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fractrain.hw.contract.commands import FIELDS, Command, Fault, Opcode, encode
from tests.coverage.drawing import Random
from tests.coverage.vector_unit.drawing import draw_command, program_of
from tests.coverage.vector_unit.fields import Wrong, wrong_numbers
from tests.coverage.vector_unit.pair import Pair
from tests.sim.cosim.unit_programs import Ended

__all__ = ["Refusal", "refusals", "wrong_numbers"]

MOST_DRAWS = 60
"""Of commands, until the wrong number is one that the command looks at."""


@dataclass(frozen=True)
class Refusal:
    """``words``, of which ``index`` has ``wrong``; ``ended``: on the functional machine."""

    opcode: Opcode
    wrong: Wrong
    words: tuple[int, ...]
    index: int
    ended: Ended

    def __str__(self) -> str:
        return f"{self.opcode.name} {self.wrong.name} = {self.wrong.value}: {self.ended}"


def with_number(command: Command, opcode: Opcode, name: str, value: int) -> int:
    """The word of ``command`` with any number in a field."""
    place = FIELDS[opcode][name]
    mask = ((1 << place.width) - 1) << place.offset
    return encode(command) & ~mask | (value << place.offset) & mask


def refusals(pair: Pair, seed: int, each: int = 2) -> Iterator[Refusal]:
    """Of each wrong number ``each`` programs that end with its fault, whatever other fields say; of
    numbers that are free as many programs, however they end."""
    random = Random(seed)
    for opcode in FIELDS:
        for wrong in wrong_numbers(pair.p, opcode):
            found = 0
            for _ in range(MOST_DRAWS):
                made = _made(pair, random, opcode, wrong)
                if made is not None:
                    yield made
                    found += 1
                    if found == each:
                        break


def _made(pair: Pair, random: Random, opcode: Opcode, wrong: Wrong) -> Refusal | None:
    """A program, unless it waits for ever or ends in another way than ``wrong`` says."""
    command = draw_command(random, opcode)
    program, index = program_of(command, opcode)
    words = [encode(one) for one in program]
    # END is the last command, and of a program with it everything behind is nothing
    words[index] = with_number(command, opcode, wrong.name, wrong.value)
    pair.functional.reset()
    ended = pair.expect(words)
    if ended is None or (wrong.fault is not Fault.NONE and ended != Ended(wrong.fault, index)):
        return None
    return Refusal(opcode, wrong, tuple(words), index, ended)
