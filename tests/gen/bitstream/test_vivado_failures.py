"""The batch Tcl under tclsh: every command made to fail, every check made not to pass."""

import pytest

from fractrain.gen.bitstream.constraints import VIVADO
from fractrain.gen.bitstream.vivado import REPORTS
from tests.gen.bitstream.vivado_runs import STAGES, Build

CALLED = (
    *("version", "set_param", "get_parts", "create_project", "current_project", "add_files"),
    *("get_files", "set_property", "update_compile_order", "create_bd_design", "create_bd_cell"),
    *("apply_bd_automation", "get_bd_intf_pins", "connect_bd_intf_net", "get_bd_pins"),
    *("connect_bd_net", "get_bd_addr_spaces", "get_bd_addr_segs", "assign_bd_address"),
    *("validate_bd_design", "save_bd_design", "get_bd_cells", "get_property", "generate_target"),
    *("make_wrapper", "get_filesets", "launch_runs", "wait_on_run", "get_runs", "open_run"),
    *("report_timing_summary", "report_utilization", "report_route_status", "report_drc"),
    *("report_methodology", "report_cdc", "report_clock_utilization", "report_power"),
    *("get_timing_paths", "get_clocks", "check_timing", "close_design", "write_hw_platform"),
    *("current_design", "get_ports", "current_run", "create_run"),
)
# Called where another has failed already: the first reason stays.
AFTER_A_FAILURE = ("write_checkpoint",)
SEVERAL = ("create_run",)
"""Called for several attempts only."""


def test_every_command_that_is_called_is_made_to_fail(build: Build) -> None:
    run = build(faults={"max_slack@impl_2": "-1"}, attempts=2)
    assert {call[0] for call in run.calls()} == {*CALLED, *AFTER_A_FAILURE}


@pytest.mark.parametrize("command", CALLED)
def test_command_fails(command: str, build: Build) -> None:
    attempts = 2 if command in SEVERAL else 1
    run = build(faults={f"fail:{command}": "no such luck"}, attempts=attempts)
    assert run.code == 1, run.errors
    assert command in run.failure
    assert run.failure.partition(": ")[0] in STAGES
    assert run.leaves_nothing_to_load()


