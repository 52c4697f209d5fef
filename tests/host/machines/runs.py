"""Run folders and traces of ResNet-8 on digits, with all figures right, and no training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fractrain.host.machines.trace import EIGHT, Stretch, Trace
from fractrain.hw.contract.precision import Precision
from tests.host.reports.synthetic import Bits, write_run

SMALL = (1, 8, 8)
BATCH = 4

Chosen = Callable[[int, int], tuple[int, Bits]]


def MIXED(step: int, block: int) -> tuple[int, Bits]:
    """Three stretches: 3 steps, 1 and 4."""
    if step >= 4:
        return 1, (8, 8, 8)
    return 0, (5, 5, 6) if step == 3 and block == 2 else (4, 4, 6)


def small_trace(*stretches: tuple[float, Precision], name: str = "small") -> Trace:
    """All blocks alike."""
    return Trace(
        name,
        "resnet8",
        SMALL,
        BATCH,
        tuple(Stretch(steps, (bits,) * 3) for steps, bits in stretches),
    )


def write_small_run(
    folder: Path, bits: Chosen, *, steps: int = 8, config: dict[str, Any] | None = None
) -> Path:
    """As `write_run`, with the MACs of the network."""
    settings = {"plan": {"steps": steps, "batch": BATCH, "learning_rate": 0.1}, **(config or {})}
    write_run(folder, bits=bits, steps=steps, config=settings, method="fractrain")
    whole = small_trace((1, EIGHT)).effective_macs
    lines = []
    for text in (folder / "log.jsonl").read_text().splitlines():
        line = json.loads(text)
        chosen = tuple(Precision(*map(int, each)) for each in line["bits"])
        done = Trace("line", "resnet8", SMALL, BATCH, (Stretch(1, chosen),))
        line |= {"effective_macs": done.effective_macs, "effective_macs_fw8bw8": whole}
        lines.append(json.dumps(line) + "\n")
    (folder / "log.jsonl").write_text("".join(lines))
    return folder
