"""`fractrain bitstream` as a user sees it when all goes well."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fractrain.gen.bitstream import build
from fractrain.gen.bitstream.bit_file import to_bin
from fractrain.gen.bitstream.strategies import STRATEGIES
from fractrain.gen.bitstream_manifest import (
    BITSTREAM_MANIFEST_NAME,
    BitstreamManifest,
    Slack,
    Utilization,
    read_bitstream_manifest,
)
from fractrain.gen.build_hash import build_hash
from fractrain.gen.synthesis import budget
from fractrain.gen.synthesis.figures import Figures
from fractrain.gen.synthesis.kept_figures import keep_figures
from fractrain.host.cli.bitstream import FLOWS
from fractrain.host.cli.main import main
from fractrain.hw.contract.parameters import load_parameters
from tests.gen.bitstream.bit_files import bit_file
from tests.host.cli.bitstream.folders import BIN, BIT, OUT, XSA, bitstream, names_below


def test_flows_on_the_command_line_are_those_that_exist() -> None:
    assert tuple(build.FLOWS) == FLOWS


@pytest.mark.parametrize("name", ["one space", "a(b)", "it's", "a$b", "a[b]", "é", "-a"])
def test_vivado_is_not_started_where_its_scripts_break(
    name: str,
    with_vivado: Callable[..., None],
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In one line, before anything is done; the default is a folder below this one."""
    with_vivado()
    (place / name).mkdir()
    monkeypatch.chdir(place / name)
    assert bitstream() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "with Vivado, a path of letters, digits" in line and "choose a folder elsewhere" in line
    assert not list((place / name).iterdir())
    assert bitstream("--out", str(place / "bits")) == 0


