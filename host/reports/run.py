"""One run folder, read: configuration, step log, evaluations, summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fractrain.host.files.regular import read_object
from fractrain.host.reports.measured import MEASURED, Measured, read_measured
from fractrain.host.reports.quantities import (
    EFFECTIVE_MACS,
    MODELLED_ENERGY,
    Cost,
    Costs,
    Quantity,
    read_costs,
)
from fractrain.host.reports.records import mapping, needed_number, number, read_lines
from fractrain.host.reports.step_log import StepLog, read_step_log
from fractrain.hw.contract.errors import DataError, ParameterError, shortened

CONFIG, LOG = "config.json", "log.jsonl"
EVALUATIONS, SUMMARY = "evaluations.jsonl", "summary.json"

LONGEST_SHOWN = 120
"""Of what was given as the name of a run, in an error."""


@dataclass(frozen=True)
class Evaluation:
    """The network tested after ``step`` steps; costs are those of all steps so far."""

    step: int
    test_accuracy: float
    test_images: int | None
    costs: Costs


@dataclass(frozen=True)
class Run:
    """What one run folder holds.

    name : what it is called on page and terminal; unique among the runs of one report
    config, summary : the JSON files as they are; ``summary`` is None until the run has ended
    measured : what the machine and the clock said of its steps
    notes : what is missing, damaged or does not add up
    """

    name: str
    path: Path
    config: dict[str, Any]
    blocks: Sequence[str]
    log: StepLog
    evaluations: Sequence[Evaluation]
    summary: dict[str, Any] | None
    notes: list[str] = field(default_factory=list)
    measured: Measured = field(default_factory=Measured)

    @property
    def steps_planned(self) -> int | None:
        """From the plan of the configuration."""
        planned = number(mapping(self.config, "plan", self._where), "steps", self._where)
        return None if planned is None else int(planned)

    @property
    def steps_done(self) -> int:
        return self.log.steps_done

    @property
    def best(self) -> Evaluation | None:
        """The evaluation of the highest test accuracy; the first of equals."""
        return max(self.evaluations, key=lambda each: each.test_accuracy, default=None)

    @property
    def last(self) -> Evaluation | None:
        return self.evaluations[-1] if self.evaluations else None

    @property
    def is_static_8bit(self) -> bool:
        """8/8/8 bits in every block and step, whatever the method."""
        bits = self.log.bits
        return bits.size > 0 and bool((bits == 8).all())

    @property
    def task(self) -> tuple[str, str]:
        """Data set and model: accuracies compare only within one."""
        return str(self.config.get("dataset", "?")), str(self.config.get("model", "?"))

    @property
    def totals_step(self) -> int:
        """After how many steps `totals` is what they cost."""
        if self.summary is None and self.last is not None:
            return self.last.step
        return self.steps_done

    @property
    def totals(self) -> Costs:
        """All steps together: of summary and last evaluation; without evaluation of the log."""
        ended = self.summary is not None
        tested = self.last is not None and self.last.step == self.totals_step
        costs = self.measured.costs_at(self.totals_step)
        if self.last is not None and tested:
            costs |= self.last.costs
        if self.summary is not None:
            costs |= read_costs(self.summary, str(self.path / SUMMARY), modelled="modelled")
        return costs if ended or tested else costs | self.log_totals

    @property
    def modelled_machine(self) -> str | None:
        """What modelled time and energy are of, and its clock; None until the summary tells."""
        modelled = mapping(self.summary or {}, "modelled", str(self.path / SUMMARY))
        clock = number(modelled, "clock_hz", str(self.path / SUMMARY))
        if "config" not in modelled:
            return None
        return f"{modelled['config']}" + (f" at {clock / 1e6:g} MHz" if clock else "")

    @property
    def measuring_machine(self) -> str | None:
        """What counted the measured cycles, and its clock; None where no machine ran."""
        what = self.config.get("measured_as")
        if not what or self.measured.mean("cycles") is None:
            return None
        machine = mapping(self.config, "machine", self._where)
        clock = number(mapping(self.summary or {}, "measured", self._where), "clock_hz", SUMMARY)
        megahertz = clock / 1e6 if clock else number(machine, "clock_mhz", self._where)
        return f"{what} of {self.config.get('config', '?')}" + (
            f" at {megahertz:g} MHz" if megahertz else ""
        )

    @property
    def log_totals(self) -> dict[Quantity, Cost]:
        """What the lines of the log add up to (no time: a log has cycles and no clock)."""
        costs = {}
        for quantity in (EFFECTIVE_MACS, MODELLED_ENERGY):
            value = self.log.total(quantity.key)
            if value is not None:
                costs[quantity] = Cost(value, self.log.total(f"{quantity.key}_fw8bw8"))
        return costs

    @property
    def _where(self) -> str:
        return str(self.path / CONFIG)


def load_runs(names: Sequence[str], root: Path) -> list[Run]:
    """The runs called ``names``: folders, or names of folders in ``root``.

    Raises `DataError` if one is no run, `ParameterError` if two are the same.
    """
    folders = [find_run(name, root) for name in names]
    for number_, folder in enumerate(folders):
        if folder in folders[:number_]:
            raise ParameterError("RUN", names[number_], f"each run once; it is {folder} again")
    called = [folder.name for folder in folders]
    runs = [read_run(folder) for folder in folders]
    return [
        replace(run, name="/".join(run.path.parts[-2:])) if called.count(run.name) > 1 else run
        for run in runs
    ]


def find_run(name: str, root: Path) -> Path:
    """The folder itself, where ``name`` or ``root/name`` may be a link to it; if both are folders,
    the first that holds a run: a run may be called as some folder that happens to be here."""
    folders = [each for each in (Path(name), root / name) if _is_folder(each)]
    runs = [each for each in folders if (each / CONFIG).is_file()]
    if folders:
        return (*runs, *folders)[0].resolve()
    places = " nor ".join(shortened(str(each), LONGEST_SHOWN) for each in (name, root / name))
    raise DataError(f"no run {shortened(name, LONGEST_SHOWN)}: neither {places} is a folder")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, a circle of links
        return False


def read_run(path: Path) -> Run:
    """Everything in the folder ``path``, whether its run has ended or not."""
    for name in (CONFIG, LOG):
        if not (path / name).is_file():
            raise DataError(f"{path} is not the folder of a run: it has no {name}")
    notes: list[str] = []
    config = read_object(path / CONFIG)
    blocks = config.get("blocks")
    blocks = [] if blocks is None else blocks
    if not isinstance(blocks, list):
        raise DataError(f"{path / CONFIG}: blocks is {blocks!r}, not a list of names")
    if not blocks:
        notes.append(f"{CONFIG} names no blocks: their bits are not shown")
    summary = read_object(path / SUMMARY) if (path / SUMMARY).is_file() else None
    measured = read_measured(path, summary, notes)
    run = Run(
        name=path.name,
        path=path,
        config=config,
        blocks=[str(block) for block in blocks],
        log=read_step_log(path / LOG, len(blocks), notes),
        evaluations=_read_evaluations(path / EVALUATIONS, measured, notes),
        summary=summary,
        notes=notes,
        measured=measured,
    )
    notes += _contradictions(run)
    return run


def _read_evaluations(path: Path, measured: Measured, notes: list[str]) -> list[Evaluation]:
    """In ascending order of steps; a step tested again later counts as it was then."""
    if not path.is_file():
        notes.append(f"{path.name} is missing: no evaluation yet")
        return []
    found: list[Evaluation] = []
    for where, record in read_lines(path, notes):
        images = number(record, "test_images", where)
        step = int(needed_number(record, "step", where))
        evaluation = Evaluation(
            step=step,
            test_accuracy=needed_number(record, "test_accuracy", where),
            test_images=None if images is None else int(images),
            costs=measured.costs_at(step) | read_costs(record, where),
        )
        while found and found[-1].step >= evaluation.step:
            found.pop()
        found.append(evaluation)
    return found


def _contradictions(run: Run) -> list[str]:
    """Where two files of the run say different things."""
    notes = []
    if not len(run.log):
        notes.append(f"{LOG} has no step yet")
    if run.summary is None:
        return notes
    for quantity, cost in run.log_totals.items():
        said = run.totals.get(quantity)
        if said is not None and abs(cost.value - said.value) > 1e-3 * abs(said.value):
            notes.append(
                f"{quantity.name}: {LOG} adds up to {quantity.units.text(cost.value, 5)}, "
                f"{SUMMARY} says {quantity.units.text(said.value, 5)}"
            )
    if len(run.measured) and len(run.measured) != run.steps_done:
        notes.append(f"{MEASURED} has {len(run.measured)} of {run.steps_done} steps")
    steps = number(run.summary, "steps", str(run.path / SUMMARY))
    if steps is not None and steps != run.steps_done:
        notes.append(f"{LOG} has {run.steps_done} steps, {SUMMARY} says {steps:g}")
    return notes
