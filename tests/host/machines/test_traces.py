"""Traces: from logs, from summaries, from files, from mixes; and what they cost on machines."""

import json
from pathlib import Path

import numpy as np
import pytest

from fractrain.host.graph.choice import fixed_choices
from fractrain.host.graph.effective_macs import EffectiveMacs
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import build_step
from fractrain.host.machines import mixes
from fractrain.host.machines.costs import trace_cost
from fractrain.host.machines.network_layers import blocks_of, layers_of
from fractrain.host.machines.run_traces import images_of, step_macs, trace_of_run
from fractrain.host.machines.sources import load_trace, load_traces
from fractrain.host.machines.trace import CIFAR, EIGHT, Stretch, Trace
from fractrain.host.machines.trace_files import read_trace, write_trace
from fractrain.host.modelling import StepModel
from fractrain.host.networks.registry import build_network
from fractrain.host.reports.run import read_run
from fractrain.hw.contract.errors import DataError, ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.sim.machines import RECURSIVE_DSP, BitFusion, Eyeriss, Work
from tests.host.machines.runs import MIXED, SMALL, small_trace, write_small_run

FOUR = Precision(4, 4, 6)


def effective_macs(model: str, images: tuple, batch: int, bits: list[Precision]) -> EffectiveMacs:
    """Of a step, by the graph that trains."""
    network = build_network(model, channels=images[0], classes=10, rng=_rng())
    step = build_step(network, (batch, *images), StepOptions(tuple(dict.fromkeys(bits))))
    counted = EffectiveMacs()
    counted.add_step(step, fixed_choices(bits))
    return counted


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_layers_are_those_of_the_network() -> None:
    layers = layers_of("resnet8", CIFAR)
    assert [each.name for each in layers if each.block is None] == ["first"]
    assert [each.name for each in layers if not each.chosen] == [
        *("first", "stage1.block0.shortcut", "stage2.block0.shortcut"),
    ]
    assert Pass.ERROR not in layers[0].passes and Pass.ERROR in layers[1].passes
    assert [
        sum(each.geometry.macs for each in layers_of(f"resnet{depth}", CIFAR))
        for depth in (38, 74, 110)
    ] == [83_279_872, 168_214_528, 253_149_184]
    assert blocks_of("resnet164", CIFAR) == 81


def test_a_trace_counts_as_training_does() -> None:
    bits = [Precision(3, 3, 6), EIGHT, Precision(4, 5, 7)]
    trace = Trace("one", "resnet8", SMALL, 4, (Stretch(1, tuple(bits)),))
    counted = effective_macs("resnet8", SMALL, 4, bits)
    assert trace.effective_macs == counted.executed
    assert trace.at(EIGHT).effective_macs == counted.baseline
    assert trace.cp == pytest.approx(counted.cp)
    twice = Trace("two", "resnet8", SMALL, 4, (Stretch(1, tuple(bits)), Stretch(2, (EIGHT,) * 3)))
    assert twice.effective_macs == counted.executed + 2 * counted.baseline


def test_skipped_blocks_cost_nothing_but_their_shortcut() -> None:
    skipped = Trace("s", "resnet8", SMALL, 4, (Stretch(1, (EIGHT, Precision(0, 0, 0), EIGHT)),))
    done = {layer.name for layer, _, _ in skipped.works()}
    assert "stage1.block0.shortcut" in done and "stage1.block0.first" not in done


def test_the_log_of_a_run_and_its_file(tmp_path: Path) -> None:
    folder = write_small_run(tmp_path / "mixed", MIXED)
    trace = trace_of_run(read_run(folder))
    assert (trace.model, trace.images, trace.batch, trace.steps) == ("resnet8", SMALL, 4, 8)
    assert [(each.steps, each.bits[0]) for each in trace.stretches] == [
        (3, FOUR),
        (1, FOUR),
        (4, EIGHT),
    ]
    log = (folder / "log.jsonl").read_text().splitlines()
    logged = sum(json.loads(line)["effective_macs"] for line in log)
    assert trace.effective_macs == logged
    file = tmp_path / "trace.json"
    write_trace(file, trace)
    assert read_trace(file) == trace == load_trace(str(file), tmp_path)
    assert load_trace("mixed", tmp_path) == trace
    with pytest.raises(ParameterError, match="each trace once"):
        load_traces(["mixed", str(file)], tmp_path)


def test_the_summary_of_a_run_on_a_schedule_is_its_trace(tmp_path: Path) -> None:
    trace = small_trace((5, FOUR), (3, EIGHT))
    stages = [
        {"activation": 4, "weight": 4, "error": 6, "first_step": 0},
        {"activation": 8, "weight": 8, "error": 8, "first_step": 5},
    ]
    summary = {
        "model": "resnet8",
        "steps": 8,
        "plan": {"batch": 4},
        "stages": stages,
        "effective_macs_fw8bw8": trace.at(EIGHT).effective_macs,
    }
    file = tmp_path / "small.json"
    file.write_text(json.dumps(summary))
    assert load_trace(str(file), tmp_path) == trace
    file.write_text(json.dumps(summary | {"stages": [{"target_cp": 2.1, "first_step": 0}]}))
    with pytest.raises(DataError, match="gates chose the bits"):
        load_trace(str(file), tmp_path)