def test_the_open_flow_works_in_a_folder_of_any_name(
    with_open_tools: None, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = place / '-one (odd) [folder] it\'s $HOME #1 %s & ; "q" é'
    odd.mkdir()
    monkeypatch.chdir(odd)
    assert bitstream("--flow", "openxc7") == 0
    assert (OUT / BIT).is_file()


def test_vivado_to_the_end(
    with_vivado: Callable[..., None], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_vivado()
    assert bitstream() == 0
    captured = capsys.readouterr()
    manifest = read_bitstream_manifest(OUT / BITSTREAM_MANIFEST_NAME)
    parameters = load_parameters("tiny")
    assert manifest == BitstreamManifest(
        config="tiny",
        build_hash=build_hash(parameters),
        parameters=parameters,
        clock_mhz=200.0,
        flow="vivado",
        tool="Vivado 2023.2",
        utilization=Utilization(lut=123456, ff=234567, bram36=221.5, dsp=512, memory_lut=3456),
        slack_ns=Slack(setup=0.137, hold=0.021),
        files=manifest.files,
        resources=manifest.resources,
        strategy="Performance_ExplorePostRoutePhysOpt",
    )
    assert names_below(OUT) == {each.path for each in manifest.files} | {BITSTREAM_MANIFEST_NAME}
    assert {BIT, BIN, XSA} < names_below(OUT)
    assert {"reports/drc.rpt", "reports/vivado.log", "reports/build.tcl"} < names_below(OUT)
    for entry in manifest.files:
        assert manifest.content(OUT, entry.path)
        assert f"{OUT / entry.path}  {entry.size_bytes:,} bytes" in captured.out
    assert (OUT / BIN).read_bytes() == to_bin(bit_file(), load_parameters("tiny").target, "made")
    assert "LUT 123,456 (56.5%), FF 234,567" in captured.out
    assert "BRAM36 221.5 (40.6%)" in captured.out
    assert "timing at 200 MHz: met, slack 0.137 ns (setup), 0.021 ns (hold)" in captured.out
    assert f"build hash {manifest.build_hash[:8]}, Vivado 2023.2" in captured.out
    assert [each.name for each in (place / "build").iterdir()] == ["bitstream-tiny"]


@pytest.mark.parametrize("flow", FLOWS)
def test_clock_that_is_no_whole_number(
    flow: str,
    with_vivado: Callable[..., None],
    with_open_tools: None,
    project_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From the configuration to the manifest, as the driver reads it."""
    with_vivado()
    monkeypatch.setenv("FAKE_PERIOD", "6.000")
    text = (project_root / "configs" / "tiny.yaml").read_text()
    Path("slower.yaml").write_text(text.replace("clock_mhz: 200", "clock_mhz: 166.667"))
    assert main(["bitstream", "--config", "slower.yaml", "--flow", flow, "--out", "here"]) == 0
    manifest = read_bitstream_manifest(Path("here", BITSTREAM_MANIFEST_NAME))
    assert manifest.clock_mhz == manifest.parameters.clock_mhz == 166.667
    assert "timing at 166.667 MHz: " in capsys.readouterr().out


def test_stages_are_shown_with_the_time(
    with_vivado: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with_vivado()
    bitstream()
    lines = capsys.readouterr().err.splitlines()
    assert [line[9:] for line in lines if "running" not in line] == [
        f"{stage} ..."
        for stage in (
            *("Verilog", "Vivado and its devices", "project", "block design"),
            *("generation of the block design", "synthesis", "implementation", "reports"),
            *("checks of the routed design", "bitstream", "hardware platform", "result"),
        )
    ]
    assert all(line[:7].strip().replace(":", "").isdigit() for line in lines)


def test_vivado_by_variable(
    with_vivado: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vivado()
    moved = tmp_path / "elsewhere" / "vivado-2023"
    moved.parent.mkdir()
    (tmp_path / "tools" / "vivado").rename(moved)
    monkeypatch.setenv("VIVADO", str(moved))
    assert bitstream("--out", "here") == 0
    assert Path("here", BIT).is_file()


def test_open_flow_to_the_end(with_open_tools: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert bitstream("--flow", "openxc7") == 0
    manifest = read_bitstream_manifest(OUT / BITSTREAM_MANIFEST_NAME)
    assert (manifest.flow, manifest.slack_ns) == ("openxc7", Slack(None, None))
    assert json.loads((OUT / BITSTREAM_MANIFEST_NAME).read_text())["slack_ns"]["setup"] is None
    assert {BIT, BIN, "reports/stat.json"} < names_below(OUT)
    assert XSA not in names_below(OUT)
    assert "timing at 200 MHz: no evidence that the clock is met" in capsys.readouterr().out


def test_timing_that_closes_late(
    with_vivado: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Not met after routing, met after the last optimization: a bitstream. Not met then: none."""
    late = (
        "route_design_message {CRITICAL WARNING: [Route 35-39] The design did not meet timing} "
        "route_design_status {route_design Complete, Failed Timing!}"
    )
    with_vivado(faults=f"{late} max_slack 0.004")
    assert bitstream() == 0
    assert "timing at 200 MHz: met, slack 0.004 ns (setup)" in capsys.readouterr().out
    with_vivado(faults=f"{late} max_slack -0.004")
    assert bitstream() == 1
    (error,) = [each for each in capsys.readouterr().err.splitlines() if "error" in each]
    assert "timing is not met: setup slack -0.004 ns" in error
    assert Path("build/bitstream-tiny-failed/reports/routed.dcp").is_file()


def test_attempts(with_vivado: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    with_vivado(faults="max_slack@impl_1 -0.1 max_slack@impl_2 0.002 max_slack@impl_3 0.001")
    assert bitstream() == 1
    assert bitstream("--attempts", "3") == 0
    manifest = read_bitstream_manifest(OUT / BITSTREAM_MANIFEST_NAME)
    assert manifest.strategy == STRATEGIES[1]
    assert manifest.slack_ns.setup == 0.002
    stages = [line[9:] for line in capsys.readouterr().err.splitlines()]
    assert stages.count("checks of the routed design ...") == 1 + 3


def test_what_another_attempt_has_said_does_not_matter(with_vivado: Callable[..., None]) -> None:
    """The session's log repeats it."""
    with_vivado(faults="route_design_message@impl_1 {CRITICAL WARNING: [Route 35-7] No way}")
    assert bitstream() == 1
    assert bitstream("--attempts", "2") == 0
    assert read_bitstream_manifest(OUT / BITSTREAM_MANIFEST_NAME).strategy == STRATEGIES[1]
    assert b"[Route 35-7]" in (OUT / "reports" / "vivado.log").read_bytes()


def test_what_is_used_beside_budget_and_synthesis(
    with_vivado: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of the two is known of `tiny` until somebody says so."""
    with_vivado()
    assert bitstream() == 0
    unknown = read_bitstream_manifest(OUT / BITSTREAM_MANIFEST_NAME).resources
    assert unknown["memory_lut"] == {"used": 3456, "budget": None, "synth": None}
    mapped = Figures(
        **dict(luts=120000, packed_luts=1, flip_flops=230000, dsps=512, bram36=220.5),
        **dict(memory_luts=3000, luts_per_bit_product=None, logic_levels=4, levels_after_memory=0),
        **dict(loads_per_operand_bit=16, loads_of_any_net=99, notes={}, paths=(), modules=[]),
    )
    keep_figures(load_parameters("tiny"), "top", mapped)
    monkeypatch.setattr(budget, "preset_budget", lambda config, part: {"flip_flops": 240000})
    assert bitstream() == 0
    assert read_bitstream_manifest(OUT / BITSTREAM_MANIFEST_NAME).resources == {
        "lut": {"used": 123456, "budget": None, "synth": 120000},
        "memory_lut": {"used": 3456, "budget": None, "synth": 3000},
        "ff": {"used": 234567, "budget": 240000, "synth": 230000},
        "bram36": {"used": 221.5, "budget": None, "synth": 220.5},
        "dsp": {"used": 512, "budget": None, "synth": 512},
    }


def test_far_beyond_the_budget(
    with_vivado: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with_vivado()
    for limit, code in ((213_300, 0), (213_200, 1)):
        limits = {"flip_flops": limit, "luts": 142_090, "bram36": 221.5}
        monkeypatch.setattr(budget, "preset_budget", lambda config, part, made=limits: made)
        assert bitstream() == code
    error = capsys.readouterr().err.splitlines()[-1]
    assert "more than 10% beyond the budget: 234,567 ff, budget 213,200 (a memory that" in error
    assert str(OUT.with_name("bitstream-tiny-failed")) in error


def test_what_the_user_tolerates_reaches_vivado(with_vivado: Callable[..., None]) -> None:
    message = "{synth_design_message} {CRITICAL WARNING: [Synth 8-6859] multi-driven net}"
    with_vivado(faults=message)
    assert bitstream() == 1
    assert bitstream("--tolerate", "Synth 8-6859", "--tolerate", "PSU-1") == 0


def test_hash_is_that_of_the_verilog(
    with_vivado: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sources that change while Vivado runs for hours are not in the bitstream."""
    hashes = iter([digit * 64 for digit in "abcdef"])
    monkeypatch.setattr(build, "build_hash", lambda parameters: next(hashes))
    with_vivado()
    assert bitstream() == 0
    assert read_bitstream_manifest(OUT / BITSTREAM_MANIFEST_NAME).build_hash == "a" * 64
