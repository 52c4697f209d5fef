"""Cases on the simulated machine: every result against the reference, every run into the bins."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler import Planes, Program, Step, compile_program, skipped
from fractrain.hw.contract.commands import Format, Store, Tag
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cosim.compile import Design
from fractrain.sim.functional import FunctionalMachine
from tests.coverage import bins, reference
from tests.coverage.cases import Case, Run, Values
from tests.coverage.commands import record_commands
from tests.coverage.points import Coverage
from tests.sim.cosim.driven_simulation import DrivenSimulation, RunResult

MEMORY_BYTES = 1 << 26
CYCLE_LIMIT = 4_000_000
GUARD = 4096
"""Bytes beside the program's memory that must stay as they are."""

Results = Mapping[str, Values | None]


class Mismatch(AssertionError):
    """The machine did something else than the reference in run ``run`` of ``case``.

    ``kind``: "refused" by the compiler, "stopped" by a fault, or "wrong".
    """

    def __init__(self, case: Case, run: int, kind: str, text: str) -> None:
        self.case, self.run, self.kind = case, run, kind
        super().__init__(f"run {run} is {kind}: {text}\n{case.text()}")


class Machine:
    """The engine of ``parameters`` in co-simulation, and the coverage of what it has done.

    ``design``: its RTL, by default that made for simulation.
    """

    def __init__(
        self, parameters: Parameters, coverage: Coverage, design: Design | None = None
    ) -> None:
        self.parameters, self.coverage = parameters, coverage
        self.runs = self.steps = self.cycles = self.refused = 0
        self._engine = DrivenSimulation(parameters, memory_bytes=MEMORY_BYTES, design=design)
        self._engine.memory[:] = 0x5A

    def close(self) -> None:
        self._engine.close()

    def check(self, case: Case) -> None:
        """Run ``case``; raises `Mismatch`.

        Results in planes have to suit the steps beside them: such a program may be refused.
        """
        try:
            program = compile_program(self.parameters, case.steps, case.base)
        except ParameterError as error:
            if not any(isinstance(step.destination, Planes) for step in case.steps):
                raise Mismatch(case, 0, "refused", str(error)) from error
            self.refused += 1
            return
        operands = case.operands()
        image = program.pack(operands)
        before: Run | None = None
        for number, run in enumerate(case.runs):
            if self._must_pack(case, run, before):
                self._memory(program)[:] = image
                before = None
            wanted = reference.results(case.steps, operands, run.table)
            kind, text = "wrong", ""
            try:
                text = self._run(program, run, wanted)
            except MachineError as error:
                self._engine.reset()
                self._engine.driver.table.forget()
                kind, text = "stopped", str(error)
            if text:
                where = self._blame(program, image, run, wanted)
                raise Mismatch(case, number, kind, f"{text}\n{where}")
            self._record(program, run, before)
            before = run

    def _must_pack(self, case: Case, run: Run, before: Run | None) -> bool:
        """The memory does not hold what this run needs: operands, and zeros for what is skipped."""
        if run.fresh or before is None:
            return True
        read = {name for step in case.steps for name in (step.row, step.column)}
        return any(step.result in read and skipped(step, run.table) for step in case.steps)

    # -- one run ---------------------------------------------------------------------------------

    def _memory(self, program: Program, around: int = 0) -> NDArray[np.uint8]:
        """The program's part of memory, and so many bytes around it."""
        first, end = program.base_address, program.base_address + program.memory_bytes
        return self._engine.memory[max(0, first - around) : end + around]

    def _run(self, program: Program, run: Run, wanted: Results) -> str:
        """Run once and compare all there is; says what is wrong."""
        guards = self._guards(program)
        slots = range(self.parameters.precision.slots)
        self._engine.driver.table.set(
            {slot: run.table.get(slot, Precision(3, 2, 5)) for slot in slots}
        )
        first = program.base_address
        result = self._engine.run(
            program.program_address,
            len(program.commands),
            cycle_limit=CYCLE_LIMIT,
            collect_port=_port_beats(program, run.table),
            model=run.model,
            stalls=run.stalls,
            seed=run.seed,
            window=(first, first + program.memory_bytes - 1),
        )
        self.runs += 1
        self.steps += len(program.steps)
        self.cycles += result.cycles
        if self._guards(program) != guards:
            return "memory outside the program's has changed"
        if result.port_beats != _port_beats(program, run.table):
            return f"{result.port_beats} beats left, not {_port_beats(program, run.table)}"
        found = program.unpack(self._memory(program), run.table)
        found |= program.unpack_port(result.port, run.table)
        return _difference(found, wanted) or _wrong_counters(program, run.table, result)

    def _guards(self, program: Program) -> bytes:
        around = self._memory(program, GUARD)
        start = min(GUARD, program.base_address)
        return bytes(around[:start]) + bytes(around[start + program.memory_bytes :])

    def _blame(self, program: Program, image: NDArray[np.uint8], run: Run, wanted: Results) -> str:
        """Whether the commands are wrong, or what the machine makes of them."""
        memory = image.copy()
        emulator = FunctionalMachine(self.parameters, memory, base=program.base_address)
        for slot, precision in run.table.items():
            emulator.table[slot] = precision
        try:
            counted = emulator.run(program.program_address, len(program.commands))
        except MachineError as error:
            return f"the emulator of the commands stops, too: {error}"
        found = program.unpack(memory, run.table)
        found |= program.unpack_port(counted.beats, run.table)
        wrong = _difference(found, wanted)
        return f"the emulator of the commands, too: {wrong}" if wrong else "the emulator agrees"

    # -- coverage ----------------------------------------------------------------------------------

    def _record(self, program: Program, run: Run, before: Run | None) -> None:
        steps = program.steps
        bins.record_program(self.coverage, steps, run.table)
        record_commands(self.coverage, program.decoded, run.table, self.parameters.array.rows)
        for step in steps:
            precision = run.table[step.slot]
            bins.record_layer(self.coverage, self.parameters, step, precision, _raw(program, step))
            label = step.pass_.label
            if not skipped(step, run.table):
                self.coverage.hit("bus", label, run.bus)
            if before is not None:
                change = bins.change(_bits(step, before.table), _bits(step, run.table))
                self.coverage.hit("table", label, change)