ROUTED = "checks of the routed design"
FAULTS: dict[str, tuple[dict[str, str], str, str]] = {
    # what goes wrong: the fault, the stage that says so, what it says
    "old": ({"version": "2019.2"}, STAGES[0], "this is Vivado 2019.2; 2020.1 or newer"),
    "patched": ({"version": "2019.2.1_AR7"}, STAGES[0], "this is Vivado 2019.2.1_AR7"),
    "part": ({"no_part": "1"}, STAGES[0], "this Vivado has no xc7z045ffg900-2"),
    "fclk": ({"actual_mhz": "198.0"}, "block design", "FCLK_CLK0 would be 198.0 MHz, asked"),
    "fclk unknown": ({"actual_mhz": ""}, "block design", "does not say what FCLK_CLK0 will be"),
    "segments": ({"no_segments": "1"}, "block design", "no address segment accelerator/s_axi_gp0"),
    "validation": (
        {"validate_message": "CRITICAL WARNING: [BD 41-1356] slave segment is not assigned"},
        "generation of the block design",
        "[BD 41-1356] slave segment is not assigned",
    ),
    "licence": (
        {
            "synth_design_progress": "0%",
            "synth_design_status": "synth_design ERROR",
            "synth_design_message": "ERROR: [Common 17-345] A valid license was not found",
        },
        "synthesis",
        "this Vivado has no licence for the XC7Z045, which its free edition does not cover; ERROR: "
        "[Common 17-345] A valid license",
    ),
    "licence, where a run that fails is an error of wait_on_run": (
        {
            "synth_design_progress": "0%",
            "synth_design_message": "ERROR: [Common 17-345] A valid license was not found",
            "failed_runs_raise": "1",
        },
        "synthesis",
        "this Vivado has no licence for the XC7Z045, which its free edition does not cover; ERROR: "
        "[Common 17-345] A valid license",
    ),
    "a run that fails without a word": (
        {"route_design_progress": "40%", "failed_runs_raise": "1"},
        "implementation",
        "[Common 17-39] 'wait_on_runs' failed due to earlier errors",
    ),
    "memory in registers": (
        {"synth_design_message": "WARNING: [Synth 8-4767] Trying to implement RAM in registers"},
        "synthesis",
        "a warning that matters: WARNING: [Synth 8-4767] Trying to implement RAM in registers",
    ),
    "memory of another style": (
        {"synth_design_message": "WARNING: [Synth 8-3391] Unable to infer a block/distributed RAM"},
        "synthesis",
        "a warning that matters: WARNING: [Synth 8-3391] Unable to infer",
    ),
    "synthesis status": (
        {"synth_design_status": "synth_design ERROR"},
        "synthesis",
        "synth_1 ended at 100%: synth_design ERROR",
    ),
    **{
        f"progress of {step}": (
            {f"{step}_progress": "0%"},
            stage,
            f"{run} ended at 0%: {step} Complete!",
        )
        for step, stage, run in (
            ("synth_design", "synthesis", "synth_1"),
            ("route_design", "implementation", "impl_1"),
            ("write_bitstream", "bitstream", "impl_1"),
        )
    },
    "multi-driven": (
        {"synth_design_message": "CRITICAL WARNING: [Synth 8-6859] multi-driven net on pin q"},
        "synthesis",
        "CRITICAL WARNING: [Synth 8-6859] multi-driven net",
    ),
    "latch": (
        {"synth_design_message": "WARNING: [Synth 8-327] inferring latch for variable 'state'"},
        "synthesis",
        "a warning that matters: WARNING: [Synth 8-327] inferring latch",
    ),
    "implementation": (
        {"route_design_progress": "62%", "route_design_status": "route_design ERROR"},
        "implementation",
        "impl_1 ended at 62%: route_design ERROR; see ",
    ),
    "constraint": (
        {
            "route_design_message": "WARNING: [Vivado 12-508] No pins matched 'x'. "
            "[/somewhere/vivado.xdc:13]"
        },
        ROUTED,
        "a warning that matters: WARNING: [Vivado 12-508]",
    ),
    "implementation warning": (
        {"route_design_message": "CRITICAL WARNING: [Route 35-7] Design has unroutable pins"},
        ROUTED,
        "[Route 35-7]",
    ),
    "no memory LUTs": ({"utilization": "| Slice LUTs | 1 |"}, "reports", "how many LUT as Memory"),
    "setup": ({"max_slack": "-0.001"}, ROUTED, "timing is not met: setup slack -0.001 ns"),
    "hold": ({"min_slack": "-0.25"}, ROUTED, "timing is not met: hold slack -0.25 ns"),
    "no slack": ({"max_slack": ""}, ROUTED, "the worst path (max) has no slack"),
    "nothing timed": ({"no_paths": "1"}, ROUTED, "no path was timed (max)"),
    "violated": ({"timing_path": "Slack (VIOLATED) : -0.2ns"}, ROUTED, "a VIOLATED path"),
    "pulse width": (
        {"timing_verdict": "Timing constraints are not met."},
        ROUTED,
        "does not say that all constraints are met",
    ),
    "no clock": ({"clocks": ""}, ROUTED, "the design has no clock clk_fpga_0"),
    "period": ({"period": "20.000"}, ROUTED, "constrained to 20.000 ns, 5.0 ns are wanted"),
    "check_timing without counts": (
        {"check_timing": "1. checking no_clock\n-----\n2. checking loops\n There are no loops"},
        ROUTED,
        "check_timing says nothing about no_clock",
    ),
    "check_timing": ({"check_timing": "?"}, ROUTED, "check_timing says nothing about no_clock"),
    "route errors": ({"route_errors": "2"}, ROUTED, "2 nets have routing errors"),
    "unrouted": ({"routed": "1999"}, ROUTED, "1999 of 2000 nets are routed"),
    "route status": ({"route_status": "?"}, ROUTED, "does not say how many routable nets"),
    "drc": (
        {"drc_row": "| NSTD-1 | Critical Warning | Unspecified I/O Standard | 3 |"},
        ROUTED,
        "NSTD-1 is violated (Critical Warning); see reports/drc.rpt",
    ),
    "drc error": ({"drc_row": "| UCIO-1 | Error | x | 1 |"}, ROUTED, "UCIO-1 is violated (Error)"),
    "methodology": (
        {"methodology_row": "| TIMING-17 | Critical Warning | Non-clocked cell | 4 |"},
        ROUTED,
        "TIMING-17 is violated (Critical Warning); see reports/methodology.rpt",
    ),
    "utilization": ({"utilization": "?"}, "reports", "how many Slice LUTs are used"),
    "bitstream": (
        {
            "write_bitstream_progress": "0%",
            "write_bitstream_status": "write_bitstream ERROR",
            "write_bitstream_message": "ERROR: [DRC NSTD-1] Unspecified I/O Standard",
        },
        "bitstream",
        "write_bitstream ERROR; ERROR: [DRC NSTD-1]",
    ),
    "no bitstream": ({"no_bit": "1"}, "bitstream", "write_bitstream left no system_wrapper.bit"),
    "bitstream warning": (
        {"write_bitstream_message": "CRITICAL WARNING: [Bitstream 40-1] x"},
        "result",
        "[Bitstream 40-1]",
    ),
    "no platform": ({"no_xsa": "1"}, "hardware platform", "write_hw_platform left no outputs/"),
    **{
        f"{kind}{', counts below the headings' if old else ''}": (
            {f"check:{kind}": "7", "own_ports": "led"} | ({"old_check_timing": "1"} if old else {}),
            ROUTED,
            f"check_timing: {kind} at 7 places",
        )
        for kind in (
            *("no_clock", "constant_clock", "pulse_width_clock", "multiple_clock", "loops"),
            *("unconstrained_internal_endpoints", "generated_clocks", "latch_loops"),
            *("no_input_delay", "no_output_delay", "partial_input_delay", "partial_output_delay"),
        )
        for old in (False, True)
    },
}


