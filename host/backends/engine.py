"""Accelerators that have the convolution engine: everything they do is a program."""

from __future__ import annotations

import itertools
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Accelerator, Integers
from fractrain.host.compiler import Geometry, Program, Results, Step, compile_program
from fractrain.host.graph.convolution import Convolution
from fractrain.host.machine_work import MachineWork, ProgramRun
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Pass, Precision

KEPT_PROGRAMS = 256
"""Programs of single convolutions that are kept: training asks for the same ones every step."""


@dataclass(frozen=True)
class Outcome:
    """What the engine left: its memory, the beats of its result port, and what it did
    (`host.machine_work.program_work` makes that of its counters)."""

    memory: NDArray[np.uint8]
    beats: NDArray[np.int64]
    work: MachineWork


class EngineAccelerator(Accelerator):
    """Base of the backends behind which the engine runs.

    Such a backend implements `_execute`: it writes the table, puts the image into memory, starts
    the program and waits for its end.
    """

    reads_planes = True

    base_address = 0
    """Where the memory begins that programs of single convolutions are made for."""

    def __init__(self, parameters: Parameters) -> None:
        parameters.require_engine()
        super().__init__(parameters)
        self._work = MachineWork()
        self._single = lru_cache(KEPT_PROGRAMS)(self._compile)

    @property
    def work(self) -> MachineWork:
        """What was done since the accelerator was opened, by pass."""
        return self._work

    @abstractmethod
    def _execute(
        self, program: Program, image: NDArray[np.uint8], precisions: Mapping[int, Precision]
    ) -> Outcome:
        """Run ``program`` on ``image``, the memory from ``program.base_address`` on."""

    def _run(
        self,
        program: Program,
        operands: Mapping[str, Integers],
        precisions: Mapping[int, Precision],
    ) -> Results:
        if program.parameters != self.parameters:
            raise ParameterError("program", program.parameters, "one for this accelerator's config")
        times = [time.perf_counter()]
        image = program.pack(operands)
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

    # -- single convolutions -------------------------------------------------------------------

    def _convolve(
        self, convolution: Convolution, row: Integers, column: Integers
    ) -> NDArray[np.int64]:
        """The table names ``bits``; in memory the operands have ``stored``, or as many.

        A program knows only what is stored, so one serves all precisions that are read of it.
        """
        pass_, bits = convolution.pass_, convolution.bits
        program = self._single(pass_, convolution.geometry, convolution.stored)
        widths = {pass_.row: bits[0], pass_.column: bits[1]}
        # nothing reads the third operand
        precision = Precision(*(widths.get(operand, 1) for operand in Operand))
        result = self._run(program, {"row": row, "column": column}, {0: precision})["result"]
        assert result is not None
        return result

    def _compile(self, pass_: Pass, geometry: Geometry, stored: tuple[int, int]) -> Program:
        step = Step(pass_, geometry, 0, "row", "column", "result", stored)
        return compile_program(self.parameters, [step], self.base_address)


def _in_order(result: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """The same in C order, as golden's results are: the order in which NumPy adds up floats, and so
    the last bits of what is trained, depends on how an array lies in memory."""
    return None if result is None else np.ascontiguousarray(result)