def _bits(step: Step, table: Mapping[int, Precision]) -> tuple[int, int]:
    precision = table[step.slot]
    return precision.bits(step.pass_.row), precision.bits(step.pass_.column)


def _raw(program: Program, step: Step) -> str:
    """Form of the results of ``step`` in memory, from its commands; nothing if they are not the
    only ones of their slot and pass."""
    tag = Tag[step.pass_.name]
    forms = {
        command.format
        for command in program.decoded
        if isinstance(command, Store) and (command.slot, command.tag) == (step.slot, tag)
    }
    forms -= {Format.NONE}
    return forms.pop().name.lower() if len(forms) == 1 else ""


def _port_beats(program: Program, table: Mapping[int, Precision]) -> int:
    """That leave at the result port."""
    tiles = 0
    for command in program.decoded:
        if isinstance(command, Store) and command.format is Format.PORT:
            precision = table[command.slot]
            if precision.bits(command.operand) and precision.bits(command.partner):
                tiles += command.images * command.tiles_y * command.tiles_x
    return tiles * program.parameters.beats_per_tile


def _difference(found: Results, wanted: Results) -> str:
    """What differs first, in words."""
    if set(found) != set(wanted):
        return f"results {sorted(found)} instead of {sorted(wanted)}"
    for name, right in wanted.items():
        got = found[name]
        if right is None or got is None:
            if right is not got:
                return f"{name} is {'not ' if right is None else ''}skipped"
        elif right.shape != got.shape:
            return f"{name} has shape {got.shape} instead of {right.shape}"
        elif not np.array_equal(right, got):
            wrong = np.argwhere(right != got)
            place = tuple(int(each) for each in wrong[0])
            return (
                f"{len(wrong)} of {right.size} values of {name} differ, first at {place}: "
                f"{got[place]} instead of {right[place]}"
            )
    return ""


def _wrong_counters(program: Program, table: Mapping[int, Precision], result: RunResult) -> str:
    """Array cycles and traffic of passes whose steps are all skipped, or none of others."""
    for step in program.steps:
        tag = Tag[step.pass_.name]
        ran = any(not skipped(each, table) for each in program.steps if each.pass_ is step.pass_)
        counters = result.counters[tag]
        worked = [name for name in ("BUSY", "BYTES_READ") if counters[name]]
        if len(worked) != (2 if ran else 0) or (counters["BYTES_WRITTEN"] and not ran):
            return f"{step.pass_.label} steps are {'not ' * ran}skipped, but {dict(counters)}"
    return ""
