"""Savings by precision: against the same steps at 8 bits, and against a run that stayed at 8 bits.

*At equal steps* needs one run only, which records the cost of its own steps at FW8/BW8
(`Cost.saving`). It leaves open whether the run learned as much. *At equal accuracy* takes the
lowest of the runs' best test accuracies, looks up where each run first reached it, and compares the
costs up to there with the static 8/8/8 run's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fractrain.host.reports.quantities import Quantity, saving
from fractrain.host.reports.run import Evaluation, Run


@dataclass(frozen=True)
class Reached:
    """The first evaluation of ``run`` at or above the target accuracy."""

    run: Run
    evaluation: Evaluation


@dataclass(frozen=True)
class EqualAccuracy:
    """Runs on one task (data set and model), each where it first reached ``target`` percent.

    reference : the entry of the static 8/8/8 run; None if no run is one
    """

    task: tuple[str, str]
    target: float
    entries: Sequence[Reached]
    reference: Reached | None

    def saving(self, entry: Reached, quantity: Quantity) -> float | None:
        """``1 - cost / cost of the reference``, each up to where it reached the target."""
        if self.reference is None:
            return None
        ours = entry.evaluation.costs.get(quantity)
        theirs = self.reference.evaluation.costs.get(quantity)
        return None if ours is None or theirs is None else saving(ours.value, theirs.value)


def at_equal_accuracy(runs: Sequence[Run]) -> list[EqualAccuracy]:
    """One comparison for each task of which at least two runs were evaluated."""
    tasks: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.evaluations:
            tasks.setdefault(run.task, []).append(run)
    return [_compare(task, some) for task, some in tasks.items() if len(some) > 1]


def _compare(task: tuple[str, str], runs: Sequence[Run]) -> EqualAccuracy:
    target = min(map(_best_accuracy, runs))
    entries = [
        Reached(run, next(each for each in run.evaluations if each.test_accuracy >= target))
        for run in runs
    ]
    reference = next((entry for entry in entries if entry.run.is_static_8bit), None)
    return EqualAccuracy(task, target, entries, reference)


def _best_accuracy(run: Run) -> float:
    return max(each.test_accuracy for each in run.evaluations)


def caveats(runs: Sequence[Run]) -> list[str]:
    """Caveats of a comparison of ``runs``."""
    found = []
    if len({run.task for run in runs}) > 1:
        found.append(
            "The runs differ in data set or model: accuracies compare only within one of each."
        )
    images = {each.test_images for run in runs for each in run.evaluations}
    if len(images) > 1:
        some = ", ".join(sorted(str(each or "unknown") for each in images))
        found.append(f"Accuracies are over different numbers of test images ({some}).")
    statics = [run.name for run in runs if run.is_static_8bit]
    if len(statics) > 1:
        found.append(
            f"{len(statics)} runs are static 8/8/8; savings at equal accuracy are against the "
            f"first on each task."
        )
    for comparison in at_equal_accuracy(runs):
        deciding = min((entry.run for entry in comparison.entries), key=_best_accuracy)
        if deciding.summary is None:
            found.append(
                f"{deciding.name} has the lowest best accuracy and has not ended: the "
                "comparison at equal accuracy will change."
            )
    return found
