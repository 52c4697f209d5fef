"""The order of a step is part of its numerics: random numbers round errors one after the other."""

from collections.abc import Iterable

from fractrain.host.graph import operations as ops
from fractrain.host.graph.choice import Choice, Path
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.skipping import carried_out
from tests.host.graph.steps import COARSE, SKIP, make_step

BLOCKS = {
    "stage0.block0": ["first", "second"],
    "stage1.block0": ["first", "second", "shortcut"],
    "stage2.block0": ["first", "second", "shortcut"],
}


def names(operations: Iterable[Operation], kind: type[Operation]) -> list[str]:
    return [each.name for each in operations if isinstance(each, kind)]


def in_reverse() -> list[str]:
    """Blocks from the last to the first; in each second, first, shortcut."""
    return [
        f"{block}.{layer}"
        for block in reversed(BLOCKS)
        for layer in ["second", "first", "shortcut"]
        if layer in BLOCKS[block]
    ]


def test_convolutions_of_a_step() -> None:
    step = make_step()
    layers = [f"{block}.{layer}" for block, found in BLOCKS.items() for layer in found]
    assert names(step.forward, ops.Convolve) == [f"{layer}.forward" for layer in ["first", *layers]]
    assert names(step.backward, ops.Convolve) == [
        *(f"{layer}.{each}" for layer in in_reverse() for each in ["gradient", "error"]),
        "first.gradient",  # nothing before it is learned
    ]


def test_errors_are_quantized_once_for_both_passes() -> None:
    step = make_step()
    quantized = names(step.backward, ops.QuantizeErrors)
    assert quantized == [f"{layer}.e.quantize" for layer in [*in_reverse(), "first"]]
    for each in step.backward:
        if isinstance(each, ops.Convolve):
            assert f"{each.layer}.e" in (each.row.name, each.column.name)


def test_several_paths_go_back_the_last_first() -> None:
    step = make_step(SKIP, COARSE, per_sample=True, real=True, learns=True)
    paths = [Path(SKIP, 2), Path(COARSE, 4)]
    operations = list(carried_out(step.operations, step.table([Choice(tuple(paths))] * 3)))
    forward = names(operations, ops.Convolve)
    assert forward[:3] == [
        *("first.forward", "path1.stage0.block0.first.forward"),
        "path1.stage0.block0.second.forward",
    ]
    backward = names(operations, ops.BatchNormBackward)
    assert backward[:4] == [
        f"{path}.stage2.block0.{layer}.norm.back"
        for path, layer in [
            *(("path1", "second"), ("path1", "first"), ("path1", "shortcut")),
            ("path0", "shortcut"),
        ]
    ]


def test_the_way_back_of_a_path_that_no_image_takes_is_skipped() -> None:
    """Forward it is computed all the same: its share is to be known."""
    step = make_step(SKIP, COARSE, per_sample=True, real=True, learns=True)
    paths = [Path(SKIP, 6), Path(COARSE, 0)]
    operations = list(carried_out(step.operations, step.table([Choice(tuple(paths))] * 3)))
    assert "path1.stage1.block0.second.forward" in names(operations, ops.Convolve)
    assert "path1.stage1.block0.second.gradient" not in names(operations, ops.Convolve)
    assert len(names(operations, ops.MaskBackward)) == 6
    shortcuts = [each for each in names(operations, ops.BatchNormBackward) if "shortcut" in each]
    assert shortcuts == [f"path0.stage{stage}.block0.shortcut.norm.back" for stage in (2, 1)]


def test_a_choice_is_gone_back_through_after_its_block() -> None:
    step = make_step(COARSE, learns=True, stored_bits=8)
    found = [
        each
        for each in step.backward
        if isinstance(each, ops.ChooseBackward | ops.ShareBackward | ops.QuantizeErrors)
    ]
    kinds = [type(each).__name__ for each in found[:5]]
    assert kinds == ["ShareBackward", *["QuantizeErrors"] * 3, "ChooseBackward"]


def test_parameters_are_updated_in_their_order() -> None:
    updated = [each.inputs[0].name for each in make_step().updates]
    assert updated[:4] == [
        *("first.weight", "first.norm.gamma", "first.norm.beta"),
        "stage0.block0.first.weight",
    ]
    assert updated[-2:] == ["classifier.weight", "classifier.bias"]
