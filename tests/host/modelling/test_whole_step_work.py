"""What remains for the host around a whole step: its records, its sums, and little else."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from fractrain.host.cli.main import main
from fractrain.host.graph.choice import SKIP, fixed_choices
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import StepGraph, build_step
from fractrain.host.machine_step.layout import Layout, lay_out
from fractrain.host.machine_step.outline import Outline
from fractrain.host.modelling import integer_kinds
from fractrain.host.modelling import whole_step_kinds as kinds
from fractrain.host.modelling.host_kinds import DATA, Kind
from fractrain.host.modelling.host_work import gates_of
from fractrain.host.modelling.tables.case import Case
from fractrain.host.modelling.tables.host_table import host_step
from fractrain.host.modelling.whole_step_work import count_whole_step_work
from fractrain.host.networks.registry import build_network
from fractrain.host.numerics.quantization import WeightLevels
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision

EIGHT, FEW = Precision(8, 8, 8), Precision(4, 4, 6)
IMAGES = 20
NETWORK = build_network("resnet8", channels=3, classes=10, rng=generator(0, Stream.WEIGHTS))
WIDTHS = [16] * 3 + [32] * 3 + [64] * 3
"""Channels of the batch norms: first convolution, blocks, shortcuts."""
CHUNKS = {16: 3, 32: 2, 64: 1}
"""8, 16, 32 images, of 20."""


def step(learns: bool = False) -> StepGraph:
    options = StepOptions((EIGHT, FEW), learns=learns, integers=IntegerOptions())
    return build_step(NETWORK, (IMAGES, 3, 32, 32), options)


def counted(graph: StepGraph, *blocks: Precision) -> dict[Kind, float]:
    return dict(count_whole_step_work(graph, fixed_choices(list(blocks))).elements)


def layout(graph: StepGraph, *blocks: Precision) -> Layout:
    """What the host's part of such a step is made from."""
    table = graph.table(fixed_choices(list(blocks)))
    return lay_out(Outline(graph), IntegerOptions(), WeightLevels.CLIP, table)


@pytest.mark.parametrize("blocks", [(EIGHT, FEW, FEW), (SKIP, FEW, EIGHT)])
def test_records_are_those_of_the_host_s_part(blocks: tuple[Precision, ...]) -> None:
    graph = step()
    found, made = counted(graph, *blocks), layout(graph, *blocks)
    residuals = sum(place >= 0 for place in made.forms.column("residual"))
    records = (made.narrows, made.weights, made.sums, made.streams, made.applies)
    assert found[kinds.SCALE_RECORD] == residuals + sum(map(len, records))
    assert found[kinds.UPDATE_RECORD] == len(made.gradients) + 2 * (SKIP in blocks)
    norms = zip(made.norms.column("key"), made.norms.column("step"), strict=True)
    channels = sum(math.prod(each.gammas[key.part].shape) for key, each in norms)
    assert found[kinds.NORM_RECORD] == found[kinds.NORM_GRADIENTS] == channels


def test_by_hand() -> None:
    found = counted(step(), EIGHT, EIGHT, EIGHT)
    norms, chunks = sum(WIDTHS), sum(width * CHUNKS[width] for width in WIDTHS)
    assert {each: found[each] for each in found if each.group == kinds.AFTER} == {
        kinds.CHUNK_STATISTICS: chunks,
        kinds.CHUNK_GRADIENTS: chunks,
        kinds.RUNNING_STATISTICS: norms,
        kinds.NORM_GRADIENTS: norms,
    }
    assert found[kinds.POOLED] == found[kinds.POOLED_ERRORS] == IMAGES * 64
    assert found[kinds.UPDATE_RECORD] == 9
    assert found[integer_kinds.DESCEND] == 2 * norms + 64 * 10 + 10
    assert found[integer_kinds.LOSS] == IMAGES * 64 * 10
    assert found[DATA] == IMAGES * 3 * 32 * 32


def test_nothing_is_of_every_element_but_the_images() -> None:
    """No kind of the vector unit's remains, and twice the pixels change nothing else."""
    small = counted(step(), FEW, FEW, FEW)
    options = StepOptions((EIGHT, FEW), integers=IntegerOptions(chunk_rows=512))
    large = counted(build_step(NETWORK, (IMAGES, 3, 64, 64), options), FEW, FEW, FEW)
    assert small.pop(DATA) * 4 == large.pop(DATA) and small == large


def test_gates_add_their_network() -> None:
    graph = step(learns=True)
    gates = gates_of(graph, graph.options.precisions)
    choices = fixed_choices([FEW] * 3)
    found = count_whole_step_work(graph, choices, gates).elements
    weights = sum(math.prod(each.value.shape) for each in gates.parameters())
    assert found[integer_kinds.GATE_NETWORK] > 0 and found[kinds.MEANS] > 0
    usual = counted(step(), FEW, FEW, FEW)[integer_kinds.DESCEND]
    assert found[integer_kinds.DESCEND] == usual + weights


def test_a_machine_takes_what_it_has_room_for() -> None:
    case = Case(NETWORK, (2, 3, 32, 32), "4,4,6", "port")
    whole = host_step(case, load_parameters("zc706-vector"))
    layers = host_step(case, load_parameters("zc706"))
    assert whole.whole and not layers.whole
    assert whole.lines[-1].seconds_at_best < 0.1 * layers.lines[-1].seconds_at_best
    large = Case(NETWORK, (1, 3, 256, 256), "4,4,6", "port")
    assert not host_step(large, load_parameters("zc706-vector")).whole


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    command = ["cost", "--host", "--whole-step", "--networks", "resnet8", "--batch", "2"]
    assert main([*command, "--precisions", "4,4,6", "--out", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "resnet8, batch 2, blocks at 4,4,6, whole step" in printed and "records" in printed
    assert "cost --host --whole-step --config zc706-vector" in page.read_text()
    assert main([*command, "--rate", "3.4"]) == 2
    assert "without --host only" in capsys.readouterr().err
