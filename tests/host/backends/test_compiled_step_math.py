"""The compiled form of a step's work around the convolutions gives the definition's integers."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from fractrain.host.backends.compiled import choosing, compiling
from fractrain.host.backends.compiled.compiling import can_compile, run_shares, shares
from fractrain.host.numerics.fast_step_math import FastStepMath
from tests.host.numerics import step_agreement as agreement
from tests.host.numerics.step_agreement import Drawn, examples

needs_numba = pytest.mark.skipif(not can_compile(), reason="Numba is not installed")

if can_compile():
    from fractrain.host.backends.compiled.step_math import ArrayMemory, CompiledStepMath

    class TurningMemory(ArrayMemory):
        """[N,C,H,W] as views of [N,H,W,C]: a copy for every kernel, but no PyTorch."""

        turns = True

        def flat(self, array: NDArray) -> NDArray:
            return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).reshape(-1)

        def empty(self, shape: tuple[int, ...], kind: type[np.generic]) -> tuple[NDArray, NDArray]:
            images, channels, height, width = shape
            array = np.empty((images, height, width, channels), kind)
            return array.transpose(0, 3, 1, 2), array.reshape(-1)

    FORMS = {
        "rows": CompiledStepMath(FastStepMath(), ArrayMemory(), threads=lambda: 3),
        "turns": CompiledStepMath(FastStepMath(), TurningMemory(), threads=lambda: 3),
    }
else:
    FORMS = {}

SUMS = "int64", "float32"
"""A kernel is compiled for each."""

every = pytest.mark.parametrize("name", ["rows", "turns"])
examined = settings(deadline=None, max_examples=80, derandomize=True)


@pytest.fixture(autouse=True, scope="module")
def share_everything() -> Iterator[None]:
    """However small a tensor, its blocks are shared among the threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "SMALLEST_SHARED", 0)
        yield


@needs_numba
@every
@examined
@given(examples())
def test_narrow(name: str, drawn: Drawn) -> None:
    agreement.check_narrow(FORMS[name], drawn, SUMS)


@needs_numba
@every
@examined
@given(examples())
def test_form(name: str, drawn: Drawn) -> None:
    agreement.check_form(FORMS[name], drawn)


@needs_numba
@every
@examined
@given(examples())
def test_join(name: str, drawn: Drawn) -> None:
    agreement.check_join(FORMS[name], drawn, SUMS)


@needs_numba
@every
@examined
@given(examples())
def test_apply(name: str, drawn: Drawn) -> None:
    agreement.check_apply(FORMS[name], drawn)


@needs_numba
@examined
@given(examples())
def test_weights(drawn: Drawn) -> None:
    agreement.check_weights(FORMS["rows"], drawn)


# -- threads, and where the code is kept ---------------------------------------------------


def test_shares_cover_all_blocks() -> None:
    for blocks in (1, 2, 7, 128):
        for threads in (1, 2, 3, 200):
            parts = shares(blocks, 1 << 20, threads)
            assert len(parts) == min(blocks, threads)
            assert [i for first, last in parts for i in range(first, last)] == list(range(blocks))


def test_results_come_in_the_order_of_the_shares() -> None:
    assert run_shares(lambda first, last: first, [(0, 1), (1, 5), (5, 9)]) == [0, 1, 5]


def test_an_error_in_a_thread_is_raised() -> None:
    def work(first: int, last: int) -> int:
        return 1 // (1 - first)

    with pytest.raises(ZeroDivisionError):
        run_shares(work, [(0, 1), (1, 2)])


def test_without_numba_numpy_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert type(choosing.host_step_math()) is FastStepMath


def test_code_is_kept_in_the_build_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiling._folder.cache_clear()
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path))
    try:
        folder = compiling._folder()
        assert folder is not None
        assert folder.parent == tmp_path / "kernels"
    finally:
        compiling._folder.cache_clear()


def test_code_is_not_kept_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiling._folder.cache_clear()
    (tmp_path / "file").touch()
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path / "file"))
    try:
        assert compiling._folder() is None
    finally:
        compiling._folder.cache_clear()
