"""A run: training with a log, evaluations and checkpoints, from the beginning or a checkpoint.

However and however often the process ends, a finished run leaves the same files, byte for byte,
except wall-clock times and measurements (`host.training.measurements`).
"""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fractrain.host.files.journal import EMPTY, Journal, Mark
from fractrain.host.machine.counters import Counters
from fractrain.host.process.stopping import Stopped, StopSignals
from fractrain.host.training.checkpoint import Checkpoint, Checkpoints, UnusableError
from fractrain.host.training.measurements import Measurements
from fractrain.host.training.meter import Meter, NoMeter
from fractrain.host.training.run_directory import CHECKPOINTS, EVALUATIONS, LOG, RunDirectory
from fractrain.host.training.run_record import evaluation_line, fingerprint, step_line
from fractrain.host.training.summary import summarize
from fractrain.host.training.trainer import StepReport, Trainer

CHECKPOINT_SECONDS = 10
"""Seconds between checkpoints by default: a crash loses so much, or one step.

Measured on an ext4 disk (SHA-256, write, fsync of file and folder): 20 ms for resnet8, 30 ms for
resnet38; that is less than half a percent of the time."""


@dataclass(frozen=True)
class Cadence:
    """When a run saves its state and evaluates: after every so many steps, and at the end.

    ``checkpoint_every`` None: when `CHECKPOINT_SECONDS` have passed. ``test_images``: evaluate on
    the first so many only.
    """

    checkpoint_every: int | None
    evaluate_every: int
    test_images: int | None


class Progress(Protocol):
    """A display of a run's progress."""

    def update(self, report: StepReport) -> None: ...

    def evaluated(self, step: int, accuracy: float) -> None: ...


