"""Accelerators that have the convolution engine: everything they do is a program."""

from __future__ import annotations

import itertools
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Accelerator, Integers
from fractrain.host.backends.programs import COLUMN, RESULT, ROW, Programs
from fractrain.host.compiler import Program, Results
from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.step import StepGraph
from fractrain.host.machine_work import MachineWork, ProgramRun
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision


@dataclass(frozen=True)
class Outcome:
    """What the engine left: its memory, the beats of its result port, and what it did
    (`host.machine_work.program_work` makes that of its counters)."""

    memory: NDArray[np.uint8]
    beats: NDArray[np.int64]
    work: MachineWork


class EngineAccelerator(Accelerator):
    """Base of the backends behind which the engine runs.

    Such a backend implements `_memory`, and `_execute`: it writes the table, starts the program and
    waits for its end.
    """

    reads_planes = True

    base_address = 0
    """Where the memory begins that programs are made for."""

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._work = MachineWork()
        self.programs = Programs(parameters, lambda: self.base_address)

    @property
    def work(self) -> MachineWork:
        """What was done since the accelerator was opened, by pass."""
        return self._work

    @abstractmethod
    def _execute(
        self, program: Program, image: NDArray[np.uint8], precisions: Mapping[int, Precision]
    ) -> Outcome:
        """Run ``program`` on ``image``, which `_memory` gave for it and which is packed."""

    @abstractmethod
    def _memory(self, program: Program) -> NDArray[np.uint8]:
        """Where ``program`` is packed, the memory from ``program.base_address`` on: the same for
        all programs, one after the other. Raises `ParameterError` if there is too little."""

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
        """Results of ``program`` on ``operands`` that are right, of ``widths`` in memory where they
        have not all the bits that it is laid out for."""
        if program.parameters != self.parameters:
            raise ParameterError("program", program.parameters, "one for this accelerator's config")
        times = [time.perf_counter()]
        image = self._memory(program)
        program.fill(image, operands, widths)
        times.append(time.perf_counter())
        outcome = self._execute(program, image, precisions)
        times.append(time.perf_counter())
        self._work += outcome.work
        self._counters += outcome.work.total
        results = program.unpack(outcome.memory, precisions)
        results |= program.unpack_port(outcome.beats, precisions)
        results = {name: _in_order(result) for name, result in results.items()}
        times.append(time.perf_counter())
        if self.program_observer is not None:
            took = (after - before for before, after in itertools.pairwise(times))
            self.program_observer(ProgramRun(program, precisions, outcome.work, *took))
        return results

    # -- pieces of a step ----------------------------------------------------------------------

    def prepare(self, graph: StepGraph) -> None:
        """Compile ``graph``, for all precisions that it can have.

        Raises `ParameterError` if the machine has fewer slots, or does not know an operation.
        """
        self.programs.prepare(graph)

    def run_piece(
        self, piece: Piece, operands: Mapping[str, Integers], table: Sequence[Precision]
    ) -> dict[str, NDArray[np.int64]]:
        """Results of the convolutions of a graph's ``piece`` that no slot skips, by name.

        ``operands``: the tensors that are in memory, with the bits that they have by ``table``, the
        precisions of all slots of the graph.
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
        """By a program that knows only what is stored: one serves all bits that are read of it."""
        program, precision = self.programs.of_convolution(convolution)
        result = self._run(program, {ROW: row, COLUMN: column}, {0: precision})[RESULT]
        assert result is not None
        return result


def _in_order(result: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """The same in C order, as golden's results are: the order in which NumPy adds up floats, and so
    the last bits of what is trained, depends on how an array lies in memory."""
    return None if result is None else np.ascontiguousarray(result)
