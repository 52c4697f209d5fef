"""The board's software on the board's Python: Debian 12 for armhf under qemu's user emulation.

    python -m tests.armhf.check FOLDER

FOLDER keeps the board's root between calls (`root.sh` makes it). Compares what this machine and
the emulated one make of the same integers, runs the tests of what the board uses, trains two
steps on both. In hardware mode both end with the same weights, those of
`tests.host.training.pinned`. With float surroundings they need not: NumPy computes exp, log, sqrt
and einsum with other instructions, so losses agree to some digits and weights only almost
(docs/board.md).
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fractrain.hw.contract.errors import DataError, FractrainError, MismatchError, MissingToolError
from fractrain.sim.progress import activity
from tests.host.training.pinned import ON_RANDOM_PIXELS, write_cifar10

ROOT = Path(__file__).resolve().parents[2]
EMULATORS = ("qemu-arm-static", "qemu-arm")
PYTHON = "usr/bin/python3.11"
LOSS_TOLERANCE = 1e-3
FLOAT = (
    *("--mode", "float", "--dataset", "cifar"),
    *("--steps", "2", "--batch", "4", "--test-images", "4"),
)

TESTS = (
    *("tests/hw/contract", "tests/sim/golden", "tests/sim/functional"),
    *("tests/host/numerics", "tests/host/networks", "tests/host/board", "tests/host/driver"),
    *("tests/host/datasets", "tests/host/graph", "tests/host/execution"),
    *("tests/host/arithmetic/test_step_scales.py", "tests/host/machine_step/test_exchange.py"),
    "tests/host/machine_step/test_whole_runs.py::test_what_was_always_zero_is_measured_layer_by_layer",
    *("tests/host/training/test_checkpoint.py", "tests/host/files/test_journal.py"),
    *("tests/host/training/test_optimizer.py", "tests/host/methods/test_recipe.py"),
    *("tests/host/test_accelerator.py", "tests/host/files/test_atomic.py"),
    "tests/host/files/test_regular.py",
    "tests/host/compiler/test_program.py::test_a_network_is_one_program",
    "tests/host/compiler/test_program.py::test_refusals",
)
NOT_THESE = (
    # these need Pillow
    *(f"tests/host/datasets/test_{name}.py" for name in ("archives", "cifar", "damage", "image")),
    *(f"tests/host/datasets/test_{name}.py" for name in ("image_folder", "listing")),
    "tests/host/datasets/test_digits.py",  # needs scikit-learn
    # these run the RTL
    *("tests/host/board/test_changed_clock.py", "tests/host/driver/test_rtl.py"),
    "tests/host/execution/test_small_network.py",
    # these take minutes
    *("tests/host/execution/test_integer_step.py", "tests/sim/golden/step/test_words.py"),
    *(
        "tests/sim/functional/test_vector_forward.py",
        "tests/sim/functional/test_vector_backward.py",
    ),
    "tests/sim/functional/test_vector_blocks.py",  # and memory
    "tests/host/networks/test_gates.py::test_gradients_of_parameters_and_inputs",  # minutes
)

IMPORTS = """
import importlib, pathlib, sys
import numpy
assert sys.maxsize == 2**31 - 1 and numpy.intp(0).itemsize == 4, "this is no 32-bit machine"
count = 0
for folder in ("hw/contract", "hw/targets", "sim/golden", "host"):
    for file in sorted(pathlib.Path(folder).rglob("*.py")):
        name = ".".join(("fractrain", *file.with_suffix("").parts))
        importlib.import_module(name.removesuffix(".__init__"))
        count += 1
print(f"{count} modules on Python {sys.version.split()[0]}, NumPy {numpy.__version__}")
"""


class Board:
    """Runs Python as the board would, in the project's folder."""

    def __init__(self, folder: Path) -> None:
        emulator = next((each for each in map(shutil.which, EMULATORS) if each), None)
        if emulator is None:
            raise MissingToolError("qemu-arm is missing: apt-get install qemu-user-static")
        for program in ("apt-get", "dpkg-deb"):
            if shutil.which(program) is None:
                raise MissingToolError(f"{program} is missing: this takes a Debian system")
        made = subprocess.run([ROOT / "tests/armhf/root.sh", folder])
        if made.returncode:
            raise MissingToolError(
                "Debian's packages for armhf could not be had; is there a mirror?"
            )
        root = folder.resolve() / "root"
        self._command = [emulator, "-L", str(root), str(root / PYTHON)]
        self._versions = folder.resolve() / "versions"
        _name_amaranth(self._versions)

    def python(self, *arguments: str, cwd: Path = ROOT) -> str:
        """What it prints; `MismatchError` with all of it if it fails."""
        return _run([*self._command, *arguments], cwd, self._versions)


def workstation(*arguments: str, cwd: Path = ROOT) -> str:
    """The same on this machine."""
    return _run([sys.executable, *arguments], cwd)


def _name_amaranth(folder: Path) -> None:
    """Its version goes into the build hash, which tests of the driver compare; it is not there."""
    entry = folder / "amaranth.dist-info"
    entry.mkdir(parents=True, exist_ok=True)
    version = importlib.metadata.version("amaranth")
    (entry / "METADATA").write_text(f"Metadata-Version: 2.1\nName: amaranth\nVersion: {version}\n")


