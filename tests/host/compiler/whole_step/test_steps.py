"""Whole training steps of small networks on the functional machine, bit for bit as golden's:
weights, momenta, moments of all chunks, peaks, pooled sums."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.compiler.whole_step import DoesNotFit
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.vector_parameters import VECTOR_DEFAULTS
from fractrain.sim.functional import Order
from tests.host.compiler.whole_step.golden_step import CLASSES, GoldenStep
from tests.host.compiler.whole_step.running import Stepped, small
from tests.host.compiler.whole_step.small_network import SmallNetwork
from tests.hw.machines import machine

SKIP = Precision(0, 0, 0)
A, B, WIDE = Precision(4, 4, 6), Precision(3, 4, 8), Precision(8, 8, 12)
Blocks = Sequence[tuple[int, int]]
HALVED: Blocks = [(8, 1), (16, 2)]
PLANES = {"buffers__plane_words": 1100}


@pytest.fixture(scope="module")
def golden() -> Iterator[Accelerator]:
    with open_accelerator("golden") as accelerator:
        yield accelerator


def step(
    golden: Accelerator,
    blocks: Blocks,
    precisions: Sequence[Precision],
    *,
    filters: int = 8,
    side: int = 8,
    batch: int = 5,
    rows: int | None = 16,
    learns: bool = False,
    **options: Any,
) -> GoldenStep:
    """Of a first convolution and ``blocks`` of filters and stride; chunks of ``rows`` rows."""
    network = SmallNetwork(filters, blocks, channels=3, classes=CLASSES)
    chosen = IntegerOptions(chunk_rows=rows, **options)
    given = "", side, batch, precisions, chosen
    return GoldenStep(golden, *given, network=network, learns=learns)


def test_a_residual_network(golden: Accelerator) -> None:
    """Three stages, whose chunks have 2, 4 and 8 images of 5; slots of unlike bits."""
    chosen = IntegerOptions(chunk_rows=16)
    given = GoldenStep(golden, "resnet8", 8, 5, (A, B, Precision(8, 8, 8)), chosen)
    Stepped(given, small()).check()


@pytest.mark.parametrize("order", Order)
def test_any_order_of_the_stages(golden: Accelerator, order: Order) -> None:
    """Tokens alone keep a program right, with memories that are used again and again: leave out
    those between any two stages, and one of the orders fails."""
    given = step(golden, HALVED, (Precision(4, 4, 12), B), side=16, rows=32)
    p = small(
        {"staging_words": 512, "side_words": 512},
        buffers__plane_words=900,
        buffers__column_words=64,
    )
    Stepped(given, p, order).check()


@pytest.mark.parametrize(
    "precisions",
    [(SKIP, A, SKIP, B), (A, SKIP, B, SKIP), (SKIP, SKIP, SKIP, SKIP)],
    ids=["odd", "even", "all"],
)
def test_skipped_blocks(golden: Accelerator, precisions: Sequence[Precision]) -> None:
    blocks = [(8, 1), (8, 1), (16, 2), (16, 1)]
    given = step(golden, blocks, precisions, batch=7)
    Stepped(given, small(), Order.RESULT_FIRST).check()


def test_one_program_for_all_bits(golden: Accelerator) -> None:
    """The program does not depend on the bits that are chosen: of two steps of one graph, only
    tables and records differ."""
    blocks, choices = HALVED, ((A, SKIP), (SKIP, WIDE), (WIDE, A))
    every = tuple(dict.fromkeys(each for pair in choices for each in pair))
    steps = []
    for pair in choices:
        network = SmallNetwork(8, blocks, channels=3, classes=CLASSES)
        chosen = IntegerOptions(chunk_rows=16)
        given = GoldenStep(golden, "", 8, 5, pair, chosen, network=network, others=every)
        steps.append(Stepped(given, small()))
    for each in steps:
        each.check()
        assert each.compiled.encoded.tobytes() == steps[0].compiled.encoded.tobytes()


def test_a_step_leaves_nothing_behind(golden: Accelerator) -> None:
    """The same step on the memories that it has left: peaks, moments, gradients begin anew."""
    stepped = Stepped(step(golden, HALVED, (A, B)), small())
    stepped.run(Order.VECTOR_FIRST)
    stepped.check()


def test_groups_are_as_large_as_the_gradient_memory(golden: Accelerator) -> None:
    """Errors cross memory between groups of segments, weights descend at the end of each."""
    blocks, precisions = [(8, 1), (8, 1), (16, 2), (16, 1), (16, 1)], (A, B, A, B, A)
    given = step(golden, blocks, precisions, batch=4)
    few = Stepped(given, small(buffers__gradient_words=160))
    few.check()
    many = Stepped(given, small())
    many.check()
    assert len(few.compiled.commands) > len(many.compiled.commands)


@pytest.mark.parametrize("blocks", [[(16, 1), (16, 1)], [(16, 2), (32, 2)]], ids=["same", "first"])
def test_stages_of_one_segment(golden: Accelerator, blocks: Blocks) -> None:
    """A shortcut of stride 1 begins a stage, too; the first convolution may be all of one."""
    Stepped(step(golden, blocks, (A, B), batch=4), small(), Order.VECTOR_FIRST).check()


@pytest.mark.parametrize("side", [2, 4])
def test_rows_that_are_not_filled(golden: Accelerator, side: int) -> None:
    Stepped(step(golden, HALVED, (A, B), side=side), small()).check()


def test_channels_that_fill_no_group(golden: Accelerator) -> None:
    given = step(golden, [(12, 1), (20, 2)], (A, B), filters=12)
    Stepped(given, small(), Order.EXECUTE_FIRST).check()


def test_all_options(golden: Accelerator) -> None:
    """A residual of 11 bits, much of x̂, gates that read means and shares."""
    options = {"residual_bits": 11, "inner": (11,) * 8, "outer": (8,) * 8}
    given = step(golden, HALVED, (A, WIDE), learns=True, **options)
    assert len(given.wanted.pooled) == 3
    Stepped(given, small()).check()


@pytest.mark.parametrize(
    ("blocks", "memories", "changes", "residency", "groups"),
    [
        (HALVED, {"side_words": 256}, {}, (1, True, True), 2),
        (HALVED, {"staging_words": 512}, {"buffers__column_words": 64}, (2, True, True), 1),
        (HALVED, {}, PLANES, (2, True, True), 1),
        (HALVED, {}, PLANES | {"buffers__gradient_words": 150}, (2, False, True), 2),
        (HALVED, {}, {"buffers__plane_words": 900}, (2, True, False), 2),
        ([(8, 1), (8, 1)], {}, {"buffers__plane_words": 700}, (2, False, False), 1),
    ],
    ids=["side", "staging", "planes", "gradients", "fewer", "few"],
)
def test_less_on_the_chip(
    golden: Accelerator,
    blocks: Blocks,
    memories: dict[str, int],
    changes: dict[str, int],
    residency: tuple[int, bool, bool],
    groups: int,
) -> None:
    """Smaller memories: less runs side by side, stages do not hand errors on, and the numbers are
    the same."""
    given = step(golden, blocks, (WIDE, WIDE), side=16, rows=32)
    found = Stepped(given, small(memories, **changes))
    found.check()
    assert dataclasses.astuple(found.compiled.residency) == residency
    back = [name for _, name in found.compiled.sections if name.startswith("back to")]
    assert len(back) == groups


def test_blocks_of_16_channels(golden: Accelerator) -> None:
    """The machine that is to carry it, with the memories that it should have."""
    p = planned()
    given = step(golden, [(16, 1), (32, 2)], (A, B), filters=16, side=16, batch=3, rows=32)
    Stepped(given, p, Order.VECTOR_FIRST).check()


def planned(**changes: Any) -> Parameters:
    vector = dataclasses.asdict(VECTOR_DEFAULTS[16])
    given = {"buffers__plane_words": 6912, "buffers__gradient_words": 1536}
    return machine("zc706", **given | {"vector": vector} | changes)


PRECISIONS = st.one_of(
    st.just(SKIP), st.builds(Precision, *[st.integers(1, 8)] * 2, st.integers(2, 12))
)
BLOCKS = st.lists(
    st.tuples(st.sampled_from(["identity", "halved", "wider"]), PRECISIONS), min_size=1, max_size=3
)


@given(
    kinds=BLOCKS,
    filters=st.sampled_from([8, 12]),
    side=st.sampled_from([2, 4, 8]),
    batch=st.integers(3, 6),
    rows=st.sampled_from([8, 16, 32, None]),
    staging=st.sampled_from([256, 512, 8192]),
    planes=st.sampled_from([512, 1024, 8192]),
    gradients=st.sampled_from([200, 400, 2048]),
    residual_bits=st.sampled_from([8, 8, 13]),
    order=st.sampled_from(Order),
)
@settings(max_examples=10, deadline=None, phases=[Phase.generate])  # slow to shrink
def test_any_network(
    golden: Accelerator,
    kinds: list[tuple[str, Precision]],
    filters: int,
    side: int,
    batch: int,
    rows: int | None,
    staging: int,
    planes: int,
    gradients: int,
    residual_bits: int,
    order: Order,
) -> None:
    """Right, or refused for a memory."""
    blocks, width = [], filters
    for kind, _ in kinds:
        width += 0 if kind == "identity" else 8
        blocks.append((width, 2 if kind == "halved" else 1))
    given = step(
        golden,
        blocks,
        [precision for _, precision in kinds],
        filters=filters,
        side=side,
        batch=batch,
        rows=rows,
        residual_bits=residual_bits,
    )
    p = small(
        {"staging_words": staging},
        buffers__plane_words=planes,
        buffers__gradient_words=gradients,
    )
    try:
        stepped = Stepped(given, p, order)
    except DoesNotFit as refused:
        assert refused.name.split()[1] == "memory" or refused.name.startswith("width")
        return
    stepped.check()
