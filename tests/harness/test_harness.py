"""The harness itself: it passes what is right, and cannot pass what is wrong."""

from pathlib import Path

import pytest

from tests.harness import run_bench
from tests.harness.designs import Incrementer

MODULE = "tests.harness.bench_harness"


def test_correct_design_passes_under_all_stalls() -> None:
    run_bench(
        Incrementer(70), "incrementer", MODULE, parameters={"width": 70}, testcase="increments"
    )


def test_full_rate() -> None:
    run_bench(Incrementer(70), "incrementer", MODULE, testcase="full_rate")


@pytest.mark.parametrize(
    ("fault", "message"),
    [("drops valid", "valid dropped before"), ("changes payload", "payload changed before")],
)
def test_broken_stream_rules_fail(fault: str, message: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=message):
        run_bench(
            Incrementer(70, fault=fault),
            "broken_incrementer",
            MODULE,
            parameters={"width": 70},
            testcase="increments",
        )


def test_wrong_result_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match="16 of 16 tests failed"):
        run_bench(
            Incrementer(70), "incrementer", MODULE, parameters={"width": 64}, testcase="increments"
        )


def test_cycle_limit_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match="waits_for_ever(?s:.*)Timeout"):
        run_bench(Incrementer(70), "incrementer", MODULE, testcase="waits_for_ever")


def test_no_test_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match="no tests|without results"):
        run_bench(Incrementer(70), "incrementer", MODULE, testcase="no_such_test")


def test_runs_where_python_has_no_shared_library() -> None:
    """Debian's Python is such a one; cocotb alone would need libpython there."""
    shared = "libpython" in Path("/proc/self/maps").read_text()
    run_bench(
        Incrementer(70),
        "incrementer",
        MODULE,
        parameters={"libpythons": int(shared)},
        testcase="needs_no_libpython_of_its_own",
    )
