"""Programs that a training run logged: measured cycles beside the cycle model's."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from fractrain.host.compiler import Step, compile_program
from fractrain.host.files.regular import read_object
from fractrain.host.graph.convolution import pass_precision
from fractrain.host.graph.geometry import Geometry
from fractrain.host.modelling.predictions import predicted
from fractrain.host.reports.records import needed_number, read_lines
from fractrain.host.reports.run import CONFIG
from fractrain.host.simulation.measuring import STALLS, memory_model
from fractrain.host.simulation.model_errors import model_errors_text
from fractrain.host.training.run_directory import PROGRAMS
from fractrain.hw.contract.errors import DataError, ParameterError
from fractrain.hw.contract.parameters import Parameters, parse_parameters
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.sim.memory_model import MemoryModel

HEADS: Sequence[str] = (
    *("pass", "layer", "bits", "programs", "measured", "modelled", "error"),
    *("stalled, measured", "modelled"),
)
PASSES = {each.label: each for each in Pass}


@dataclass(frozen=True)
class Cycles:
    """Sums over ``programs``: of all cycles and of stalled ones, measured and modelled."""

    programs: int = 0
    measured: float = 0.0
    stalled: float = 0.0
    modelled: float = 0.0
    modelled_stalled: float = 0.0

    @property
    def error(self) -> float:
        """Relative error of the model."""
        return self.modelled / self.measured - 1

    def __add__(self, other: Cycles) -> Cycles:
        return Cycles(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass
class Logged:
    """Programs of one shape and precision, with their measurements."""

    steps: tuple[Step, ...]
    precisions: Mapping[int, Precision]
    cycles: Cycles = field(default_factory=Cycles)

    def add(self, entry: Mapping[str, Any], where: str) -> None:
        """Add one more."""
        stalls = sum(needed_number(entry, f"stall_{name}", where) for name in STALLS)
        self.cycles += Cycles(1, needed_number(entry, "cycles", where), stalls)


@dataclass(frozen=True)
class Comparison:
    """``rows`` of the table under `HEADS`, and the notes beside it."""

    rows: list[list[str]]
    remark: str


def compare_run(folder: Path, memory: str | None, say: Callable[[str], None]) -> Comparison:
    """The programs that the run in ``folder`` logged: as measured, and on the cycle model.

    ``memory``: one of `measuring.MEMORIES`; None: as the run's machine has it.

    Raises `DataError` for a run without logged programs or with damaged files.
    """
    config = read_object(folder / CONFIG)
    parameters = parse_parameters(config.get("machine"), source=str(folder / CONFIG))
    source = config.get("measured_as") or "of a machine"
    memory = memory or ("ideal" if source == "RTL cycles" else "ddr")
    programs = read_programs(folder / PROGRAMS)
    model = memory_model(memory, parameters)
    rows = []
    errors: dict[str, float] = {}
    totals: dict[str, Cycles] = defaultdict(Cycles)
    for number, logged in enumerate(programs, 1):
        say(f"{number} of {len(programs)}")
        cycles = _with_model(logged, parameters, model)
        kind = " + ".join(step.pass_.label for step in logged.steps)
        totals[kind] += cycles
        layer, bits = _described(logged)
        errors[f"{kind}, {layer}"] = cycles.error
        rows.append(_row(kind, layer, bits, cycles))
    rows += [_row(kind, "all", "", cycles) for kind, cycles in totals.items()]
    whole = sum(totals.values(), start=Cycles())
    rows.append(_row("all", "all", "", whole))
    remark = (
        f"Cycles of a program, measured ({source}), and as the cycle model has "
        f"them with {memory} memory; means over the programs of a row. Stalled: of all cycles. "
        + model_errors_text(errors, whole.error, "all programs together,")
    )
    return Comparison(rows, remark)


def read_programs(path: Path) -> list[Logged]:
    """The distinct programs of ``path``, in the order in which they first ran.

    Raises `DataError` if there is no such log, or if it is damaged.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing: train with --log-programs, on cosim or board")
    notes: list[str] = []
    found: dict[str, Logged] = {}
    for where, entry in read_lines(path, notes):
        convolutions = entry.get("convolutions")
        key = json.dumps(convolutions, sort_keys=True)
        if key not in found:
            found[key] = _logged(convolutions, where)
        found[key].add(entry, where)
    if not found:
        raise DataError(f"{path} has no program yet")
    return list(found.values())


def _logged(convolutions: Any, where: str) -> Logged:
    """The program as it was compiled, raw sums to memory."""
    steps, precisions = [], {}
    try:
        for slot, each in enumerate(convolutions):
            pass_ = PASSES[each["pass"]]
            size, kernel = (tuple(each[name]) for name in ("size", "kernel"))
            counts = (each["images"], each["channels"], each["filters"])
            geometry = Geometry(*counts, size, kernel, each["stride"], each["padding"])
            row, column = map(str, each["operands"])
            stored = tuple(each["stored_bits"])
            first, second = map(bool, each["signed"])
            names = row, column, f"result {slot}"
            steps.append(Step(pass_, geometry, slot, *names, stored, signs=(first, second)))
            row_bits, column_bits = each["bits"]
            precisions[slot] = pass_precision(pass_, (row_bits, column_bits))
    except (KeyError, TypeError, ValueError, ParameterError) as error:
        raise DataError(f"{where}: no program that could be compiled again: {error}") from error
    return Logged(tuple(steps), precisions)


def _with_model(logged: Logged, parameters: Parameters, memory: MemoryModel) -> Cycles:
    """The measurements, and the same programs on the cycle model."""
    program = compile_program(parameters, logged.steps)
    found = predicted(program, logged.precisions, memory)
    stalled = sum(found.total(f"STALL_{name.upper()}") for name in STALLS)
    programs = logged.cycles.programs
    modelled = Cycles(modelled=programs * found.cycles, modelled_stalled=programs * stalled)
    return logged.cycles + modelled


def _described(logged: Logged) -> tuple[str, str]:
    layers, bits = [], []
    for step in logged.steps:
        precision = logged.precisions[step.slot]
        layers.append(f"{step.geometry.text}, {step.geometry.images} images")
        read = (precision.bits(each) for each in (step.pass_.row, step.pass_.column))
        bits.append("x".join(map(str, read)))
    return "; ".join(layers), "; ".join(bits)


def _row(kind: str, layer: str, bits: str, cycles: Cycles) -> list[str]:
    return [
        kind,
        layer,
        bits,
        f"{cycles.programs:,}",
        f"{cycles.measured / cycles.programs:,.0f}",
        f"{cycles.modelled / cycles.programs:,.0f}",
        f"{100 * cycles.error:+.2f} %",
        f"{100 * cycles.stalled / cycles.measured:.1f} %",
        f"{100 * cycles.modelled_stalled / cycles.modelled:.1f} %",
    ]
