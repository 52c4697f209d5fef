"""The limit on BLAS threads holds inside, and only there."""

import sys

import numpy as np
import pytest

from fractrain.host.process.blas import single_threaded_blas


def test_limit() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    np.ones((2, 2)) @ np.ones((2, 2))

    def threads() -> set[int]:
        pools = threadpoolctl.threadpool_info()
        return {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"}

    before = threads()
    with single_threaded_blas():
        assert threads() == {1}
    assert threads() == before


def test_without_threadpoolctl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with single_threaded_blas():
        pass
