"""Whole steps on the cycle model, as `fractrain cost --whole-step` shows them."""

import re
from pathlib import Path

import pytest

from fractrain.host.cli.main import main
from fractrain.host.modelling.whole_steps import (
    WholeStepCost,
    mixed_blocks,
    rated_memory,
    whole_step_cost,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision
from tests.host.compiler.whole_step.test_steps import planned
from tests.host.compiler.whole_step.test_structure import graph

P = planned()
LOW, FULL = Precision(3, 3, 6), Precision(8, 8, 8)
STEP = graph("resnet8", (LOW,), batch=2)
TABLE = [FULL] + [LOW] * (len(STEP.slots) - 1)


def cost(gigabytes: float) -> WholeStepCost:
    return whole_step_cost(P, STEP, TABLE, rated_memory(P, gigabytes))


def test_parts_of_a_step() -> None:
    """They add up, none takes less than its work, and slower memory is slower."""
    found = cost(3.4)
    assert 0.9 * found.cycles < sum(each.cycles for each in found.sections) <= found.cycles
    assert sum(each.array for each in found.sections) >= found.busy_cycles
    for each in found.sections:
        assert each.cycles > 0 and min(each.array, each.lines, each.channel, each.memory) > 0
    assert sum(found.waited.values()) == pytest.approx(found.cycles, rel=0.01)
    assert found.cycles > max(found.busy_cycles, found.bytes_moved / 17)
    slow = cost(0.85)
    assert slow.cycles > 1.5 * found.cycles and slow.busy_cycles == found.busy_cycles
    assert slow.joules > found.joules > 0


def test_a_second_memory_takes_the_stash_only() -> None:
    """Weights, records and commands stay: no memory for the stash, however fast, spares the
    first one those."""
    slow, none = rated_memory(P, 0.2), rated_memory(P, 100)
    one = whole_step_cost(P, STEP, TABLE, slow)
    two = whole_step_cost(P, STEP, TABLE, slow, stash=none)
    free = whole_step_cost(P, STEP, TABLE, none)
    assert two.bytes_moved == one.bytes_moved
    assert free.cycles < two.cycles < one.cycles
    region = one.step.memory.stash_region
    for each in one.step.memory.stash.values():
        assert region.address <= each.address and each.address + each.size <= region.end
    assert one.step.program_address >= region.end


def test_the_rate_is_that_of_any_traffic() -> None:
    model = rated_memory(P, 3.4)
    assert model.bytes_per_cycle == pytest.approx(17)
    assert model.read_cost == model.write_cost == model.mixed_cost


def test_shares_of_blocks() -> None:
    text = "31.5:3,4,6+23.5:4,4,6+32.25:4,4,8+12.75:6,4,8"
    given = mixed_blocks(text, 18)
    counts = [
        given.count(Precision(*each)) for each in ((3, 4, 6), (4, 4, 6), (4, 4, 8), (6, 4, 8))
    ]
    assert counts == [6, 4, 6, 2]
    assert all(len(set(given[first : first + 6])) >= 3 for first in (0, 6, 12)), "in every stage"
    assert mixed_blocks("100:4,4,6", 2) == [Precision(4, 4, 6)] * 2
    for wrong in ("50:4,4,6+20:8,8,8", "x:4,4,6", "100:4,4", "100"):
        with pytest.raises(ParameterError, match="--mix"):
            mixed_blocks(wrong, 3)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path / "build"))
    page = tmp_path / "page.md"
    base = ["cost", "--whole-step", "--networks", "resnet8"]
    assert (
        main([*base, "--batch", "1", "--mix", "100:3,3,6", "--rate", "3.4", "--out", str(page)])
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    row = re.split(r"\s{2,}", next(each for each in lines if each.startswith("resnet8  ")))
    assert row[:4] == ["resnet8", "100:3,3,6", "3.4 GB/s", "1"] and row[-1].endswith("s")
    assert any(each.startswith("waited for: ") for each in lines)
    assert (
        "cost --whole-step --config zc706-vector" in page.read_text()
        and "--mix 100:3,3,6" in page.read_text()
    )
    assert main(["cost", "--rate", "3.4"]) != 0
    assert "with --whole-step only" in capsys.readouterr().err
    assert main(["cost", "--whole-step", "--config", "zc706", "--networks", "resnet8"]) != 0
    assert "no vector unit" in capsys.readouterr().err
