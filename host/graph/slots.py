"""Precision slots: operations look up their bits in them, and whether they run at all.

A slot is an entry of the precision table. Slot 0 is for layers at a fixed precision. Each block has
one, or, if images take several paths, some for each path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fractrain.host.graph.choice import SKIP, Choice, is_skip
from fractrain.host.graph.options import StepOptions
from fractrain.hw.contract.precision import Operand, Precision


@dataclass(frozen=True)
class Slot:
    """Entry ``number`` of the precision table of a step.

    ``precisions``: all that it can have, but for skips that follow from the rules below.
    ``block``, ``path``: the choice for this block decides, and which of its paths; None outside all
    blocks. ``chosen``: the choice decides the precision; else it is the only one of
    ``precisions``, and the choice says just which images take the path.
    ``beside``: of layers beside the chosen ones, at the chosen precision, too; where that skips, at
    the last of ``precisions``.

    Derived from another slot's precision p:
    ``ones``: of the second product of odd weights, with a kernel of ones: p with 1-bit weights if
    p's weights are of so many bits, else skipped. ``taken``: skipped if no image takes the path:
    nothing goes back through it.
    """

    number: int
    name: str
    precisions: tuple[Precision, ...]
    block: int | None = None
    path: int = 0
    chosen: bool = False
    beside: bool = False
    ones: tuple[int, ...] = ()
    taken: bool = False

    def precision(self, choice: Choice | None) -> Precision:
        """The slot's precision after its block's ``choice``."""
        found = self.precisions[0]
        if choice is not None:
            path = choice.paths[self.path]
            if self.chosen:
                found = path.precision
            elif self.beside:
                found = self.precisions[-1] if is_skip(path.precision) else path.precision
            if self.taken and path.images == 0:
                return SKIP
        return found if not self.ones else ones_precision(found, self.ones)

    def images(self, choice: Choice | None, batch: int) -> int:
        """Images of ``batch`` that take the slot's path."""
        taken = None if choice is None else choice.paths[self.path].images
        return batch if taken is None else taken

    @property
    def widest(self) -> Precision:
        """Each operand at the most bits that it can have here, at least 1."""
        activation, weight, error = (
            max(1, *(each.bits(operand) for each in self.precisions)) for operand in Operand
        )
        return Precision(activation, 1 if self.ones else weight, error)

    @property
    def can_skip(self) -> bool:
        """Whether one of its precisions is a skip."""
        return any(is_skip(each) for each in self.precisions)


def ones_precision(precision: Precision, widths: tuple[int, ...]) -> Precision:
    """Of the product with the kernel of ones, beside one at ``precision``."""
    if precision.weight not in widths or is_skip(precision):
        return SKIP
    return Precision(precision.activation, 1, precision.error)


def outer_slot(options: StepOptions) -> Slot:
    """Slot 0, of the layers outside all blocks. Where the blocks' precision is known and published
    numerics want it here, too, the first block stands for all."""
    if not (options.real and options.known):
        return Slot(0, "unquantized", (options.unquantized,))
    return Slot(0, "beside", _beside(options.precisions, options.unquantized), 0, beside=True)


def slot_of_others(chosen: Slot, options: StepOptions) -> Slot:
    """Of the layers at a fixed precision on the path of the slot ``chosen``: in the published
    numerics beside it, and unquantized only if it is always skipped."""
    others = replace(
        chosen, name=f"{chosen.name}.unquantized", precisions=(options.unquantized,), chosen=False
    )
    if not options.real or all(map(is_skip, chosen.precisions)):
        return others
    beside = _beside(chosen.precisions, options.unquantized)
    return replace(others, name=f"{chosen.name}.beside", precisions=beside, beside=True)


def _beside(precisions: Sequence[Precision], instead: Precision) -> tuple[Precision, ...]:
    """Of layers beside those that have ``precisions``; ``instead`` of a skip comes last."""
    running = tuple(each for each in precisions if not is_skip(each))
    return running if len(running) == len(precisions) else (*running, instead)


def make_table(slots: Sequence[Slot], choices: Mapping[int, Choice]) -> list[Precision]:
    """The precision of every slot, in order, after the ``choices`` of the blocks."""
    return [
        slot.precision(None if slot.block is None else choices.get(slot.block)) for slot in slots
    ]
