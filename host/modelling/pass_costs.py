"""The cost of one pass of one convolution in the middle of a command stream.

The cycle model (`sim.cycles`) predicts a program with the pass once and one with it twice; the
difference is the cost of one more: loads of its operands hide behind earlier passes as far as
possible, the end of its results behind later ones. Costs are kept, in memory and in a file.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from fractrain.host.compiler import compile_program
from fractrain.host.graph.convolution import Convolution
from fractrain.host.modelling.cost_files import add_costs, cost_file, digest, read_costs
from fractrain.host.modelling.predictions import predict_traffic
from fractrain.host.modelling.step_programs import check_memory, make_step, one_slot
from fractrain.hw.contract.parameters import Parameters

SOURCES = (
    *("host/compiler", "host/modelling", "host/graph/convolution.py", "host/graph/geometry.py"),
    *("hw/contract", "hw/targets", "sim/cycles", "sim/memory_model.py"),
)
"""Folders and files of the package that determine a cost."""

REFERENCE_IMAGES = (4, 8)
"""Batches that the cycle model is asked for; the cost of a larger one is a straight line through
theirs. What does not grow with the batch (weights read, gradients written) is so kept apart from
what does."""


@dataclass(frozen=True)
class PassCost:
    """Of one more pass: ``cycles``, in ``busy_cycles`` of them the array multiplies, and
    ``bytes_moved`` both ways, ``bytes_written`` of them to memory. ``start_cycles``: what a program
    that begins with it takes more."""

    cycles: float
    busy_cycles: float
    bytes_moved: float
    bytes_written: float
    start_cycles: float


class PassCosts:
    """Costs on the machine ``parameters`` with the model ``memory`` (`step_programs.MEMORIES`).

    They are kept in a file in ``folder`` (default: ``$FRACTRAIN_BUILD``, else ``build``), named
    after everything they depend on: the parameters and `SOURCES`. An unreadable or foreign file is
    made anew; without write access there is no file.
    """

    def __init__(self, parameters: Parameters, memory: str, folder: Path | None = None) -> None:
        self.parameters, self.memory = parameters, check_memory(memory)
        self.file = cost_file(f"{memory}-{digest(parameters, SOURCES)}", folder)
        self._known = _read(self.file)
        self._unsaved = False

    def get(self, convolution: Convolution, *, alone: bool = False) -> PassCost:
        """Of ``convolution``, in a program that is laid out for exactly its bits.

        ``alone``: as the only one in its program, a third of the work; its first loads and last
        results are then not hidden, which matters little for large ones.
        """
        key = _key(convolution) + (", alone" if alone else "")
        if key not in self._known:
            self._known[key] = self._evaluate(convolution, alone)
            self._unsaved = True
        return self._known[key]

    def of_batch(
        self,
        convolution: Convolution,
        references: tuple[int, int] = REFERENCE_IMAGES,
        *,
        alone: bool = False,
    ) -> PassCost:
        """As `get`; of more images than ``references``, on the straight line through them, but not
        fewer cycles than the array is busy: few images can take as long as their results take to
        memory, which says little of many."""
        few, many = references
        geometry = convolution.geometry
        if geometry.images <= many:
            return self.get(convolution, alone=alone)
        low, high = (
            self.get(replace(convolution, geometry=replace(geometry, images=images)), alone=alone)
            for images in (few, many)
        )
        more = (geometry.images - many) / (many - few)
        cycles, busy, moved, written = (
            after + more * (after - before)
            for before, after in zip(astuple(low)[:4], astuple(high)[:4], strict=True)
        )
        return PassCost(max(cycles, busy), busy, moved, written, high.start_cycles)

    def save(self) -> None:
        """Add new costs to the file; costs of other processes stay."""
        if not self._unsaved:
            return
        known = {key: astuple(cost) for key, cost in self._known.items()}
        add_costs(self.file, known, len(fields(PassCost)))
        self._known = _read(self.file) | self._known
        self._unsaved = False

    def _evaluate(self, convolution: Convolution, alone: bool) -> PassCost:
        once = self._predict(convolution, 1)
        if alone:
            cycles, busy, read, written = once
            return PassCost(cycles, busy, read + written, written, 0)
        twice = self._predict(convolution, 2)
        cycles, busy, read, written = (
            after - before for before, after in zip(once, twice, strict=True)
        )
        return PassCost(cycles, busy, read + written, written, once[0] - cycles)

    def _predict(self, convolution: Convolution, copies: int) -> tuple[int, int, int, int]:
        """Of ``copies`` passes with tensors of their own."""
        steps = [
            make_step(convolution, 0, self.memory, (f"row{copy}", f"column{copy}", f"result{copy}"))
            for copy in range(copies)
        ]
        program = compile_program(self.parameters, steps)
        return predict_traffic(program, one_slot(convolution), self.memory)


def _key(convolution: Convolution) -> str:
    g, bits = convolution.geometry, convolution.bits
    return (
        f"{convolution.pass_.label} {bits[0]}x{bits[1]} bits, {g.channels} -> {g.filters}, "
        f"{g.kernel[0]}x{g.kernel[1]}/{g.stride}+{g.padding}, {g.size[0]}x{g.size[1]}, "
        f"{g.images} images, {g.groups} groups"
    )


def _read(file: Path) -> dict[str, PassCost]:
    """The costs in ``file``; none if it is not what `PassCosts.save` writes."""
    found = read_costs(file, len(fields(PassCost)))
    return {key: PassCost(*values) for key, values in found.items()}
