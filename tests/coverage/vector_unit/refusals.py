"""Programs with one wrong number, made from the tables of fields, and what each ends with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fractrain.hw.contract.commands import FIELDS, Fault, Opcode, encode
from tests.coverage.drawing import Random
from tests.coverage.vector_unit.drawing import draw_command, program_of
from tests.coverage.vector_unit.fields import Kind, Wrong, kind_of, wrong_numbers
from tests.coverage.vector_unit.pair import ENDED, Pair
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


def with_number(word: int, opcode: Opcode, name: str, value: int) -> int:
    """``word`` with any number in a field."""
    place = FIELDS[opcode][name]
    mask = ((1 << place.width) - 1) << place.offset
    return word & ~mask | (value << place.offset) & mask


def refusals(pair: Pair, seed: int, each: int = 2) -> Iterator[Refusal]:
    """Of each wrong number ``each`` programs that end with its fault, whatever other fields say; of
    numbers that are free as many programs, however they end. Of places on the chip also those
    around the last one that is there, on the functional machine."""
    random = Random(seed)
    for opcode in FIELDS:
        for wrong in wrong_numbers(pair.p, opcode):
            found = 0
            for _ in range(MOST_DRAWS):
                program, index = program_of(draw_command(random, opcode), opcode)
                words = [encode(one) for one in program]
                made = _made(pair, opcode, words, index, wrong)
                if made is not None:
                    yield made
                    found += 1
                    if found == 1 and kind_of(opcode, wrong.name) is Kind.CHIP:
                        yield from _at_the_end(pair, opcode, words, index, wrong)
                    if found == each:
                        break


def _made(pair: Pair, opcode: Opcode, words: list[int], index: int, wrong: Wrong) -> Refusal | None:
    """A program, unless it waits for ever or ends in another way than ``wrong`` says."""
    changed = list(words)
    changed[index] = with_number(words[index], opcode, wrong.name, wrong.value)
    pair.functional.reset()
    ended = pair.expect(changed)
    if ended is None or (wrong.fault and ended != Ended(wrong.fault, index)):
        return None
    return Refusal(opcode, wrong, tuple(changed), index, ended)


def _at_the_end(
    pair: Pair, opcode: Opcode, words: list[int], index: int, wrong: Wrong
) -> Iterator[Refusal]:
    """The last place that is not refused, and both behind it: tensors begin with even lines."""

    def made(value: int) -> Refusal | None:
        number = Wrong(wrong.name, min(value, wrong.value), Fault.NONE)
        return _made(pair, opcode, words, index, number)

    low, high = 0, wrong.value // 2
    while low < high - 1:
        middle = (low + high) // 2
        tried = made(2 * middle)
        good = tried is not None and tried.ended == ENDED
        low, high = (middle, high) if good else (low, middle)
    for value in range(2 * low, 2 * low + 3):
        found = made(value)
        if found is not None:
            yield found