def _run(command: list[str], cwd: Path, *path: Path) -> str:
    folders = os.pathsep.join(map(str, (ROOT, *path)))
    environment = os.environ | {"PYTHONPATH": folders, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise MismatchError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def check_imports(board: Board) -> str:
    return board.python("-c", IMPORTS).strip()


def check_integers(board: Board) -> str:
    """Every checksum of `tests.armhf.digests`."""
    here, there = (
        json.loads(python("-m", "tests.armhf.digests")) for python in (workstation, board.python)
    )
    wrong = [name for name in here | there if here.get(name) != there.get(name)]
    if wrong:
        raise MismatchError(f"{len(wrong)} of {len(here)} checksums differ, first: {wrong[0]}")
    return f"{len(here)} checksums of images, commands and results agree"


def require_present(tests: Iterable[str], root: Path = ROOT) -> None:
    """Raise `DataError` if a file or folder of these is not there: it was renamed, and would not
    be run any more, or not be left out."""
    gone = [each for each in tests if not (root / each.partition("::")[0]).exists()]
    if gone:
        raise DataError(f"tests/armhf/check.py lists {', '.join(gone)}, which does not exist")


def check_tests(board: Board) -> str:
    require_present((*TESTS, *NOT_THESE))
    left_out = [f"--deselect={each}" for each in NOT_THESE if "::" in each]
    left_out += [f"--ignore={each}" for each in NOT_THESE if "::" not in each]
    # Debian's pytest is older than the one of pyproject.toml, which it is not shown.
    options = ["-c", os.devnull, f"--rootdir={ROOT}", "-p", "no:cacheprovider", "-q"]
    options += ["-p", "tests.armhf.patience"]
    output = board.python(*("-m", "pytest", *options, "--import-mode=importlib", *left_out, *TESTS))
    return output.strip().splitlines()[-1]


def check_training(board: Board) -> str:
    """Two steps in hardware mode, on CIFAR-10 of random pixels: the pinned weights, here and there.
    Two of `--mode float`: the same choices and almost the same losses."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_cifar10(folder / "cifar")
        for name, python in (("here", workstation), ("armhf", board.python)):
            require_weights(name, _train(python, folder, name, *ON_RANDOM_PIXELS.options)[1])
        here, there = (
            _train(python, folder, f"float-{name}", *FLOAT)[0]
            for name, python in (("here", workstation), ("armhf", board.python))
        )
    for name in ("step", "bits", "cp", "effective_macs", "learning_rate", "stage"):
        if [each[name] for each in here] != [each[name] for each in there]:
            raise MismatchError(f"{name} of float steps differs between this machine and armhf")
    losses = [(one["loss"], other["loss"]) for one, other in zip(here, there, strict=True)]
    worst = largest_difference(losses)
    return f"the same weights in hardware mode; float losses agree to {worst:.0e}"


def require_weights(where: str, summary: Mapping[str, Any]) -> None:
    """Raise `MismatchError` unless a run in hardware mode ended with what is pinned."""
    pinned = ON_RANDOM_PIXELS
    found = summary["weights_sha256"], summary["test_accuracy"]
    if found != (pinned.weights_sha256, pinned.test_accuracy):
        raise MismatchError(
            f"weights and test accuracy {where} are {found[0]}, {found[1]:g} %, not "
            f"{pinned.weights_sha256}, {pinned.test_accuracy:g} %, as pinned"
        )


def largest_difference(losses: Sequence[tuple[float, float]]) -> float:
    """The largest relative difference within a pair; `MismatchError` if it is more than tolerated,
    or a loss is no number (`max` may pass over one)."""
    if not all(math.isfinite(loss) for pair in losses for loss in pair):
        raise MismatchError(f"losses are no numbers: {losses}")
    worst = max(abs(one - other) / abs(one) for one, other in losses)
    if worst > LOSS_TOLERANCE:
        raise MismatchError(f"losses differ by {worst:.1e} of their value: {losses}")
    return worst


def _train(
    python: Callable[..., str], folder: Path, name: str, *options: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What it logged of the steps, and its summary."""
    python("-m", "fractrain", "train", *options, "--name", name, cwd=folder)
    run = folder / "runs" / name
    lines = [json.loads(each) for each in (run / "log.jsonl").read_text().splitlines()]
    return lines, json.loads((run / "summary.json").read_text())


CHECKS = {
    "imports": check_imports,
    "integers": check_integers,
    "training": check_training,
    "tests": check_tests,
}


def main(arguments: list[str]) -> int:
    """Run the checks in order; 0 if all pass."""
    try:
        board = Board(Path(arguments[0] if arguments else "build/armhf"))
        for name, check in CHECKS.items():
            began = time.monotonic()
            with activity(f"armhf {name}"):
                found = check(board)
            print(f"armhf {name}: {found} ({time.monotonic() - began:.0f} s)", flush=True)
    except FractrainError as error:
        print(f"armhf: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
