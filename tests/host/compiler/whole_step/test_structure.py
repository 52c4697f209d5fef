"""Programs of the networks that are trained, on the machine that is to carry them: compiled, not
run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from fractrain.host.compiler.whole_step import DoesNotFit, WholeStep, compile_whole_step
from fractrain.host.compiler.whole_step.encoding import encode_many
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.machine_records import StepRecords
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import StepGraph, build_step
from fractrain.host.networks.convolution import NormalizedConvolution, Shape
from fractrain.host.networks.registry import build_network
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.random_streams import Stream
from fractrain.hw.contract.commands import (
    Command,
    Convolve,
    Fill,
    Form,
    Load,
    Move,
    Quantize,
    Recall,
    Recompute,
    Set,
    Spill,
    Tag,
    Update,
    encode_all,
)
from fractrain.hw.contract.commands import Shape as ShapeOf
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision
from tests.host.compiler.whole_step.running import small
from tests.host.compiler.whole_step.small_network import SmallNetwork
from tests.host.compiler.whole_step.test_steps import planned
from tests.host.compiler.whole_step.walking import Walk, check_tokens
from tests.hw.machines import machine

BATCH, SIDE = 128, 32
FULL, SKIP = Precision(8, 8, 8), Precision(0, 0, 0)
BYTES = IntegerOptions(inner=(4, 5, 6, 7, 8, 8, 8, 8))
"""No more bits of x̂ than the side memory has."""
STUDIED = {"forward": 645, "backward": 973}
"""KB an image of ResNet-38 at 8/8/8 (studied, not measured)."""


def graph(
    model: str,
    precisions: tuple[Precision, ...],
    options: IntegerOptions = BYTES,
    batch: int = BATCH,
    **given: Any,
) -> StepGraph:
    rng = counter_numbers(1, Stream.WEIGHTS)
    network = build_network(model, channels=3, classes=10, rng=rng)
    chosen = StepOptions(precisions, integers=options, learns=True)
    return build_step(network, (batch, 3, SIDE, SIDE), chosen, **given)


def walk(compiled: WholeStep, precision: Precision) -> Walk:
    slots = len(compiled.memory.network.graph.slots)
    return Walk(compiled, *compiled.tables([FULL] + [precision] * (slots - 1)))


@pytest.mark.parametrize("model", ["resnet38", "resnet110", "resnet164"])
def test_networks_on_the_planned_machine(model: str) -> None:
    """With default chunks: all on the chip that is meant to be, and tokens without an error."""
    compiled = compile_whole_step(planned(), graph(model, (FULL, SKIP)))
    residency = compiled.residency
    assert (residency.in_flight, residency.next_chunk, residency.next_segment) == (2, True, True)
    assert check_tokens(compiled.commands) == (len(compiled.chunks), 1)
    walk(compiled, FULL).check_addresses()
    _check_memory(compiled)


def test_weights_stand_beside_the_arrays_work() -> None:
    """QUANTIZE between the FORMs of the first chunks; UPDATEs of a layer behind its last gradient,
    many before its group ends."""
    compiled = compile_whole_step(planned(), graph("resnet14", (FULL,)))
    commands, weights = compiled.commands, compiled.memory.weights
    quantized = [n for n, each in enumerate(commands) if isinstance(each, Quantize)]
    forms = [n for n, each in enumerate(commands) if isinstance(each, Form)]
    blocks = sum(commands[n].blocks for n in quantized)  # type: ignore[attr-defined]
    assert blocks == sum(each.layout.digit_stride for each in weights.values())
    back = next(first for first, name in compiled.sections if name.startswith("back"))
    assert quantized[-1] < back and any(each > forms[3] for each in quantized)
    updates = [n for n, each in enumerate(commands) if isinstance(each, Update)]
    groups = [first for first, name in compiled.sections if name.startswith("back")]
    assert groups[0] < updates[0] < groups[1], "before its group ends"


@pytest.mark.parametrize("batch", [128, 37])
def test_a_chunk_is_formed_in_parts(batch: int) -> None:
    """Each block of each tensor once; half a chunk at most, but for the last one, whose images are
    summed over all channels."""
    compiled = compile_whole_step(planned(), graph("resnet14", (FULL,), batch=batch))
    shapes: dict[int, ShapeOf] = {}
    formed: Counter[int] = Counter()
    for each in compiled.commands:
        if isinstance(each, ShapeOf):
            shapes[each.entry] = each
        elif isinstance(each, Form) and not each.skipped:
            shape = shapes[each.shape]
            blocks = shape.images * shape.tiles_y * shape.tiles_x
            word = compiled.parameters.word_bytes
            for group in range(shape.channel_groups):
                first = each.stash + word * group * shape.stash_group_stride
                formed.update(range(first, first + word * blocks, word))
            assert each.pooled or blocks * shape.channel_groups <= 128
    memory = compiled.memory
    stashes = [
        memory.stash[layer.name]
        for segment in memory.network.segments
        for layer in segment.layers
        if layer is not getattr(segment, "shortcut", None)
    ]
    assert formed == Counter(
        each.at(0) + word * block
        for each in stashes
        for block in range(each.grid.groups * each.group_stride)
    )


def test_what_comes_from_memory_stands_beside_the_array() -> None:
    """In the first stage back: E of the next chunk is filled in before the last gradient of this
    one, and x̂ recalled and activations recomputed before the error that needs them."""
    compiled = compile_whole_step(planned(), graph("resnet14", (FULL,), batch=24))
    first = next(first for first, name in compiled.sections if name == "back to first")
    kinds = [_kind(each) for each in compiled.commands[first:]]
    commands = compiled.commands[first:]
    last = max(n for n, kind in enumerate(kinds) if kind is Tag.GRADIENT)
    for kind in (Fill, Recompute):
        places = [n for n, each in enumerate(commands) if isinstance(each, kind)]
        assert places and max(places) < last
    fills = [n for n, each in enumerate(commands) if isinstance(each, Fill)]
    between = kinds[fills[0] : fills[-1]]
    assert Tag.GRADIENT in between and Tag.ERROR in between


def test_what_comes_back_comes_in_parts() -> None:
    """x̂ by groups of channels, or a quarter of the images, and activations in halves: nothing more
    urgent waits for all of it. Errors of a gradient take turns in all of the column memory."""
    compiled = compile_whole_step(planned(), graph("resnet14", (FULL,), batch=32))
    shapes: dict[int, ShapeOf] = {}
    moved, first = set(), next(n for n, name in compiled.sections if name == "back to first")
    for number, each in enumerate(compiled.commands):
        if isinstance(each, ShapeOf):
            shapes[each.entry] = each
        elif isinstance(each, Recall):
            assert each.channel_groups == 1 and each.blocks <= 128
        elif isinstance(each, Recompute):
            shape = shapes[each.shape]
            blocks = shape.images * shape.tiles_y * shape.tiles_x
            assert blocks * shape.channel_groups <= 128
        elif isinstance(each, Move) and number >= first:
            moved.add(4 * each.destination // compiled.parameters.buffers.column_words)
    assert moved == {0, 1, 2, 3}


def test_errors_leave_in_parts() -> None:
    """In front of a shortcut part of a chunk at a time, of which the vector unit spills few images
    between other commands; of the first stage every other chunk, as the others stay."""
    compiled = compile_whole_step(planned(), graph("resnet8", (FULL,)))
    spills = [each for each in compiled.commands if isinstance(each, Spill)]
    assert all(each.runs == 1 and each.lines <= 1024 for each in spills)
    first, second, _ = (each.outputs.lines(BATCH) for each in compiled.memory.grids)
    assert sum(each.lines for each in spills) == first // 2 + second


def _kind(command: Command) -> Tag | None:
    """The pass of a convolution."""
    return command.tag if isinstance(command, Convolve) else None


def _check_memory(compiled: WholeStep) -> None:
    """Addresses in memory are in front of the program."""
    for each in compiled.commands:
        if isinstance(each, Load | Recall | Fill | Set | Spill):
            assert compiled.base_address <= each.address < compiled.program_address
        elif isinstance(each, Quantize):
            assert each.source < each.destination < compiled.program_address
    assert compiled.memory_bytes < 1 << 29


def test_traffic_is_about_what_was_studied() -> None:
    options = IntegerOptions(inner=(8,) * 8)
    compiled = compile_whole_step(planned(), graph("resnet38", (FULL,), options))
    found = walk(compiled, FULL).bytes()
    ways = {"forward": ("FORWARD",), "backward": ("ERROR", "GRADIENT")}
    for way, tags in ways.items():
        total = sum(size for name, size in found.items() if name.endswith(tags))
        assert total / BATCH / 1000 == pytest.approx(STUDIED[way], rel=0.1)


def test_errors_of_12_bits_leave_less_side_by_side() -> None:
    compiled = compile_whole_step(planned(), graph("resnet14", (Precision(8, 8, 12),)))
    assert not compiled.residency.next_segment
    whole = compile_whole_step(
        planned(buffers__plane_words=8192 + 256), graph("resnet14", (Precision(8, 8, 12),))
    )
    assert whole.residency.next_segment and whole.residency.next_chunk


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"buffers__plane_words": 2048}, "plane memory.*2,064 words.*at most 2,048"),
        ({"buffers__gradient_words": 1024}, "gradient memory.*1,152 beats.*at most 1,024"),
        ({"vector__parameter_words": 128}, "parameter memory"),
        ({"vector__staging_words": 4096}, "staging memory.*8,192 lines.*at most 4,096"),
        ({"vector__peak_words": 128}, "peaks.*at most 128 words"),
        ({"precision__slots": 16}, "slots.*19.*at most 16"),
    ],
)
def test_small_memories_are_refused_by_name(changes: dict[str, int], match: str) -> None:
    with pytest.raises(DoesNotFit, match=match):
        compile_whole_step(planned(**changes), graph("resnet38", (FULL,)))


def test_bits_that_the_side_memory_does_not_have_are_refused() -> None:
    with pytest.raises(DoesNotFit, match="x̂ inside stage0.block0.*11.*at most 8.*side_bits"):
        compile_whole_step(
            planned(vector__side_bits=8), graph("resnet38", (FULL,), IntegerOptions())
        )
    with pytest.raises(DoesNotFit, match="residual.*12.*at most 11"):
        options = IntegerOptions(inner=(8,) * 8, residual_bits=12)
        compile_whole_step(planned(), graph("resnet8", (FULL,), options))


def test_statistics_that_the_channel_unit_does_not_have_are_refused() -> None:
    """By the compiler: its machine would say COUNT in the middle of a step."""
    mixed = IntegerOptions(inner=(8,) * 8, mixing=77)
    with pytest.raises(DoesNotFit, match="running statistics.*77/256.*--running-share 0"):
        compile_whole_step(planned(), graph("resnet8", (FULL,), mixed))
    whole = IntegerOptions(inner=(8,) * 8, chunk_rows=None)
    with pytest.raises(DoesNotFit, match="131,072.*at most 131,071; take smaller chunks"):
        compile_whole_step(planned(), graph("resnet8", (FULL,), whole))


def test_a_machine_without_a_vector_unit_is_refused() -> None:
    with pytest.raises(DoesNotFit, match="no vector unit"):
        compile_whole_step(machine("zc706"), graph("resnet8", (FULL,)))


def test_an_evaluation_is_refused() -> None:
    with pytest.raises(DoesNotFit, match="an evaluation.*training step in integers"):
        compile_whole_step(planned(), graph("resnet8", (FULL,), training=False))


def test_a_refusal_is_a_users_error() -> None:
    assert issubclass(DoesNotFit, ParameterError)


class Odd(SmallNetwork):
    """With a first convolution of another kernel."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__(8, [(8, 1)], channels=3, classes=4)
        rng = counter_numbers(1, Stream.WEIGHTS)
        shape = Shape(3, 8, kernel, stride, chosen=False)
        self.first = NormalizedConvolution("first", shape, rng, None)


