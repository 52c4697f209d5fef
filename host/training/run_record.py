"""The records of a run: its configuration, a line for each step and each evaluation."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np

from fractrain import __version__
from fractrain.host.datasets.dataset import Dataset
from fractrain.host.training import measurements
from fractrain.host.training.trainer import MachineCost, StepReport, Trainer

UNITS = {
    "step": "in log.jsonl that of the line, from 0; in evaluations.jsonl steps done",
    "accuracy": "fraction of the batch classified right in training",
    "bits": "of activations, weights, errors in each block, averaged over images",
    "cp": "cost of the blocks in percent of 32-bit arithmetic; FW8/BW8 is 6.25",
    "effective_macs": "multiply-accumulates of 32 x 32 bits (cost a/32 * w/32 each), of the step; "
    "in evaluations.jsonl of all steps so far",
    "cycles": "modelled, of the step; null without a model",
    "seconds": "modelled, of all steps so far; null without a model",
    "joules": "modelled, as effective_macs; null without a model",
    "..._fw8bw8": "the same steps with all operands at 8 bits",
    "test_accuracy": "percent of test_images",
    "measured_as": "what counts cycles in measured.jsonl; null where no machine runs",
    "measured.jsonl, programs.jsonl": measurements.UNITS,
}

NUMERICS = 2
"""Edition of the integer step (docs/numerics.md): runs of another one are not gone on with."""

IDENTITY = (
    *("dataset", "data_sha256", "model", "method", "mode", "integers", "backend", "config"),
    *("machine", "device", "seed", "plan", "method_options", "weight_levels", "test_images"),
)
"""Fields that must be equal in two configurations for one run to continue from the other's
state."""


def describe(trainer: Trainer, given: Mapping[str, Any]) -> dict[str, Any]:
    """The document of ``config.json``; ``given``: what the trainer does not know."""
    return {
        "command": given["command"],
        "dataset": trainer.dataset.name,
        "data_sha256": data_sha256(trainer.dataset),
        "model": trainer.network.name,
        "method": trainer.method.name,
        "mode": trainer.arithmetic.mode,
        "integers": _integers(trainer),
        "machine": trainer.accelerator.parameters.to_mapping(),
        "measured_as": trainer.accelerator.measured_as,
        "seed": trainer.plan.seed,
        "plan": dataclasses.asdict(trainer.plan),
        "blocks": [block.name for block in trainer.step_graph.blocks],
        **{name: value for name, value in given.items() if name != "command"},
        "versions": versions(),
        "units": UNITS,
    }


def _integers(trainer: Trainer) -> dict[str, Any] | None:
    """The numbers that hardware mode's step depends on; None in other modes."""
    options = trainer.arithmetic.integers
    if options is None:
        return None
    values = dataclasses.asdict(options).items()
    plain = {name: list(each) if isinstance(each, tuple) else each for name, each in values}
    return {"numerics": NUMERICS, **plain}


def versions() -> dict[str, str]:
    """Versions that may influence the bits of a result."""
    return {
        "fractrain-fpga": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def fingerprint(config: Mapping[str, Any]) -> str:
    """SHA-256 of the identity of a run (`IDENTITY`), given its configuration."""
    identity = {name: config.get(name) for name in IDENTITY}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def data_sha256(dataset: Dataset) -> str:
    """SHA-256 of images and labels, training before test."""
    digest = hashlib.sha256()
    for array in (
        dataset.train_images,
        dataset.train_labels,
        dataset.test_images,
        dataset.test_labels,
    ):
        digest.update(f"{array.shape} {array.dtype.str}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def step_line(report: StepReport) -> dict[str, Any]:
    """The line of a step in ``log.jsonl``."""
    chosen, baseline = report.machine or (None, None)
    return {
        "step": report.step,
        "epoch": report.epoch,
        "loss": report.loss,
        "accuracy": report.accuracy,
        "learning_rate": report.learning_rate,
        "stage": report.stage,
        "bits": report.bits,
        "cp": report.costs.cp,
        "target_cp": report.target_cp,
        "effective_macs": report.costs.executed,
        "effective_macs_fw8bw8": report.costs.baseline,
        **_machine("cycles", chosen, baseline),
        **_machine("joules", chosen, baseline),
    }


def evaluation_line(trainer: Trainer, accuracy: float, images: int) -> dict[str, Any]:
    """The line in ``evaluations.jsonl`` of an evaluation after the steps done so far."""
    chosen, baseline = trainer.machine if trainer.machine[0].cycles else (None, None)
    return {
        "step": trainer.step,
        "test_accuracy": 100 * accuracy,
        "test_images": images,
        "effective_macs": trainer.costs.executed,
        "effective_macs_fw8bw8": trainer.costs.baseline,
        **_machine("seconds", chosen, baseline),
        **_machine("joules", chosen, baseline),
    }


def _machine(
    quantity: str, chosen: MachineCost | None, baseline: MachineCost | None
) -> dict[str, float | None]:
    return {
        quantity: None if chosen is None else getattr(chosen, quantity),
        f"{quantity}_fw8bw8": None if baseline is None else getattr(baseline, quantity),
    }
