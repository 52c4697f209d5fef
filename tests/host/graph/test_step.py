"""Steps as values: bits and signs of tensors, slots, skipping, blocks, pieces."""

from itertools import product

import numpy as np
import pytest

from fractrain.host.graph import operations as ops
from fractrain.host.graph.blocks import Slots
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.choice import Choice, Path
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.skipping import carried_out, find_certain
from fractrain.host.graph.step import StepGraph, build_step
from fractrain.host.graph.tensor import BySlot, Fixed, Kind, Tensor
from fractrain.host.networks.classifier import Classifier
from fractrain.host.networks.convolution import NormalizedConvolution, Shape
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Operand, Pass, Precision
from tests.host.graph.steps import COARSE, SKIP, make_step

FINE = Precision(6, 4, 8)


def chosen(*precisions: Precision) -> list[Choice]:
    return [Choice((Path(each),)) for each in precisions]


def convolution(step: StepGraph, name: str) -> ops.Convolve:
    return next(each for each in step.convolutions if each.name == name)


def test_bits_are_by_slot_and_signs_are_the_tensors() -> None:
    step = make_step(COARSE, FINE)
    forward = convolution(step, "stage1.block0.second.forward")
    assert (forward.row.bits, forward.column.bits) == (
        BySlot(2, Operand.ACTIVATION),
        BySlot(2, Operand.WEIGHT),
    )
    assert (forward.row.signed, forward.column.signed) == (False, True)
    value = forward.convolution(step.table(chosen(COARSE, FINE, COARSE)))
    assert (value.pass_, value.bits, value.stored) == (Pass.FORWARD, (6, 4), (6, 4))
    assert value.signed == (False, True)
    assert (value.row_shape, value.column_shape) == ((6, 32, 4, 4), (32, 32, 3, 3))
    assert value.result_shape == forward.result.shape == (6, 32, 4, 4)
    assert [step.widest(each) for each in forward.bits] == [6, 4]
    first = convolution(step, "first.gradient")
    assert first.row.kind is Kind.PIXELS and first.row.bits == Fixed(8)
    assert first.convolution(step.table(chosen(COARSE, COARSE, COARSE))).signed == (False, True)


def test_what_a_choice_was_made_from_is_stored_and_its_top_planes_are_read() -> None:
    step = make_step(COARSE, stored_bits=8)
    first = convolution(step, "stage1.block0.first.forward")
    around = convolution(step, "stage1.block0.shortcut.gradient")
    assert first.row.stored is around.row.stored
    assert first.row.stored.bits == Fixed(8)
    value = first.convolution(step.table(chosen(COARSE, COARSE, COARSE)))
    assert (value.bits, value.stored) == ((3, 3), (8, 3))
    inner = convolution(step, "stage1.block0.second.forward")
    assert inner.row.planes_of is None


def test_each_block_has_a_slot_and_odd_weights_one_more() -> None:
    assert [each.name for each in make_step(COARSE, FINE).slots] == [
        *("unquantized", "stage0.block0", "stage1.block0", "stage2.block0"),
    ]
    step = make_step(COARSE, Precision(8, 8, 8), SKIP, odd_weights=(2, 3, 4))
    assert len(step.slots) == 7
    ones = convolution(step, "stage0.block0.first.error.ones")
    assert ones.geometry.channels == 1
    assert convolution(step, "stage0.block0.first.forward.ones").geometry.filters == 1
    for precision, expected in [
        (COARSE, Precision(3, 1, 6)),
        (Precision(8, 8, 8), SKIP),
        (SKIP, SKIP),
    ]:
        table = step.table(chosen(precision, COARSE, COARSE))
        assert table[ones.slot or 0] == expected
    assert step.slots[ones.slot or 0].widest == Precision(8, 1, 8)


def test_a_skipped_block_is_its_shortcut() -> None:
    step = make_step(COARSE, SKIP, stored_bits=8, learns=True)
    table = step.table(chosen(SKIP, SKIP, COARSE))
    names = [each.name for each in carried_out(step.operations, table)]
    assert "stage0.block0.first.forward" not in names
    assert "first.relu.y.stored.quantize" not in names  # nothing reads it
    assert "stage0.block0.relu" not in names  # what is left is ≥ 0 already
    assert "stage0.block0.relu.y.stored.quantize" in names  # the shortcut of the next block
    assert "stage1.block0.relu" in names and "stage1.block0.relu.back" in names
    assert "stage0.block0.share.back" in names  # 0
    assert "stage1.block0.first.gradient" not in names
    assert "stage1.block0.shortcut.gradient" in names


