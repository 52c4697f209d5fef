"""Accelerators with the convolution engine: everything they do is a program."""

from __future__ import annotations

import itertools
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Accelerator, Integers
from fractrain.host.backends.compiled.choosing import host_step_math
from fractrain.host.backends.programs import COLUMN, RESULT, ROW, Programs
from fractrain.host.compiler import Program, Results
from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.step import StepGraph
from fractrain.host.machine.work import MachineWork, ProgramRun
from fractrain.host.numerics.step_math import StepMath
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision


@dataclass(frozen=True)
class Outcome:
    """The engine's results: its memory, the beats of its result port, and its work
    (`host.machine.work.program_work` makes it from the counters)."""

    memory: NDArray[np.uint8]
    beats: NDArray[np.int64]
    work: MachineWork


class EngineAccelerator(Accelerator):
    """Base of the backends with an engine.

    Such a backend implements `_memory` and `_execute`, which writes the table, starts the program
    and waits for its end.
    """

    reads_planes = True

    base_address = 0
    """Address of the memory for programs."""

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._work = MachineWork()
        self.programs = Programs(parameters, lambda: self.base_address)

    @cached_property
    def step_math(self) -> StepMath:
        return host_step_math()

    @property
    def work(self) -> MachineWork:
        """Work since the accelerator was opened, by pass."""
        return self._work

    @abstractmethod
    def _execute(
        self, program: Program, image: NDArray[np.uint8], precisions: Mapping[int, Precision]
    ) -> Outcome:
        """Run ``program`` on ``image``, its packed `_memory`."""

    @abstractmethod
    def _memory(self, program: Program) -> NDArray[np.uint8]:
        """Memory to pack ``program`` into, from ``program.base_address`` on: the same for all
        programs, one after the other. Raises `ParameterError` if there is too little."""

    def _run(
        self,
        program: Program,
        operands: Mapping[str, Integers],
        precisions: Mapping[int, Precision],
    ) -> Results:
        return self._run_checked(program, operands, precisions, {})

    def _run_checked(
        self,
        program: Program,
        operands: Mapping[str, Integers],
        precisions: Mapping[int, Precision],
        widths: Mapping[str, int],
    ) -> Results:
        """Results of ``program`` on checked ``operands``; ``widths``: their bits in memory, where
        these are fewer than in the layout."""
        if program.parameters != self.parameters:
            raise ParameterError("program", program.parameters, "one for this accelerator's config")
        times = [time.perf_counter()]
        image = self._memory(program)
        program.fill(image, operands, widths)
        times.append(time.perf_counter())
        outcome = self._execute(program, image, precisions)
        times.append(time.perf_counter())
        self._count(outcome.work)
        results = program.unpack(outcome.memory, precisions)
        results |= program.unpack_port(outcome.beats, precisions)
        results = {name: _in_order(result) for name, result in results.items()}
        times.append(time.perf_counter())
        if self.program_observer is not None:
            took = (after - before for before, after in itertools.pairwise(times))
            self.program_observer(ProgramRun(program, precisions, outcome.work, *took))
        return results

    def _count(self, work: MachineWork) -> None:
        """Add the work of programs that have ended."""
        self._work += work
        self._counters += work.total

    # -- pieces of a step ----------------------------------------------------------------------

    def prepare(self, graph: StepGraph) -> None:
        """Compile ``graph``, for all precisions that it can have.

        Raises `ParameterError` if the machine has fewer slots, or does not know an operation.
        """
        super().prepare(graph)
        self.programs.prepare(graph)

    def run_piece(
        self, piece: Piece, operands: Mapping[str, Integers], table: Sequence[Precision]
    ) -> dict[str, NDArray[np.int64]]:
        """Results of the convolutions of a graph's ``piece`` that no slot skips, by name.

        ``operands``: the tensors in memory, with their bits by ``table``, the precisions of all
        slots of the graph.
        """
        if not self._open:
            raise MachineError("run_piece: the accelerator is closed; open it again")
        found = self.programs.of_piece(piece)
        precisions, widths = found.precisions(table), found.widths(table)
        given = {found.names[name]: values for name, values in operands.items()}
        given = {name: values for name, values in given.items() if name in widths}
        found.program.check_operands(given, widths, precisions)
        found.program.check_precisions(precisions, widths)
        results = self._run_checked(found.program, given, precisions, widths)
        made = {each.result.name for each in piece.convolutions}
        named = {name: results[found.names[name]] for name in made}
        return {name: values for name, values in named.items() if values is not None}

    # -- single convolutions -------------------------------------------------------------------

    def _convolve(
        self, convolution: Convolution, row: Integers, column: Integers
    ) -> NDArray[np.int64]:
        """By a program for the stored bits: it serves all bits that are read of them."""
        program, precision = self.programs.of_convolution(convolution)
        result = self._run(program, {ROW: row, COLUMN: column}, {0: precision})[RESULT]
        assert result is not None
        return result


def _in_order(result: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """The same in C order, like golden's results: an array's layout in memory determines the order
    in which NumPy adds up floats, and so the last bits of trained weights."""
    return None if result is None else np.ascontiguousarray(result)
