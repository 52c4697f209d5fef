"""Weights and accuracies of short runs in hardware mode, which no backend, processor, number of
threads or version of a library changes.

Whoever changes an integer of docs/numerics.md on purpose states the new ones here, and in README
(`make train`).
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

GATES_MOVE = ("--epsilon", "10", "--interval", "2")
"""Two steps a window, and every loss has settled: stages follow each other at once."""


@dataclass(frozen=True)
class Pinned:
    """``options`` of `fractrain train`, and what a run with them ends with: the SHA-256 of its
    weights, and correct test images in percent."""

    options: tuple[str, ...]
    weights_sha256: str
    test_accuracy: float

    def check(self, run: Path) -> None:
        """That the finished run in this folder is it."""
        summary = json.loads((run / "summary.json").read_text())
        found = summary["weights_sha256"], summary["test_accuracy"]
        assert found == (self.weights_sha256, self.test_accuracy), f"{run.name}: {found}"


DIGITS = ("--batch", "16", *GATES_MOVE, "--checkpoint-every", "1000")

TWO_STEPS = Pinned(
    (*DIGITS, "--steps", "2", "--beta", "30", "--targets", "3,5", "--test-images", "4"),
    "a3ebe7f15a528c4aa6ea03e2fedba54667df8029c081333965514da3dc95947b",
    25.0,
)
"""On the bundled digits: 5/5/6, then 8/8/8, as so heavy a cost moves the gates at once."""

TWENTY_STEPS = Pinned(
    (*DIGITS, "--steps", "20", "--beta", "1", "--targets", "4,6"),
    "c89ede15c850c0f420d5f3345aa5a79ee919c16c422d63688c2d781a071c906f",
    14.763231197771587,
)
"""On the digits, over two stages: blocks at 6/6/6 and at 8/8/8, in the end side by side."""

ON_RANDOM_PIXELS = Pinned(
    (
        *("--dataset", "cifar", "--steps", "2", "--batch", "8", "--test-images", "20"),
        *("--beta", "30", "--targets", "3,5"),
    ),
    "fa15d5b3db174f493302f0fcb461330b130e4c5b2ad3dc8f988e9e15f86dd861",
    10.0,
)
"""On what `write_cifar10` writes, for environments that have NumPy and PyYAML only."""

FLOAT_DEFAULT = "9316d3b5a9120547"
"""How the SHA-256 begins that ``--recipe short --mode float`` ends with, where NumPy and OpenBLAS
compute with AVX-512."""


def write_cifar10(folder: Path) -> None:
    """CIFAR-10 of random pixels in its binary version, which no package is needed to read."""
    folder.mkdir()
    source = random.Random(0)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        records = (bytes([index % 10]) + source.randbytes(3072) for index in range(20))
        (folder / f"{name}.bin").write_bytes(b"".join(records))
