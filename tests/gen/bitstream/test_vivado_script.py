"""The batch Tcl under tclsh, carried out to its end by the scripted Vivado."""

import dataclasses
import os
import re
import subprocess
from pathlib import Path

import pytest

from fractrain.gen.bitstream.strategies import STRATEGIES
from fractrain.gen.bitstream.vivado import REPORTS
from fractrain.gen.bitstream.vivado_script import PARTS, vivado_script
from fractrain.hw.contract.parameters import load_parameters
from tests.gen.bitstream.fake_tools import SCRIPTED_VIVADO
from tests.gen.bitstream.vivado_runs import STAGES, Build, with_ports


@pytest.mark.parametrize("ports", [1, 2, 3, 4])
def test_to_the_end(ports: int, build: Build) -> None:
    run = build(with_ports(ports))
    assert run.code == 0, run.errors
    assert [line[16:] for line in run.lines if line.startswith("FRACTRAIN STAGE ")] == STAGES
    assert run.lines[-1] == "FRACTRAIN DONE"
    assert {file.name for file in (run.folder / "outputs").iterdir()} == {
        "fractrain_zc706.bit",
        "fractrain_zc706.xsa",
    }
    assert (run.folder / "outputs" / "fractrain_zc706.bit").read_bytes() != b"stale"
    assert {file.stem for file in (run.folder / "reports").iterdir()} == set(REPORTS)
    assert (run.folder / "result.txt").read_text().splitlines() == [
        "format fractrain-vivado-result/1",
        "vivado 2023.2",
        "run impl_1",
        "strategy Performance_ExplorePostRoutePhysOpt",
        "clock_mhz 200.000000",
        "setup_slack_ns 0.137",
        "hold_slack_ns 0.021",
        "lut 123456",
        "memory_lut 3456",
        "ff 234567",
        "bram36 221.5",
        "dsp 512",
        "end",
    ]


def test_what_the_block_design_is_made_of(build: Build) -> None:
    """Settings, connections and addresses, as the driver and the device tree count on them."""
    run = build(with_ports(2))
    calls = [" ".join(call) for call in run.calls()]
    settings = next(call for call in calls if "PCW_USE_M_AXI_GP0" in call)
    preset = next(call for call in calls if "CONFIG.preset ZC706" in call)
    assert calls.index(preset) < calls.index(settings)
    for name, value in (
        ("PCW_FPGA0_PERIPHERAL_FREQMHZ", "200"),
        ("PCW_IRQ_F2P_MODE", "DIRECT"),
        ("PCW_USE_S_AXI_HP1", "1"),
        ("PCW_S_AXI_HP1_DATA_WIDTH", "64"),
        ("PCW_USE_S_AXI_HP2", "0"),
        ("PCW_USE_S_AXI_HP3", "0"),
    ):
        assert f"CONFIG.{name} {value}" in settings
    assert "PCW_S_AXI_HP2_DATA_WIDTH" not in settings
    assert [call for call in calls if call.startswith("create_bd_cell")] == [
        "create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 ps7",
        "create_bd_cell -type module -reference fractrain_zynq accelerator",
        "create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 reset",
    ]
    assert [call for call in calls if call.startswith("connect_")] == [
        "connect_bd_net ps7/FCLK_RESET0_N reset/ext_reset_in",
        "connect_bd_net reset/peripheral_aresetn accelerator/aresetn",
        "connect_bd_intf_net ps7/M_AXI_GP0 accelerator/s_axi_gp0",
        "connect_bd_intf_net accelerator/m_axi_hp0 ps7/S_AXI_HP0",
        "connect_bd_intf_net accelerator/m_axi_hp1 ps7/S_AXI_HP1",
        "connect_bd_net ps7/FCLK_CLK0 ps7/M_AXI_GP0_ACLK accelerator/aclk reset/slowest_sync_clk "
        "ps7/S_AXI_HP0_ACLK ps7/S_AXI_HP1_ACLK",
        "connect_bd_net accelerator/interrupt ps7/IRQ_F2P",
    ]
    assert [call for call in calls if call.startswith("assign_bd_address")] == [
        "assign_bd_address -offset 0x40000000 -range 0x40000000 -target_address_space ps7/Data "
        "accelerator/s_axi_gp0/reg0",
        *(
            "assign_bd_address -offset 0x00000000 -range 0x40000000 -target_address_space "
            f"accelerator/m_axi_hp{port} ps7/S_AXI_HP{port}/HP{port}_DDR_LOWOCM"
            for port in range(2)
        ),
    ]


