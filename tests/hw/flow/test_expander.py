"""Expander: every item as often as it says, under all stalls and without gaps."""

from tests.harness import run_bench
from tests.hw.flow.expander_layout import make_expander


def test_expander() -> None:
    run_bench(make_expander(), "expander", "tests.hw.flow.bench_expander")
