"""Whole steps of a trace: exact where all blocks have the same bits, near where they do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fractrain.host.cli.main import main
from fractrain.host.compiler.whole_step import DoesNotFit
from fractrain.host.graph.choice import SKIP
from fractrain.host.machines import whole_steps
from fractrain.host.machines.mixes import read_mix
from fractrain.host.machines.trace import EIGHT, Stretch, Trace
from fractrain.host.machines.whole_steps import WholeStepMachine, applied, savings
from fractrain.host.modelling.tables.case import Case
from fractrain.host.modelling.whole_steps import WholeStepCost, rated_memory, whole_step_cost
from fractrain.host.networks.registry import build_network
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.host.runs import whole_steps as of_runs
from fractrain.hw.contract.errors import DataError
from fractrain.hw.contract.precision import Precision

LOW, MIDDLE = Precision(3, 3, 6), Precision(4, 4, 6)
IMAGES = 3, 16, 16


def trace(*bits: Precision, model: str = "resnet8") -> Trace:
    return Trace("given", model, IMAGES, 2, (Stretch(10, bits),))


def exactly(machine: WholeStepMachine, *bits: Precision) -> WholeStepCost:
    """The program of that very step."""
    network = build_network("resnet8", channels=3, classes=10, rng=generator(0, Stream.WEIGHTS))
    blocks = "+".join(f"{each.activation},{each.weight},{each.error}" for each in bits)
    case = Case(network, (2, *IMAGES), blocks, "port")
    memory = rated_memory(machine.parameters, 3.4)
    return whole_step_cost(machine.parameters, case.step, case.step.table(case.choices), memory)


@pytest.fixture
def machine(tmp_path: Path) -> WholeStepMachine:
    return WholeStepMachine(gigabytes=3.4, folder=tmp_path)


def test_blocks_with_the_same_bits(machine: WholeStepMachine) -> None:
    found, cost = machine.trace(trace(LOW, LOW, LOW)), exactly(machine, LOW, LOW, LOW)
    assert found.seconds == pytest.approx(10 * cost.seconds)
    assert found.joules == pytest.approx(10 * cost.joules)
    assert found.busy == pytest.approx(cost.busy_cycles / cost.cycles)


@pytest.mark.parametrize("bits", [(LOW, EIGHT, MIDDLE), (EIGHT, LOW, LOW)])
def test_blocks_with_different_bits(bits: tuple[Precision, ...], machine: WholeStepMachine) -> None:
    found, cost = machine.trace(trace(*bits)), exactly(machine, *bits)
    assert found.seconds == pytest.approx(10 * cost.seconds, rel=0.05)
    assert found.busy == pytest.approx(cost.busy_cycles / cost.cycles, rel=0.05)


def test_a_skipped_block_takes_less(machine: WholeStepMachine) -> None:
    found, cost = machine.trace(trace(SKIP, LOW, LOW)), exactly(machine, SKIP, LOW, LOW)
    assert found.seconds == pytest.approx(10 * cost.seconds, rel=0.03)
    assert found.seconds < machine.trace(trace(LOW, LOW, LOW)).seconds


def test_steps_add_up(machine: WholeStepMachine) -> None:
    """And what was modelled once is read again."""
    both = replace(
        trace(LOW, LOW, LOW), stretches=(Stretch(3, (LOW,) * 3), Stretch(1, (EIGHT,) * 3))
    )
    alone = [machine.trace(trace(each, each, each)).seconds / 10 for each in (LOW, EIGHT)]
    (file,) = machine._file.parent.iterdir()
    again = WholeStepMachine(gigabytes=3.4, folder=file.parent)
    whole_step_cost, whole_steps.whole_step_cost = whole_steps.whole_step_cost, None  # type: ignore[assignment]
    try:
        assert again.trace(both).seconds == pytest.approx(3 * alone[0] + alone[1])
    finally:
        whole_steps.whole_step_cost = whole_step_cost


def test_another_network_has_the_same_shares() -> None:
    found = applied(trace(LOW, LOW, EIGHT), "resnet14")
    assert found.model == "resnet14" and found.steps == pytest.approx(10)
    for counter in found.usage:
        assert counter[LOW] == pytest.approx(20 / 3) and counter[EIGHT] == pytest.approx(10 / 3)


def test_what_is_saved(machine: WholeStepMachine) -> None:
    rows = {row[0]: row[1:] for row in savings(trace(LOW, LOW, LOW), machine)}
    low, high = (machine.trace(trace(each, each, each)) for each in (LOW, EIGHT))
    saved = 1 - low.seconds / high.seconds
    assert rows["ZC706-VECTOR latency, modelled"][2] == f"{100 * saved:.1f} %"
    given = trace(LOW, LOW, LOW)
    macs = 1 - given.effective_macs / given.at(EIGHT).effective_macs
    assert rows["time saved over MACs saved"] == (f"{saved / macs:.2f}", "", f"{100 * macs:.1f} %")
    assert "time saved over MACs saved" not in {
        row[0] for row in savings(trace(EIGHT, EIGHT, EIGHT), machine)
    }


def test_a_network_without_room(machine: WholeStepMachine) -> None:
    with pytest.raises(DoesNotFit):
        machine.trace(replace(read_mix("resnet8/1:4,4,6"), images=(3, 256, 256)))


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path / "build"))
    page, mix = tmp_path / "page.md", "resnet8/1:4,4,6*0.5+8,8,8*0.5"
    command = ["cost", "--whole-step", "--of", mix, "--rate", "3.4"]
    assert main([*command, "--out", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "time saved over MACs saved" in printed and "1 steps of 1 images" in printed
    assert f"--of '{mix}' --rate 3.4" in page.read_text()
    assert main([*command, "--batch", "64"]) == 2
    assert "--batch" in capsys.readouterr().err
    assert main([*command, "--mix", "100:4,4,6"]) == 2
    assert "--mix" in capsys.readouterr().err
    assert main(["cost", "--of", mix]) == 2
    assert "with --whole-step only" in capsys.readouterr().err
    assert main(["cost", "--whole-step", "--config", "zc706", "--of", mix]) == 2
    assert "no vector unit" in capsys.readouterr().err


def test_the_table_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long runs in hardware mode have one; whatever is in its way is a line."""
    given = trace(LOW, LOW, LOW)
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(of_runs, "read_run", lambda path: path)
    monkeypatch.setattr(of_runs, "trace_of_run", lambda run: given)
    assert not of_runs.whole_steps(tmp_path, "float", 1000)
    assert not of_runs.whole_steps(tmp_path, "hardware", of_runs.LEAST_STEPS - 1)
    table = of_runs.whole_steps(tmp_path, "hardware", of_runs.LEAST_STEPS)
    assert "ZC706-VECTOR latency, modelled" in table

    def no_log(run: object) -> Trace:
        raise DataError("its log has not the bits of every step")

    monkeypatch.setattr(of_runs, "trace_of_run", no_log)
    assert "not modelled: its log" in of_runs.whole_steps(tmp_path, "hardware", 1000)
    given = replace(given, images=(3, 256, 256))
    monkeypatch.setattr(of_runs, "trace_of_run", lambda run: given)
    assert "no whole steps on zc706-vector" in of_runs.whole_steps(tmp_path, "hardware", 1000)
