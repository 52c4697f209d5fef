"""Hardware mode trains the same weights, and tests as well, on every backend, in every form of its
arithmetic, with any number of threads (`tests.host.training.pinned`)."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from fractrain.host.backends import golden
from fractrain.host.backends.compiled import compiling
from fractrain.host.backends.compiled.compiling import can_compile
from fractrain.host.cli.main import main
from fractrain.host.numerics.fast_step_math import FastStepMath
from fractrain.host.numerics.step_math import StepMath
from fractrain.host.runs import running
from tests.host.training.pinned import ON_RANDOM_PIXELS, TWENTY_STEPS, TWO_STEPS, write_cifar10

Patch = pytest.MonkeyPatch

has_torch = all(importlib.util.find_spec(each) for each in ("torch", "array_api_compat"))
torch_only = pytest.mark.skipif(not has_torch, reason="PyTorch is not installed: make torch")
numba_only = pytest.mark.skipif(not can_compile(), reason="Numba is not installed")


@pytest.fixture(autouse=True)
def no_page(monkeypatch: Patch) -> None:
    """Drawing it takes longer than the steps."""
    monkeypatch.setattr(running, "_report", lambda folder: None)


def bits_of(run: Path) -> list[list[tuple[int, ...]]]:
    """Of the blocks, step by step."""
    lines = map(json.loads, (run / "log.jsonl").read_text().splitlines())
    return [[tuple(map(int, bits)) for bits in line["bits"]] for line in lines]


# -- two steps; test_train_cosim.py and test_train_board.py have those of the RTL ------------


@pytest.mark.parametrize("backend", ["golden", pytest.param("torch", marks=torch_only)])
def test_two_steps(tmp_path: Path, backend: str) -> None:
    options = ["--backend", backend, "--out", str(tmp_path)]
    assert main(["train", *TWO_STEPS.options, *options]) == 0
    TWO_STEPS.check(tmp_path / "latest")
    assert bits_of(tmp_path / "latest") == [[(5, 5, 6)] * 3, [(8, 8, 8)] * 3]


# -- twenty steps in every form ------------------------------------------------------------


def compiled(threads: int) -> Callable[[Patch], None]:
    """The compiled kernels; they share even the smallest tensor."""

    def use(monkeypatch: Patch) -> None:
        from fractrain.host.backends.compiled.step_math import ArrayMemory, CompiledStepMath

        form = CompiledStepMath(FastStepMath(), ArrayMemory(), threads=lambda: threads)
        monkeypatch.setattr(compiling, "SMALLEST_SHARED", 1)
        monkeypatch.setattr(golden, "host_step_math", lambda: form)

    return use


def plain(form: StepMath) -> Callable[[Patch], None]:
    """NumPy only, as without Numba."""
    return lambda monkeypatch: monkeypatch.setattr(golden, "host_step_math", lambda: form)


def several_blas_threads(monkeypatch: Patch) -> None:
    monkeypatch.setattr(running, "single_threaded_blas", nullcontext)


GOLDEN = {
    "as it is": several_blas_threads,
    "fast": plain(FastStepMath()),
    "definition": plain(StepMath()),
    **({f"compiled, {count}": compiled(count) for count in (1, 2)} if can_compile() else {}),
}


@pytest.mark.parametrize("form", GOLDEN)
def test_twenty_steps_on_golden(tmp_path: Path, monkeypatch: Patch, form: str) -> None:
    GOLDEN[form](monkeypatch)
    assert main(["train", *TWENTY_STEPS.options, "--out", str(tmp_path)]) == 0
    TWENTY_STEPS.check(tmp_path / "latest")
    steps = bits_of(tmp_path / "latest")  # or this would show less than it seems to
    assert {bits for step in steps for bits in step} == {(6, 6, 6), (8, 8, 8)}
    assert any(len(set(step)) > 1 for step in steps)


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest, monkeypatch: Patch) -> Iterator[int]:
    """PyTorch's own, which share even the smallest tensor."""
    import torch

    from fractrain.host.backends.torch import step_views

    monkeypatch.setattr(compiling, "SMALLEST_SHARED", 1)
    monkeypatch.setattr(step_views, "BLOCK", 1 << 11)
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@torch_only
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("form", ["plain", pytest.param("compiled", marks=numba_only)])
def test_twenty_steps_on_torch(tmp_path: Path, monkeypatch: Patch, form: str) -> None:
    from fractrain.host.backends.torch import accelerator

    if form == "plain":
        monkeypatch.setattr(accelerator, "can_compile", lambda: False)
    options = ["--backend", "torch", "--out", str(tmp_path)]
    assert main(["train", *TWENTY_STEPS.options, *options]) == 0
    TWENTY_STEPS.check(tmp_path / "latest")


# -- an older processor --------------------------------------------------------------------


def features_in_use() -> list[str]:
    """What NumPy chose for this processor beyond what it was built for."""
    try:  # NumPy 2
        from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
    except ImportError:
        from numpy.core._multiarray_umath import __cpu_dispatch__, __cpu_features__
    return [each for each in __cpu_dispatch__ if __cpu_features__.get(each)]


def test_a_processor_without_vector_instructions(tmp_path: Path) -> None:
    """As far as NumPy and OpenBLAS can be told to compute like one."""
    older = {
        "NPY_DISABLE_CPU_FEATURES": " ".join(features_in_use()),
        "OPENBLAS_CORETYPE": "Prescott",
        "OPENBLAS_NUM_THREADS": "2",
    }
    command = [sys.executable, "-m", "fractrain", "train", *TWENTY_STEPS.options]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], env=os.environ | older, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    TWENTY_STEPS.check(tmp_path / "latest")


def test_random_pixels(tmp_path: Path, monkeypatch: Patch) -> None:
    """What `tests.armhf.check` and `tests/test_oldest_numpy.py` compare with."""
    monkeypatch.chdir(tmp_path)
    write_cifar10(tmp_path / "cifar")
    assert main(["train", *ON_RANDOM_PIXELS.options]) == 0
    ON_RANDOM_PIXELS.check(tmp_path / "runs/latest")