class Unrectified(SmallNetwork):
    """With blocks one inside the activations of which another one's residual is read."""

    def emit(self, builder: Any) -> Any:
        pixels = builder.pixels(8, 1 / 255)
        x = builder.rectify("first.relu", self.first.emit(builder, pixels, builder.outside))
        y = self.blocks[0].emit(builder, x)
        z = self.blocks[1].second
        extent = self.blocks[1]._input_range.emit(builder, y)
        a = builder.activations("again", y, extent, 0)
        y = builder.rectify("last", builder.add("sum", z.emit(builder, a, builder.outside), x))
        return self.classifier.emit(builder, y)


@pytest.mark.parametrize(
    ("network", "match"),
    [
        (Odd(5, 1), "Convolve first.forward.*3 x 3 or 1 x 1"),
        (Odd(3, 3), "Convolve first.forward.*stride 1 or 2"),
        (Unrectified(8, [(8, 1), (8, 1)], channels=3, classes=4), "of a whole step"),
    ],
)
def test_other_networks_are_refused_by_name(network: SmallNetwork, match: str) -> None:
    options = StepOptions((FULL,), integers=BYTES)
    built = build_step(network, (4, 3, 12, 12), options)
    with pytest.raises(DoesNotFit, match=match):
        compile_whole_step(small(), built)


