"""The results of a run, as the document of ``summary.json``."""

from __future__ import annotations

import dataclasses
from typing import Any

from fractrain.host.training.run_record import versions
from fractrain.host.training.trainer import Trainer

UNITS = {
    "test_accuracy": "percent of test_images",
    "effective_macs": "multiply-accumulates of 32 x 32 bits (cost a/32 * w/32 each)",
    "effective_macs_fw8bw8": "the same steps with all operands at 8 bits",
    "saving": "fraction, 1 - effective_macs / effective_macs_fw8bw8",
    "stages": "bits of activations, weights, errors, or target cp; first step, epoch, from 0",
    "counters": "of the accelerator, evaluation included; zero where no machine runs",
    "measured": "the training steps on the machine, by its own counters; null where none runs",
    "seconds": "wall clock, over all parts of an interrupted run",
}


def summarize(
    trainer: Trainer, *, backend: str, config: str, test_accuracy: float, test_images: int
) -> dict[str, Any]:
    """The results of a finished run.

    ``weights_sha256`` is over all parameters in the order of `Trainer.parameters`
    (`Arithmetic.weights_sha256`).
    """
    plan, costs = trainer.plan, trainer.costs
    per_epoch = trainer.dataset.steps_per_epoch(plan.batch)
    return {
        "dataset": trainer.dataset.name,
        "model": trainer.network.name,
        "method": trainer.method.name,
        "mode": trainer.arithmetic.mode,
        "backend": backend,
        "config": config,
        "seed": plan.seed,
        "steps": plan.steps,
        "epochs": plan.steps / per_epoch,
        "test_accuracy": 100 * test_accuracy,
        "test_images": test_images,
        "effective_macs": costs.executed,
        "effective_macs_fw8bw8": costs.baseline,
        "saving": costs.saving,
        "weights_sha256": trainer.arithmetic.weights_sha256(trainer.parameters()),
        "stages": [
            {
                **trainer.method.describe(stage.value),
                "first_step": stage.first_step,
                "first_epoch": stage.first_step // per_epoch,
            }
            for stage in trainer.method.stages
        ],
        "stages_planned": trainer.method.stages_planned,
        "plan": dataclasses.asdict(plan),
        "counters": dataclasses.asdict(trainer.accelerator.counters),
        "versions": versions(),
        "units": UNITS,
    }