def test_clock_that_is_no_whole_number(build: Build) -> None:
    """Asked for to the kHz; Vivado says more exactly what it makes of it."""
    slower = dataclasses.replace(load_parameters("tiny"), clock_mhz=142.857)
    run = build(slower, faults={"actual_mhz": "142.857132", "period": "7.000"})
    assert run.code == 0, run.lines
    settings = next(call for call in run.calls() if "CONFIG.PCW_USE_M_AXI_GP0" in " ".join(call))
    asked = settings.index("CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ") + 1
    assert settings[asked].rstrip("}") == "142.857"
    assert "clock_mhz 142.857132" in (run.folder / "result.txt").read_text()


def test_checks_come_before_the_bitstream(build: Build) -> None:
    names = [call[0] for call in build().calls()]
    bitstream = len(names) - names[::-1].index("launch_runs")
    for check in ("get_timing_paths", "check_timing", "report_route_status", "report_drc"):
        assert names.index(check) < bitstream


def test_post_route_optimization_is_on_whatever_the_strategy(build: Build) -> None:
    """A strategy sets all steps, so it comes first."""
    calls = [" ".join(call) for call in build(attempts=2).calls()]
    for run, strategy in enumerate(STRATEGIES[:2], start=1):
        chosen = calls.index(f"set_property strategy {strategy} impl_{run}")
        step = "STEPS.POST_ROUTE_PHYS_OPT_DESIGN.IS_ENABLED true"
        assert chosen < calls.index(f"set_property {step} impl_{run}")
    assert "set_property strategy Flow_PerfOptimized_high synth_1" in calls


def test_from_another_folder(build: Build, tmp_path: Path) -> None:
    """Whoever runs it by hand may stand anywhere; it works in the folder of the script."""
    run = build()
    result = subprocess.run(
        ["tclsh", str(SCRIPTED_VIVADO), str(run.folder / "build.tcl")],
        cwd=tmp_path,
        env=os.environ | {"SCRIPTED_VIVADO_FILES": str(tmp_path / "made")},
        capture_output=True,
        timeout=60,
    )
    assert result.returncode == 0
    assert (run.folder / "result.txt").exists()


def test_by_hand_in_a_folder_that_vivado_does_not_take(build: Build, tmp_path: Path) -> None:
    folder = build().folder.rename(tmp_path / "one space")
    result = subprocess.run(
        ["tclsh", str(SCRIPTED_VIVADO), "build.tcl"],
        cwd=folder,
        env=os.environ | {"SCRIPTED_VIVADO_FILES": str(tmp_path / "made")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert "FRACTRAIN FAILED start: the path" in result.stdout
    assert not (folder / "result.txt").exists()


# -- the script itself -------------------------------------------------------------------------


def test_no_command_that_old_vivados_lack() -> None:
    """Vivado's Tcl is 8.5 in many versions: nothing of 8.6."""
    text = vivado_script(load_parameters("zc706"), ["a.v"], jobs=1)
    assert not re.search(r"\b(try|throw|lmap|tailcall|coroutine|dict map|string cat)\b\s", text)


def test_script_names_no_place_and_no_date() -> None:
    text = vivado_script(load_parameters("zc706"), ["a.v"], jobs=1)
    assert text == vivado_script(load_parameters("zc706"), ["a.v"], jobs=1)
    assert os.getcwd() not in text
    assert len(PARTS) == len(set(PARTS))


def test_the_scripted_vivado_is_strict(tmp_path: Path) -> None:
    """It refuses what it does not know, or the tests above would prove little."""
    for line, says in {
        "create_bd_cel -type ip x": "there is no command create_bd_cel",
        "launch_runs synth_1 -job 3": "launch_runs has no option -job",
        "set_property STEPS.X true [get_runs impl_1]": "impl_1 has no property STEPS.X",
        "set_property -dict {CONFIG.PCW_USE_HP0 1} /ps7": "/ps7 has no property CONFIG.PCW_USE_HP0",
        "set_property top 7x sources_1": "top of sources_1 cannot be 7x",
        "get_runs impl_2": "no run impl_2",
        "set_property strategy Fast [get_runs impl_1]": "impl_1 has no strategy Fast",
        "create_run impl_2 -parent_run synth_1 -flow x": "create_run -parent_run synth_1 -flow x",
    }.items():
        (tmp_path / "a.tcl").write_text(f"if {{[catch {{{line}}} m]}} {{puts $m}}\n")
        result = subprocess.run(
            ["tclsh", str(SCRIPTED_VIVADO), "a.tcl"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 99, line
        assert says in result.stderr
