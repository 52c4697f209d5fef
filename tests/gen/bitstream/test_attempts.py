"""Several implementations of one synthesis: which of them becomes the bitstream."""

import pytest

from fractrain.gen.bitstream.strategies import STRATEGIES
from fractrain.host.cli.bitstream import ATTEMPTS
from tests.gen.bitstream.vivado_runs import Build, Run


def chosen(run: Run) -> str:
    """The run that was published; its reports and its strategy are the published ones."""
    lines = (run.folder / "result.txt").read_text().splitlines()
    result = dict(line.split(" ", 1) for line in lines if " " in line)
    name, number = result["run"], int(result["run"].removeprefix("impl_"))
    assert result["strategy"] == STRATEGIES[number - 1]
    summary = (run.folder / "reports" / "timing_summary.rpt").read_text()
    assert summary.startswith(f"Timing Summary of {name}\n")
    launched = [" ".join(call) for call in run.calls() if call[0] == "launch_runs"]
    assert launched[-1] == f"launch_runs {name} -to_step write_bitstream -jobs 3"
    return name


def test_all_run_at_a_time_and_the_one_with_most_slack_is_taken(build: Build) -> None:
    run = build(
        attempts=3,
        faults={"max_slack@impl_1": "0.01", "max_slack@impl_2": "0.2", "max_slack@impl_3": "0.1"},
    )
    assert run.code == 0, run.lines
    assert chosen(run) == "impl_2"
    assert "setup_slack_ns 0.2" in (run.folder / "result.txt").read_text()
    launches = [" ".join(call) for call in run.calls() if call[0] == "launch_runs"]
    assert launches[1] == "launch_runs {impl_1 impl_2 impl_3} -jobs 3"


@pytest.mark.parametrize(
    "worse",
    [
        {"max_slack@impl_1": "-0.1"},
        {"min_slack@impl_1": "-0.1", "max_slack@impl_1": "0.9"},
        {"route_design_progress@impl_1": "40%", "route_design_status@impl_1": "route_design ERROR"},
        {"route_design_message@impl_1": "CRITICAL WARNING: [Route 35-7] Unroutable pins"},
    ],
)
def test_one_that_fails_ends_nothing(worse: dict[str, str], build: Build) -> None:
    """However much slack it has, and whatever its log says."""
    run = build(attempts=2, faults=worse)
    assert run.code == 0, run.lines
    assert chosen(run) == "impl_2"


def test_where_none_passes_the_best_says_why(build: Build) -> None:
    """Its reports and its routed design are those that stay in reports/, the others' beside it."""
    run = build(
        attempts=3,
        faults={
            "max_slack@impl_1": "-0.3",
            "max_slack@impl_2": "-0.1",
            "route_design_progress@impl_3": "40%",
        },
    )
    assert run.code == 1
    assert run.failure == (
        "checks of the routed design: timing is not met: setup slack -0.1 ns "
        "(impl_2, the best of 3)"
    )
    assert run.leaves_nothing_to_load()
    summary = (run.folder / "reports" / "timing_summary.rpt").read_text()
    assert summary.startswith("Timing Summary of impl_2\n")
    assert (run.folder / "reports" / "routed.dcp").is_file()
    assert (run.folder / "attempts" / "impl_1" / "routed.dcp").is_file()
    assert not list((run.folder / "attempts" / "impl_3").iterdir())


def test_as_many_as_there_are_strategies() -> None:
    assert len(set(STRATEGIES)) == len(STRATEGIES) > 3
    assert (ATTEMPTS.low, ATTEMPTS.high) == (1, len(STRATEGIES))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "set_property strategy $strategy [get_runs $run]",
            "impl_1 is launched without a strategy",
        ),
        ("set_property strategy Flow_PerfOptimized_high [get_runs synth_1]", "synth_1 is launched"),
        ("    if {$opened} {\n        close_design\n    }", "open_run impl_2 while impl_1 is open"),
        ("current_run [get_runs $::chosen_run]", "no bitstream in the implementation run"),
    ],
)
def test_a_line_that_is_missing_is_noticed(line: str, says: str, build: Build) -> None:
    """Where the second of two attempts is the one that is taken."""
    faults = {"max_slack@impl_1": "-0.2"}
    run = build(attempts=2, faults=faults, instead={line: ""})
    assert run.code != 0
    assert says in "\n".join([*run.lines, run.errors])
