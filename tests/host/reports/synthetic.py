"""Run folders without training: files of the documented shape, with figures that are known.

One step costs ``cost · STEP_MACS`` effective MACs, where ``cost`` is the mean of a·w + e·w + a·e
over the blocks by 192 (1.0 at 8/8/8). Cycles and joules follow it less than proportionally, as on a
machine that must also move data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

STEP_MACS = 1e6
STEP_CYCLES = 40_000
STEP_JOULES = 0.002
CLOCK_HZ = 2e8
FIXED_PART = 0.25  # of cycles and joules, whatever the bits

Bits = tuple[float, float, float]
EIGHT: Bits = (8, 8, 8)


def static(bits: Bits = EIGHT) -> Callable[[int, int], tuple[int, Bits]]:
    """Stage and bits of every step and block of a static run."""
    return lambda step, block: (0, bits)


def progressive(*stages: tuple[int, Bits]) -> Callable[[int, int], tuple[int, Bits]]:
    """Stages as (first step, bits)."""

    def of(step: int, block: int) -> tuple[int, Bits]:
        stage = sum(step >= first for first, _ in stages) - 1
        return stage, stages[stage][1]

    return of


def write_run(
    folder: Path,
    *,
    method: str = "static",
    bits: Callable[[int, int], tuple[int, Bits]] | None = None,
    steps: int = 40,
    done: int | None = None,
    blocks: Sequence[str] = ("stage0.block0", "stage1.block0", "stage2.block0"),
    accuracies: Sequence[float] = (50.0, 80.0, 90.0, 91.0),
    ended: bool = True,
    modelled: bool = True,
    measured: bool = False,
    seed: int = 0,
    config: dict[str, Any] | None = None,
) -> Path:
    """Write a run whose ``accuracies`` were evaluated at even distances up to ``steps``.

    done : steps that were logged, with the evaluations until then
    measured : with board time and energy: twice and half of the modelled ones
    """
    bits = bits or static()
    done = steps if done is None else done
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", _config(method, steps, blocks, seed) | (config or {}))
    random = np.random.default_rng(seed)
    totals = dict.fromkeys(("effective_macs", "cycles", "joules"), 0.0)
    lines, evaluations = [], []
    every = steps // len(accuracies)
    for step in range(done):
        line = _line(step, [bits(step, block) for block in range(len(blocks))], random)
        for name in totals:
            totals[name] += line[name]
        if not modelled:
            line |= dict.fromkeys(("cycles", "cycles_fw8bw8", "joules", "joules_fw8bw8"))
        lines.append(line)
        if (step + 1) % every == 0 and (step + 1) // every <= len(accuracies):
            accuracy = accuracies[(step + 1) // every - 1]
            evaluations.append(_evaluation(step + 1, accuracy, totals, modelled, measured))
    _write_lines(folder / "log.jsonl", lines)
    _write_lines(folder / "evaluations.jsonl", evaluations)
    if ended:
        last = evaluations[-1]
        summary: dict[str, Any] = {
            "steps": done,
            "test_accuracy": last["test_accuracy"],
            "best_test_accuracy": max(each["test_accuracy"] for each in evaluations),
            "effective_macs": totals["effective_macs"],
            "effective_macs_fw8bw8": done * STEP_MACS,
            "weights_sha256": f"{seed:064x}",
            "seconds": {"training": 1.0, "evaluation": 0.1},
        }
        if modelled:
            summary["modelled"] = {"config": "zc706", "clock_hz": CLOCK_HZ}
            summary["modelled"] |= {key: last[key] for key in _TIME_AND_ENERGY}
        if measured:
            summary["measured"] = last["measured"]
        _write_json(folder / "summary.json", summary)
    return folder


_TIME_AND_ENERGY = ("seconds", "seconds_fw8bw8", "joules", "joules_fw8bw8")


def _config(method: str, steps: int, blocks: Sequence[str], seed: int) -> dict[str, Any]:
    return {
        "command": ["fractrain", "train", "--method", method, "--name", "a b"],
        "dataset": "cifar10",
        "model": "resnet8",
        "method": method,
        "mode": "hardware",
        "backend": "golden",
        "config": "tiny",
        "device": None,
        "seed": seed,
        "plan": {"steps": steps, "batch": 128, "learning_rate": 0.1},
        "method_options": {},
        "blocks": list(blocks),
        "versions": {"fractrain-fpga": "0.1.0", "numpy": "2.0.0"},
        "units": {"cp": "percent of FP32"},
    }


def _line(
    step: int, rows: Sequence[tuple[int, Bits]], random: np.random.Generator
) -> dict[str, Any]:
    bits = [each for _, each in rows]
    cost = float(np.mean([a * w + e * w + a * e for a, w, e in bits])) / 192
    slower = FIXED_PART + (1 - FIXED_PART) * cost
    loss = 2.3 * float(np.exp(-step / 3000)) + 0.02
    return {
        "step": step,
        "epoch": step // 390,
        "loss": loss * (1 + 0.15 * float(random.standard_normal())),
        "accuracy": float(np.clip(1 - loss / 2.6 + 0.03 * random.standard_normal(), 0, 1)),
        "learning_rate": 0.1,
        "stage": rows[0][0],
        "bits": [list(each) for each in bits],
        "cp": 6.25 * cost,
        "target_cp": None,
        "effective_macs": cost * STEP_MACS,
        "effective_macs_fw8bw8": STEP_MACS,
        "cycles": slower * STEP_CYCLES,
        "cycles_fw8bw8": STEP_CYCLES,
        "joules": slower * STEP_JOULES,
        "joules_fw8bw8": STEP_JOULES,
    }


def _evaluation(
    steps: int, accuracy: float, totals: dict[str, float], modelled: bool, measured: bool
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "step": steps,
        "test_accuracy": accuracy,
        "test_images": 10_000,
        "effective_macs": totals["effective_macs"],
        "effective_macs_fw8bw8": steps * STEP_MACS,
    }
    model = {
        "seconds": totals["cycles"] / CLOCK_HZ,
        "seconds_fw8bw8": steps * STEP_CYCLES / CLOCK_HZ,
        "joules": totals["joules"],
        "joules_fw8bw8": steps * STEP_JOULES,
    }
    entry |= model if modelled else dict.fromkeys(model)
    if measured:
        factors = {"seconds": 2.0, "joules": 0.5}
        entry["measured"] = {
            key: factors[key.partition("_")[0]] * value for key, value in model.items()
        }
    return entry


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document), encoding="utf-8")


def _write_lines(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