def test_blocks_say_what_gates_need() -> None:
    step = make_step()
    assert [each.channels for each in step.blocks] == [16, 16, 32]
    assert [step.block_macs(each) for each in range(3)] == [
        2 * 64 * 16 * 16 * 9,
        16 * 32 * (16 + 32) * 9,
        4 * 64 * (32 + 64) * 9,
    ]


def test_pieces_are_what_the_host_has_no_part_in() -> None:
    step = make_step()
    assert [[each.name for each in piece.convolutions] for piece in step.pieces][8:11] == [
        ["stage2.block0.shortcut.forward"],
        ["stage2.block0.second.gradient", "stage2.block0.second.error"],
        ["stage2.block0.first.gradient", "stage2.block0.first.error"],
    ]
    whole = [
        operation
        for each in (*step.forward_pieces, *step.backward_pieces)
        for operation in (each.convolutions if isinstance(each, Piece) else [each])
    ]
    assert whole == [*step.forward, *step.backward]


def test_an_evaluation_goes_forward_only() -> None:
    step = make_step(training=False)
    assert not step.training and not step.backward and not step.updates
    assert step.logits.shape == (6, 5)
    assert not [each for each in step.forward if isinstance(each, ops.Loss)]


def test_as_many_choices_as_blocks() -> None:
    with pytest.raises(ParameterError, match="3, one for each block"):
        make_step().table(chosen(COARSE))


class Plain:
    """Two convolutions in a row; nothing leads around the second."""

    name = "plain"

    def __init__(self, second: str = "second") -> None:
        rng = np.random.default_rng(0)
        self.first = NormalizedConvolution("first", Shape(2, 4, 3, 1, chosen=False), rng)
        self.second = NormalizedConvolution(second, Shape(4, 8, 3, 2), rng)
        self.classifier = Classifier(8, 5, rng)

    def parameters(self) -> list:
        layers = self.first, self.second, self.classifier
        return [each for layer in layers for each in layer.parameters()]

    def emit(self, builder: Builder) -> Tensor:
        x = self.first.emit(builder, builder.pixels(8, 1 / 255), builder.outside)
        x = builder.rectify("relu", x)
        return self.classifier.emit(builder, builder.block("block", x, self._block(builder)))

    def _block(self, builder: Builder):
        def body(x: Tensor, slots: Slots) -> Tensor:
            extent = builder.tensor("range", (), Kind.RANGE)
            builder.emit(ops.MeasureRange("range", None, x, extent, extent))
            a = builder.activations("a", x, extent, slots.chosen)
            return self.second.emit(builder, a, slots)

        return body


def test_a_block_that_nothing_leads_around_cannot_be_skipped() -> None:
    with pytest.raises(ParameterError, match="leads around"):
        build_step(Plain(), (6, 2, 8, 8), StepOptions((COARSE, SKIP)))
    assert len(build_step(Plain(), (6, 2, 8, 8), StepOptions((COARSE,))).blocks) == 1


def test_no_two_layers_of_a_name() -> None:
    with pytest.raises(ParameterError, match="first.w"):
        build_step(Plain(second="first"), (6, 2, 8, 8), StepOptions((COARSE,)))


class Unknown(ops.Operation):
    """Nobody knows it."""


def test_an_operation_without_a_rule_is_refused_by_name() -> None:
    class Odd(Plain):
        def emit(self, builder: Builder) -> Tensor:
            builder.emit(Unknown("strange", None))
            return super().emit(builder)

    with pytest.raises(ParameterError, match=r"strange.*Unknown.*the way back"):
        build_step(Odd(), (6, 2, 8, 8), StepOptions((COARSE,)))
    assert build_step(Odd(), (6, 2, 8, 8), StepOptions((COARSE,)), training=False).forward


def test_what_is_carried_out_in_any_case() -> None:
    """Where blocks may be skipped: what is outside of them, and what leads around."""
    always = find_certain(make_step(COARSE, FINE).operations, make_step(COARSE, FINE).slots)
    assert always == {each.name for each in make_step(COARSE, FINE).operations}
    step = make_step(COARSE, SKIP, stored_bits=8, learns=True)
    certain = find_certain(step.operations, step.slots)
    for table in (step.table(chosen(*each)) for each in product((COARSE, SKIP), repeat=3)):
        assert certain <= {each.name for each in carried_out(step.operations, table)}
    assert {"stage1.block0.shortcut.forward", "stage1.block0.relu", "first.gradient"} <= certain
    assert not [each for each in certain if each.startswith("stage0.block0.first.forward")]
