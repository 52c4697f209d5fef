"""Whole steps on the RTL and on the functional machine: every byte of memory the same on both, and
all that the host reads of it golden's."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from fractrain.host.accelerator import Accelerator
from fractrain.host.compiler.whole_step import DoesNotFit
from fractrain.hw.contract.commands import End, Fault, Fill, encode_all
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.numerics import UPDATE_LEAST_SHIFT
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cosim.convolution import ConvolutionSimulation
from fractrain.sim.functional import Order, RunResult
from tests.coverage.points import Coverage
from tests.coverage.whole_steps.bins import bins_of
from tests.coverage.whole_steps.cases import StepCase
from tests.host.compiler.whole_step.golden_step import GoldenStep
from tests.host.compiler.whole_step.running import BASE, Stepped
from tests.sim.cosim.unit_programs import run_program, set_tables

__all__ = ["StepMachine", "StepMismatch"]

MEMORY_BYTES = 1 << 24
CLEAR = 1 << 12
"""Of the program that clears the lines; behind it zeros."""
CYCLE_LIMIT = 20_000_000


class StepMismatch(AssertionError):
    """A step that does not end as golden's."""

    def __init__(self, case: StepCase, text: str) -> None:
        self.case, self.said = case, text
        super().__init__(f"{text}\n{case.text()}")


class _Stepped(Stepped):
    """Pixels outside of pictures stay what they were, and are spilled with the others: both
    machines begin with the same lines."""

    def run(self, order: Order = Order.FETCH_FIRST) -> RunResult:
        self.machine._chip.unit.staging[:] = 0
        return super().run(order)

    def run_rtl(self, rtl: ConvolutionSimulation) -> str:
        """Says what is wrong."""
        wanted, compiled = self.memory, self.compiled
        self.memory = rtl.memory[BASE:][: len(wanted)]
        self.memory[:] = self.filled()
        self.pack()
        set_tables(rtl, self.machine.table, self.machine.kept, self.machine.rounding)
        ended = run_program(
            rtl,
            compiled.program_address,
            len(compiled.commands),
            host=self._host,
            cycle_limit=CYCLE_LIMIT,
        )
        if ended.fault is not Fault.NONE:
            return f"{ended.fault.name} at command {ended.index}"
        self.check()
        wrong = np.flatnonzero(self.memory != wanted)
        if not wrong.size:
            return ""
        return f"{wrong.size} bytes differ from the functional machine's, from {wrong[0]:#x} on"


class StepMachine:
    """The machine of ``p`` in co-simulation, and the coverage of what it has done."""

    def __init__(self, p: Parameters, golden: Accelerator, coverage: Coverage) -> None:
        self.p, self.golden, self.coverage = p, golden, coverage
        self.steps = self.cycles = self.refused = self.limited = self.golden_weights = 0
        self._rtl = ConvolutionSimulation(p, memory_bytes=MEMORY_BYTES)

    def close(self) -> None:
        self._rtl.close()

    def check(self, case: StepCase) -> None:
        """Take the step of ``case`` on both machines; raises `StepMismatch`.

        Weights whose updates have factors beyond those of the RTL, with which the host would send
        the step layer by layer, have the greatest ones instead on both.
        """
        given = case.golden(self.golden)
        limited = _limit(given)
        try:
            stepped = self._functional(case, given, limited)
        except DoesNotFit:
            self.refused += 1
            return
        self._clear_lines()
        self._rtl.configure(case.model, case.stalls, case.seed)
        before = self._rtl.cycles
        try:
            said = stepped.run_rtl(self._rtl)
        except (AssertionError, MachineError) as error:
            said = str(error)
        finally:
            self._rtl.configure()
        if said:
            self._rtl.reset()
            raise StepMismatch(case, f"on the RTL: {said}")
        self.cycles += self._rtl.cycles - before
        self.steps += 1
        self.limited += len(limited)
        self.golden_weights += len(given.records.updates) - len(limited)
        for name, values in bins_of(self.p, case):
            self.coverage.hit(name, *values)

    def _functional(self, case: StepCase, given: GoldenStep, limited: Set[str]) -> _Stepped:
        try:
            stepped = _Stepped(given, self.p, case.order)
            stepped.limited = limited
            stepped.check()
        except (AssertionError, MachineError) as error:
            raise StepMismatch(case, f"on the functional machine: {error}") from error
        return stepped

    def _clear_lines(self) -> None:
        """Of the staging memory."""
        assert self.p.vector is not None
        lines, memory = self.p.vector.staging_words, self._rtl.memory
        zeros = CLEAR + 128
        words = encode_all([Fill(address=zeros, lines=lines), End()])
        memory[CLEAR : zeros + lines * self.p.line_bytes] = 0
        memory[CLEAR:][: words.size] = words.reshape(-1)
        assert zeros + lines * self.p.line_bytes <= BASE
        assert run_program(self._rtl, CLEAR, len(words)).fault is Fault.NONE


def _limit(given: GoldenStep) -> set[str]:
    """Bring the factors of updates down to the greatest that the RTL takes; whose were beyond. The
    functional machine takes any."""
    found = set()
    for name, fields in given.records.updates.items():
        for factor in ("gradient", "momentum", "decay", "rate"):
            shift = f"{factor}_shift"
            if fields.get(f"{factor}_mantissa", 0) and fields[shift] < UPDATE_LEAST_SHIFT:
                fields[shift] = UPDATE_LEAST_SHIFT  # type: ignore[index]
                found.add(name)
    return found