@pytest.mark.parametrize("name", FAULTS)
def test_failure(name: str, build: Build) -> None:
    faults, stage, says = FAULTS[name]
    run = build(faults=faults)
    assert run.code == 1, run.errors
    assert run.failure.startswith(f"{stage}: ")
    assert says in run.failure
    assert run.leaves_nothing_to_load()


RESET = "connect_pins reset/peripheral_aresetn accelerator/aresetn"
CLOCKED = "accelerator/aclk reset/slowest_sync_clk]"
MISTAKES: dict[str, tuple[dict[str, str], str]] = {
    # what the script says wrongly: the text and what stands there instead, what ends the build
    "reset without a clock": (
        {RESET: "connect_pins ps7/FCLK_RESET0_N accelerator/aresetn"},
        "[BD 41-1347] Reset pin /accelerator/aresetn (associated clock /accelerator/aclk) is "
        "connected to asynchronous reset source /ps7/FCLK_RESET0_N",
    ),
    "no reset": ({RESET: ""}, "accelerator/aresetn is not connected"),
    "reset block without a clock": (
        {CLOCKED: "accelerator/aclk]"},
        "reset/slowest_sync_clk has no clock",
    ),
    "nothing resets": (
        {"connect_pins ps7/FCLK_RESET0_N reset/ext_reset_in": ""},
        "[BD 41-759] The input pin reset/ext_reset_in is not connected",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_in_the_block_design(name: str, build: Build) -> None:
    """The build ends at the validation that Vivado makes; its own messages are enough for it."""
    instead, says = MISTAKES[name]
    run = build(instead=instead)
    assert run.code == 1, run.errors
    assert says in run.failure
    assert run.leaves_nothing_to_load()


@pytest.mark.parametrize("without", ["fractrain_accelerator.v", "fractrain_zynq.v", VIVADO])
def test_missing_file(without: str, build: Build) -> None:
    run = build(without=without)
    assert run.code == 1
    assert run.failure == f"project: {without} is missing in the folder of build.tcl"
    assert run.leaves_nothing_to_load()


@pytest.mark.parametrize("command", ["create_project", "wait_on_run", "write_hw_platform"])
def test_vivado_killed(command: str, build: Build) -> None:
    """Whatever is there then has no result beside it, and the exit code is no success."""
    run = build(faults={f"kill:{command}": "1"})
    assert run.code != 0
    assert not (run.folder / "result.txt").exists()


LATE = (
    "CRITICAL WARNING: [Route 35-39] The design did not meet timing requirements.\n"
    "CRITICAL WARNING: [Timing 38-282] The design failed to meet the timing requirements."
)


def test_timing_that_the_last_step_mends(build: Build) -> None:
    """Said in the middle of the run, by what was not the end of it."""
    run = build(faults={"route_design_message": LATE})
    assert run.code == 0, run.lines
    assert "setup_slack_ns 0.137" in (run.folder / "result.txt").read_text()


def test_reports_of_a_design_that_misses_timing_stay(build: Build) -> None:
    """With the routed design. Vivado says so of the run, too; the slack is the reason given."""
    run = build(
        faults={
            "route_design_status": "route_design Complete, Failed Timing!",
            "route_design_message": LATE,
            "max_slack": "-1.5",
        }
    )
    assert run.failure == f"{ROUTED}: timing is not met: setup slack -1.5 ns"
    assert {file.name for file in (run.folder / "reports").iterdir()} == {
        "routed.dcp",
        *(f"{name}.rpt" for name in REPORTS),
    }
    assert run.leaves_nothing_to_load()


def test_a_checkpoint_that_cannot_be_written_changes_no_reason(build: Build) -> None:
    run = build(faults={"fail:write_checkpoint": "disk full", "max_slack": "-1.5"})
    assert run.failure == f"{ROUTED}: timing is not met: setup slack -1.5 ns"


@pytest.mark.parametrize("kind", ["no_input_delay", "no_output_delay", "partial_input_delay"])
def test_delays_at_pads_of_the_processing_system_do_not_matter(kind: str, build: Build) -> None:
    run = build(faults={f"check:{kind}": "130"})
    assert run.code == 0, run.lines


def test_counts_below_the_headings_of_check_timing(build: Build) -> None:
    """As older Vivados have them; all are 0."""
    run = build(faults={"old_check_timing": "1"})
    assert run.code == 0, run.lines


@pytest.mark.parametrize(
    "message",
    [
        "CRITICAL WARNING: [Common 17-741] No write access right to the local Tcl store",
        "WARNING: [Vivado 12-508] No pins matched 'x'. [/ip/system_ps7_0_0.xdc:13]",
        "WARNING: [Synth 8-3331] design has unconnected port",
        "INFO: [Synth 8-327] nothing",
    ],
)
def test_messages_that_do_not_matter(message: str, build: Build) -> None:
    run = build(faults={"synth_design_message": message})
    assert run.code == 0, run.lines


def test_what_the_user_tolerates(build: Build) -> None:
    run = build(
        faults={
            "synth_design_message": "CRITICAL WARNING: [Synth 8-6859] multi-driven net",
            "methodology_row": "| TIMING-17 | Critical Warning | Non-clocked cell | 4 |",
        },
        tolerated=("Synth 8-6859", "TIMING-17"),
    )
    assert run.code == 0, run.lines