class Run:
    """``trainer`` at work in ``directory``; ``config`` is the document of its configuration.

    A new run replaces the directory's content when its first step is done; `resume` continues the
    one that is there. Then `execute` it. ``log_programs``: of the machine (`Measurements`);
    ``meter`` watches the steps.
    """

    def __init__(
        self,
        trainer: Trainer,
        directory: RunDirectory,
        config: Mapping[str, Any],
        cadence: Cadence,
        stop: StopSignals,
        *,
        log_programs: bool = False,
        meter: Meter | None = None,
    ) -> None:
        self.trainer, self.directory, self.cadence = trainer, directory, cadence
        self._config, self._stop = config, stop
        self._checkpoints = Checkpoints(directory.path / CHECKPOINTS, fingerprint(config))
        self._log = Journal(directory.path / LOG)
        self._evaluations = Journal(directory.path / EVALUATIONS)
        self._measurements = Measurements(
            directory.path, trainer.accelerator, log_programs=log_programs
        )
        self._meter = meter or NoMeter()
        self._begun = self._evaluate_first = False
        self._counters = Counters()
        self._clock = Clock()

    def resume(self, note: Callable[[str], None]) -> None:
        """Continue the run in the folder from its newest undamaged checkpoint.

        Calls ``note`` with anything wrong. Raises `DataError` if it cannot be mended.
        """
        checkpoint = self._checkpoints.load(note, self._check_journals)
        marks: dict[str, Mark] = {}
        if checkpoint is None:
            note(f"{self.directory.path} has no checkpoint that can be used: from step 0")
        else:
            self.trainer.load(checkpoint.state)
            self._counters = Counters(**checkpoint.run["counters"])
            self._clock.seconds = checkpoint.run["seconds"]
            marks = _marks(checkpoint)
        step, mark = self.trainer.step, marks.get(EVALUATIONS, EMPTY)
        # The checkpoint is older than the evaluation of its step, which is repeated.
        later = [entry.get("step") for entry in self._evaluations.read_behind(mark)]
        self._evaluate_first = step in later or (step > 0 and self._evaluation_is_due)
        for journal in self._results:
            journal.cut(marks.get(journal.path.name, EMPTY))
        self._measurements.resume(marks, note)
        self._meter.resume(self.directory.path, note)
        self._begun = True

    def _check_journals(self, checkpoint: Checkpoint) -> None:
        """Raise `UnusableError` unless the logs still have the lines of the checkpoint."""
        marks = _marks(checkpoint)
        for journal in self._results:
            if damage := journal.damage(marks[journal.path.name]):
                raise UnusableError(f"{journal.path.name} {damage}")

    def execute(self, progress: Progress) -> dict[str, Any]:
        """Run the remaining steps; returns the summary, which is then in the folder.

        Raises `Stopped` after a signal, with a checkpoint written; whatever `Trainer.train`
        raises; `DataError` for a file that cannot be written.
        """
        self._progress = progress
        self._clock.start()
        self._saved = time.monotonic()
        try:
            if self._evaluate_first:
                self._evaluate()
            with self._stop.held():
                self._meter.start()
                self._meter.begin_step()
                self._measurements.start()
                self.trainer.train(self._after_step)
            summary = self._summary()
            self._sync()  # the last evaluation is younger than the last checkpoint
        except Stopped as stop:
            raise (Stopped(stop.signum, self._how_to_go_on) if self._begun else stop) from None
        finally:
            self._log.close()
            self._evaluations.close()
            self._measurements.close()
            self._close_meter()
        self.directory.finish(summary)
        return summary

    def _after_step(self, report: StepReport) -> None:
        self._measurements.stop()
        self._meter.end_step(report.step)
        if not self._begun:
            self.directory.begin(self._config)
            self._begun = True
        self._log.append(step_line(report))
        self._measurements.append(report.step)
        self._meter.write(self.directory.path)
        self._progress.update(report)
        stop, evaluate = self._stop.requested, self._evaluation_is_due
        if stop or evaluate or self._checkpoint_is_due:
            self._save()
        if stop:
            raise Stopped(stop)
        if evaluate:
            with self._stop.held(False):  # it changes nothing that would have to be saved
                self._evaluate()
        self._meter.begin_step()
        self._measurements.start()

    # -- parts -----------------------------------------------------------------------------

    @property
    def _results(self) -> tuple[Journal, ...]:
        """The files that are the same in every repetition."""
        return self._log, self._evaluations

    @property
    def _evaluation_is_due(self) -> bool:
        done = self.trainer.step
        return done % self.cadence.evaluate_every == 0 or done == self.trainer.plan.steps

    @property
    def _checkpoint_is_due(self) -> bool:
        every = self.cadence.checkpoint_every
        if every is None:
            return time.monotonic() - self._saved >= CHECKPOINT_SECONDS
        return self.trainer.step % every == 0

    def _save(self) -> None:
        """Lines first: a checkpoint is never ahead of them."""
        journals = self._sync()
        self._clock.count("training")
        run = {
            "counters": dataclasses.asdict(self._total_counters),
            "seconds": self._clock.seconds,
            "journals": {each.path.name: each.mark().document() for each in journals},
        }
        self._checkpoints.save(Checkpoint(self.trainer.state(), run))
        self._saved = time.monotonic()

    def _sync(self) -> tuple[Journal, ...]:
        """Make all journals durable."""
        journals = *self._results, *self._measurements.journals
        for journal in journals:
            journal.sync()
        self._meter.sync()
        return journals

    def _evaluate(self) -> None:
        self._clock.count("training")
        images = len(self.trainer.dataset.test_images[: self.cadence.test_images])
        accuracy = self.trainer.evaluate(self.cadence.test_images)
        self._clock.count("evaluation")
        self._measurements.evaluated(self.trainer.step)
        self._evaluations.append(evaluation_line(self.trainer, accuracy, images))
        self._progress.evaluated(self.trainer.step, accuracy)

    @property
    def _total_counters(self) -> Counters:
        return self._counters + self.trainer.accelerator.counters

    @property
    def _how_to_go_on(self) -> str:
        return (
            f"interrupted after {self.trainer.step} of {self.trainer.plan.steps} steps; to go on: "
            f"fractrain train --resume {shlex.quote(str(self.directory.path))}"
        )

    def _close_meter(self) -> None:
        self._meter.close(self.directory.path if self._begun else None)

    def _summary(self) -> dict[str, Any]:
        self._close_meter()
        evaluations = self._evaluations.read()
        last = evaluations[-1]
        summary = summarize(
            self.trainer,
            backend=self._config["backend"],
            config=self._config["config"],
            test_accuracy=last["test_accuracy"] / 100,
            test_images=last["test_images"],
        )
        return summary | {
            "test_accuracy": last["test_accuracy"],
            "best_test_accuracy": max(each["test_accuracy"] for each in evaluations),
            "counters": dataclasses.asdict(self._total_counters),
            "modelled": _modelled(self.trainer),
            "measured": self._measurements.summary(self._config["config"]),
            **self._meter.summary(self.directory.path),
            "seconds": {name: round(value, 3) for name, value in self._clock.seconds.items()},
            "command": self._config["command"],
        }


def _marks(checkpoint: Checkpoint) -> dict[str, Mark]:
    """Marks of the journals when it was saved, by the names of their files."""
    return {name: Mark(**mark) for name, mark in checkpoint.run["journals"].items()}


def _modelled(trainer: Trainer) -> dict[str, Any] | None:
    """All steps on the machine of the trainer's cost model, as chosen and at FW8/BW8."""
    model = trainer.cost_model
    if model is None:
        return None
    chosen, baseline = (dataclasses.asdict(each) for each in trainer.machine)
    return {
        "config": model.machine,
        "clock_hz": model.clock_hz,
        **chosen,
        **{f"{name}_fw8bw8": value for name, value in baseline.items()},
    }


class Clock:
    """Wall-clock seconds by what they were spent on, over all parts of a run."""

    def __init__(self) -> None:
        self.seconds = {"training": 0.0, "evaluation": 0.0}
        self._last = time.monotonic()

    def start(self) -> None:
        """Count from now on."""
        self._last = time.monotonic()

    def count(self, what: str) -> None:
        """The time since the last call was spent on ``what``."""
        now = time.monotonic()
        self.seconds[what] += now - self._last
        self._last = now