def compiled_small(precision: Precision = FULL) -> WholeStep:
    network = SmallNetwork(8, [(8, 1), (16, 2)], channels=3, classes=4)
    options = StepOptions((precision,), integers=IntegerOptions(chunk_rows=16))
    return compile_whole_step(small(), build_step(network, (3, 3, 8, 8), options))


def test_what_the_host_gives_must_be_the_steps() -> None:
    compiled = compiled_small(Precision(4, 4, 6))
    memory = np.zeros(compiled.memory_bytes, np.uint8)
    with pytest.raises(ParameterError, match="slot block0.*4/4/8.*at most 4/4/6"):
        compiled.tables([FULL, Precision(4, 4, 8), Precision(4, 4, 6)])
    with pytest.raises(ParameterError, match="record.*nobody"):
        compiled.pack_records(memory, StepRecords(updates={"nobody.weight": {}}))
    with pytest.raises(ParameterError, match=r"images.*\(3, 3, 8, 9\).*\(3, 3, 8, 8\)"):
        compiled.pack_images(memory, np.zeros((3, 3, 8, 9), np.uint8))
    with pytest.raises(ParameterError, match=r"errors.*\(3, 8\).*\(3, 16\)"):
        compiled.pack_errors(memory, np.zeros((3, 8), np.int64), {})


def test_whatever_skips_has_no_bits_of_anything() -> None:
    """A command looks at two operands: with bits of these two it would run."""
    compiled = compiled_small()
    precisions, _ = compiled.tables([FULL, Precision(8, 0, 8), FULL])
    assert precisions == [FULL, SKIP, FULL]


def test_many_commands_are_encoded_as_each() -> None:
    compiled = compiled_small()
    np.testing.assert_array_equal(encode_many(compiled.commands), encode_all(compiled.commands))
    np.testing.assert_array_equal(compiled.encoded, encode_all(compiled.commands))


def test_a_field_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"Fill.address.*4294967296"):
        encode_many([Fill(address=0), Fill(address=1 << 32)])