@pytest.mark.parametrize(("model", "images"), [("resnet8", (1, 8, 8)), ("resnet20", (3, 29, 29))])
def test_images_are_told_by_the_work_on_them(model: str, images: tuple[int, int, int]) -> None:
    macs = step_macs(model, images) * 64 / 1024
    assert images_of(model, macs, "here") == images
    with pytest.raises(DataError, match="no square images"):
        images_of(model, macs * 1.0001, "here")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "fractrain-trace 2"}, "format: got 'fractrain-trace 2'"),
        ({"stretches": ["3 aab", "1 acb"]}, "stretches"),
        ({"stretches": ["3 aa"]}, "one precision for each of the 3 blocks"),
        ({"stretches": ["0 aaa"]}, "stretches"),
        ({"model": "lenet"}, "model: got 'lenet'"),
        ({"batch": 0}, "batch: got 0"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, change: dict, says: str) -> None:
    file = tmp_path / "trace.json"
    write_trace(file, small_trace((3, FOUR), (1, EIGHT)))
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(DataError, match=says):
        read_trace(file)


def test_runs_without_bits_have_no_trace(tmp_path: Path) -> None:
    halves = write_small_run(tmp_path / "halves", lambda step, block: (0, (4.5, 4, 6)))
    with pytest.raises(DataError, match="means over images"):
        trace_of_run(read_run(halves))
    other = write_small_run(tmp_path / "other", MIXED, config={"mode": "reference"})
    with pytest.raises(DataError, match="reference mode"):
        trace_of_run(read_run(other))


@pytest.mark.parametrize("cp", [1.8, 2.02, 3.0, 4.5])
def test_mixes_have_the_mean_they_are_asked_for(cp: float) -> None:
    for make in (mixes.narrow_mix, mixes.wide_mix):
        mix = make(mixes.PUBLISHED_CANDIDATES, cp)
        trace = mixes.mix_trace("resnet8", mix)
        assert trace.cp == pytest.approx(cp) and trace.steps == pytest.approx(1)
        again = mixes.read_mix(trace.name)
        assert again.effective_macs == pytest.approx(trace.effective_macs, rel=1e-4)
        # the shortcuts are in the blocks
        assert trace.shortcuts is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("resnet8:3,4", "precision of the mix"),
        ("resnet8:3,4,6*0.5+4,4,6*0.4", "shares of the mix"),
        ("resnet8/0:3,4,6", "batch of the mix"),
        ("resnet9:3,4,6", "model"),
        ("resnet8:3,4,6*2", "share of the mix"),
    ],
)
def test_mixes_of_another_form(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        load_trace(text, tmp_path)
    with pytest.raises(ParameterError, match="cp"):
        mixes.narrow_mix(mixes.PUBLISHED_CANDIDATES, 1.5)


@pytest.mark.parametrize("machine", [BitFusion(), Eyeriss(), RECURSIVE_DSP])
def test_costs_are_sums_of_passes(machine: object) -> None:
    trace = small_trace((3, FOUR), (2, EIGHT))
    found = trace_cost(machine, trace)  # type: ignore[arg-type]
    seconds = joules = moved = 0.0
    for _, work, steps in trace.works():
        figures = machine.figures(work)  # type: ignore[attr-defined]
        seconds += steps * figures.seconds
        joules += steps * figures.joules
        moved += steps * (figures.dram_read_bits + figures.dram_write_bits) / 8
    assert found.total.seconds == pytest.approx(seconds)
    assert found.total.joules == pytest.approx(joules)
    assert found.total.bytes_moved == pytest.approx(moved)
    passes = [found.of_pass(each).seconds for each in Pass]
    layers = [found.of_layer(each.name).seconds for each in trace.layers]
    assert sum(passes) == pytest.approx(seconds) == pytest.approx(sum(layers))
    assert found.total.macs == 5 * 4 * step_macs("resnet8", SMALL)


def test_refusals_name_the_layer() -> None:
    class Picky:
        name = "picky"

        def figures(self, work: Work) -> None:
            raise ParameterError("bits", work.bits, "none at all")

    with pytest.raises(ParameterError, match="first of resnet8 on picky"):
        trace_cost(Picky(), small_trace((1, EIGHT)))  # type: ignore[arg-type]


def test_ours_is_the_step_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interface of the other machines and the model that runs are costed with agree."""
    from fractrain.host.machines import Zc706, ours

    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path))
    ours._costs.cache_clear()
    bits = [FOUR, EIGHT, FOUR]
    trace = Trace("one", "resnet8", SMALL, 4, (Stretch(1, tuple(bits)),))
    found = trace_cost(Zc706("port"), trace).total
    network = build_network("resnet8", channels=SMALL[0], classes=10, rng=_rng())
    step = build_step(network, (4, *SMALL), StepOptions((FOUR, EIGHT)))
    whole = StepModel(load_parameters("zc706"), step).cost(fixed_choices(bits))
    assert found.seconds == pytest.approx(whole.seconds, rel=0.03)
    assert found.bytes_moved == pytest.approx(whole.bytes_moved)
