"""The graph of an integer step: four passes around each convolution, choices first."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from fractrain.host.graph import operations as ops
from fractrain.host.graph.blocks import Slots
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.integer_options import IntegerOptions, mixing
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.skipping import carried_out
from fractrain.host.graph.step import StepGraph, build_step
from fractrain.host.graph.tensor import BySlot, Fixed, Kind, OfNormalized, Tensor
from fractrain.host.networks.convolution import NormalizedConvolution, Shape
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Operand, Pass, Precision
from tests.host.graph.steps import COARSE, SKIP, make_step

INTEGERS = IntegerOptions()


def make(*precisions: Precision, training: bool = True, **more: Any) -> StepGraph:
    return make_step(*precisions, training=training, integers=INTEGERS, **more)


def of(graph: StepGraph, kind: type) -> list[Any]:
    return [each for each in graph.operations if isinstance(each, kind)]


def test_each_convolution_is_narrowed_and_goes_back_through_its_batch_norm() -> None:
    graph = make()
    counts = Counter(type(each).__name__ for each in graph.operations)
    layers = [each for each in graph.convolutions if each.pass_ is Pass.FORWARD]
    assert len(layers) == 9
    assert counts["Narrow"] == counts["Apply"] == counts["AddSums"] == len(layers)
    assert counts["Form"] == counts["Join"] == 1 + 3 * 2
    assert counts["Convolve"] == 3 * len(layers) - 1, "no error at the pixels"
    assert not {"BatchNorm", "QuantizeErrors", "Dequantize", "Rectify", "Add"} & counts.keys()


def test_choices_come_first_so_that_what_is_formed_knows_its_readers_bits() -> None:
    graph = make(COARSE, SKIP)
    assert [type(each) for each in graph.forward[:3]] == [ops.ChooseEarly] * 3
    assert not of(graph, ops.ChoosePrecision)


def test_inside_a_block_few_bits_at_its_end_a_residual() -> None:
    graph = make()
    forms = {each.name: each for each in of(graph, ops.Form)}
    inside = forms["stage1.block0.first.relu.form"]
    assert inside.inner and inside.r is None and inside.residual is None
    assert inside.bits == BySlot(inside.slot, Operand.ACTIVATION)
    assert [each.bits for each in inside.kept] == [OfNormalized(inside.slot, True)]
    end = forms["stage1.block0.relu.form"]
    assert not end.inner and end.r is not None and end.r.bits == Fixed(8) and not end.r.signed
    assert len(end.ys) == 2 and end.residual is None, "the shortcut is a convolution"
    assert [each.bits for each in end.kept] == [OfNormalized(s, False) for s in end.slots]
    identity = forms["stage0.block0.relu.form"]
    assert len(identity.ys) == 1 and identity.residual is not None
    last = forms["stage2.block0.relu.form"]
    assert last.a is None and last.bits == Fixed(8), "the classifier reads the residual"


def test_a_shortcut_reads_the_residual() -> None:
    graph = make()
    rows = {each.layer: each.row for each in graph.convolutions if each.pass_ is Pass.FORWARD}
    planes = {each.q.name: each.stored for each in of(graph, ops.TopPlanes)}
    assert planes.keys() == {rows[f"stage{stage}.block0.shortcut"].name for stage in (1, 2)}
    assert all(not rows[f"stage{s}.block0.shortcut"].signed for s in (1, 2))


def test_all_errors_at_a_tensor_are_joined() -> None:
    joins = {each.name: each for each in of(make(), ops.Join)}
    identity = joins["first.relu.form.e"]
    assert len(identity.sums) == 1 and len(identity.streams) == 1
    shortcut = joins["stage0.block0.relu.form.e"]
    assert len(shortcut.sums) == 2 and not shortcut.streams
    assert sorted(shortcut.depths) == [32, 9 * 32]
    assert len(joins["stage2.block0.relu.form.e"].streams) == 1, "from the classifier"


def test_random_numbers_are_each_ones_own() -> None:
    numbers = [each.number for each in of(make(), ops.Apply)]
    assert sorted(numbers) == list(range(9))


def test_a_skipped_block_passes_its_input_on() -> None:
    graph = make(COARSE, SKIP)
    table = [SKIP if each.block == 0 else each.precisions[0] for each in graph.slots]
    found = {each.name for each in carried_out((*graph.forward, *graph.backward), table)}
    assert {"stage0.block0.relu.form", "stage0.block0.relu.form.e"} <= found
    assert not {name for name in found if name.startswith("stage0.block0.first")}
    assert not {name for name in found if name.startswith("stage0.block0.second")}


def test_an_evaluation_keeps_nothing() -> None:
    graph = make(training=False)
    assert not any(each.kept or each.mask for each in of(graph, ops.Form))
    assert not graph.backward and not graph.updates


def test_shares_are_learned_where_a_selector_learns() -> None:
    graph = make(COARSE, Precision(4, 4, 6), learns=True)
    assert [each.block for each in of(graph, ops.LearnChoice)] == [2, 1, 0]
    assert [each.block for each in of(graph, ops.RecordMeans)] == [0, 1, 2]
    shares = {each.name: each.gamma.name for each in of(graph, ops.NormShare)}
    assert all(".second.norm" in name for name in shares.values())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"stored_bits": 8}, "stored_bits: got 8"),
        ({"odd_weights": (3,)}, "odd_weights"),
        ({"per_sample": True}, "per_sample"),
    ],
)
def test_what_float_mode_has_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make(**more)


@pytest.mark.parametrize("bits", [(9, 8, 8), (8, 9, 8), (8, 8, 13)])
def test_wider_bits_are_refused_by_name(bits: tuple[int, int, int]) -> None:
    with pytest.raises(ParameterError, match=r"bits of .* in hardware mode"):
        make(Precision(*bits))


class Odd:
    """Layers put together as the integer step does not have it."""

    def __init__(self, how: str) -> None:
        rng = np.random.default_rng(0)
        self.layer = NormalizedConvolution("layer", Shape(2, 5, 3, 1, chosen=False), rng)
        self.how = how

    name = "odd"

    def parameters(self) -> list[Parameter]:
        return self.layer.parameters()

    def statistics(self) -> list[Statistic]:
        return self.layer.statistics()

    def emit(self, builder: Builder) -> Tensor:
        slots = Slots(0, 0)
        x = builder.pixels(8, 1 / 255)
        if self.how == "activations without a rectifier":
            y = self.layer.emit(builder, x, slots)
            return builder.activations("a", y, y, 0)
        if self.how == "pool without a rectifier":
            return builder.pool("pool", self.layer.emit(builder, x, slots))
        if self.how == "rectifier of pixels":
            return builder.rectify("relu", x)
        y = builder.rectify("relu", self.layer.emit(builder, x, slots))
        if self.how == "two residuals":
            return builder.add("add", y, y)
        if self.how == "real numbers":
            out = builder.tensor("out", y.shape)
            builder.emit(ops.Add("add", None, y, y, out))
            return out
        convolution = self.layer.convolution
        return builder.rectify("again", convolution.emit(builder, x, slots))


@pytest.mark.parametrize(
    "how",
    [
        "activations without a rectifier",
        "pool without a rectifier",
        "rectifier of pixels",
        "two residuals",
        "real numbers",
        "the same weights twice",
    ],
)
def test_other_networks_are_refused(how: str) -> None:
    options = StepOptions((COARSE,), integers=INTEGERS)
    with pytest.raises(ParameterError, match="got"):
        build_step(Odd(how), (2, 2, 8, 8), options, training=False)


def test_chunks_of_too_many_pixels_are_refused() -> None:
    whole = IntegerOptions(chunk_rows=None)
    with pytest.raises(ParameterError, match=r"chunk of first.norm: got '129 images of 32 x 32"):
        make_step(images=(129, 2, 32, 32), integers=whole)
    make_step(images=(128, 2, 32, 32), integers=whole)
    make_step(images=(129, 2, 32, 32), integers=whole, training=False)


class Sums(Odd):
    """Of ``batch_norms`` batch norms, each added to what was formed before if ``residuals``."""

    def __init__(self, batch_norms: int, *, residuals: bool) -> None:
        super().__init__("")
        rng, shape = np.random.default_rng(0), Shape(5, 5, 3, 1, chosen=False)
        self.layers = [NormalizedConvolution(f"n{k}", shape, rng) for k in range(batch_norms)]
        self.residuals = residuals

    def emit(self, builder: Builder) -> Tensor:
        slots = Slots(0, 0)
        x = builder.rectify("relu", self.layer.emit(builder, builder.pixels(8, 1.0), slots))
        a = builder.activations("a", x, x, 0)
        parts = [each.emit(builder, a, slots) for each in self.layers]
        if self.residuals:
            parts = [builder.add(f"r{k}", part, x) for k, part in enumerate(parts)]
        total, *others = parts
        for k, part in enumerate(others):
            total = builder.add(f"sum{k}", total, part)
        return builder.pool("pool", builder.rectify("last", total))


@pytest.mark.parametrize(
    ("count", "residuals", "message"),
    [
        (3, False, "got '3 batch norms, 0 earlier activations'"),
        (2, True, "got '2 batch norms, 2 earlier activations'"),
    ],
)
def test_sums_that_z_has_no_words_for(count: int, residuals: bool, message: str) -> None:
    options = StepOptions((COARSE,), integers=INTEGERS)
    with pytest.raises(ParameterError, match=message):
        build_step(Sums(count, residuals=residuals), (2, 2, 8, 8), options, training=False)
    build_step(Sums(2, residuals=False), (2, 2, 8, 8), options, training=False)
    build_step(Sums(1, residuals=True), (2, 2, 8, 8), options, training=False)


class Branches(Odd):
    """One activation, read by five convolutions."""

    def __init__(self) -> None:
        super().__init__("")
        rng = np.random.default_rng(0)
        shape = Shape(5, 5, 3, 1, chosen=False)
        self.layers = [NormalizedConvolution(f"branch{k}", shape, rng) for k in range(5)]
        self.more = [NormalizedConvolution(f"more{k}", shape, rng) for k in range(2)]

    def parameters(self) -> list[Parameter]:
        return [
            *super().parameters(),
            *(p for each in self.layers + self.more for p in each.parameters()),
        ]

    def emit(self, builder: Builder) -> Tensor:
        slots = Slots(0, 0)
        x = builder.rectify("relu", self.layer.emit(builder, builder.pixels(8, 1.0), slots))
        a = builder.activations("a", x, x, 0)
        outs = [each.emit(builder, a, slots) for each in self.layers]
        pairs = [builder.add(f"add{k}", *outs[k : k + 2]) for k in (0, 2)]
        ends = [builder.rectify(f"end{k}", each) for k, each in enumerate((*pairs, outs[4]))]
        last = ends[0]
        for k, end in enumerate(ends[1:]):
            b = builder.activations(f"b{k}", end, end, 0)
            more = self.more[k].emit(builder, b, slots)
            last = builder.rectify(f"joined{k}", builder.add(f"join{k}", more, last))
        return builder.pool("pool", last)


def test_too_many_readers_of_an_activation_are_refused() -> None:
    options = StepOptions((COARSE,), integers=INTEGERS)
    with pytest.raises(ParameterError, match=r"readers of relu.form: got 5, allowed: at most 4"):
        build_step(Branches(), (2, 2, 8, 8), options)


@pytest.mark.parametrize(
    ("side", "images", "chunk"),
    [
        *((32, 128, 8), (16, 128, 16), (8, 128, 32), (4, 128, 64), (1, 512, 256)),
        *(
            (28, 64, 8),
            (33, 64, 4),
            (224, 64, 1),
            (256, 64, 1),
            (300, 64, 1),
            (32, 5, 5),
            (1, 9, 9),
        ),
    ],
)
def test_default_chunks(side: int, images: int, chunk: int) -> None:
    assert INTEGERS.chunk(images, side, side) == chunk
    assert INTEGERS.chunk(images, side, 1) == chunk
    assert IntegerOptions(chunk_rows=None).chunk(images, side, side) == images


def test_bits_of_what_is_normalized() -> None:
    bits = range(1, 9)
    inner = [INTEGERS.kept_format(each, inner=True).bits for each in bits]
    assert inner == [each + 3 for each in bits]
    outer = [INTEGERS.kept_format(each, inner=False).bits for each in bits]
    assert outer == [4 if each <= 4 else 6 if each <= 6 else 8 for each in bits]


@pytest.mark.parametrize(
    "wrong",
    [
        {"inner": (3,) * 8},
        {"inner": (12,) * 8},
        {"outer": (9,) * 8},
        {"outer": (4,) * 7},
        {"residual_bits": 7},
        {"residual_bits": 17},
        {"mixing": 256},
        {"activation_range": (1.0,) * 7},
        {"error_range": (1.0,) * 11 + (1.1,)},
        {"error_range": (1.0,) * 8},
        {"error_range": (0.0,) * 12},
    ],
    ids=str,
)
def test_wrong_options(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        IntegerOptions(**wrong)


def test_mixing_is_the_nearest() -> None:
    assert [mixing(each) for each in (0.0, 0.001, 0.002, 0.5, 0.999)] == [0, 0, 1, 128, 255]


def test_what_is_in_memory_has_bits_and_a_kind() -> None:
    for operation in make().operations:
        for tensor in operation.outputs:
            if tensor.kind in (Kind.ACTIVATIONS, Kind.ERRORS, Kind.STREAM, Kind.NORMALIZED):
                assert tensor.bits is not None, tensor.name
