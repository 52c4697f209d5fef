"""Eyeriss: the golden rows, fetches against loops carried out, and what must hold anyway."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.sim.machines import Eyeriss, EyerissFigures, Layer, Work
from fractrain.sim.machines.eyeriss.blocking import best_blocking, fetches
from fractrain.sim.machines.eyeriss.row_stationary import UNRELATED, all_passes, divisors
from tests.sim.machines.golden_rows import golden_rows
from tests.sim.machines.resnet import resnet, step

FIGURES = ("macs", "cycles", "dram_words", "buffer_words", "array_words", "register_words")


def forward(layer: Layer, machine: Eyeriss | None = None) -> EyerissFigures:
    return (machine or Eyeriss()).figures(Work(layer, Pass.FORWARD, (8, 8)))


@pytest.mark.parametrize("row", golden_rows("eyeriss"), ids=lambda row: str(row["kernel"]))
def test_golden_rows(row: dict[str, int]) -> None:
    shape = (row[each] for each in ("kernel", "output", "stride", "inputs", "outputs"))
    half = forward(Layer(*shape, batch=16))
    assert {name: 2 * getattr(half, name) for name in FIGURES} == {
        name: row[name] for name in FIGURES
    }


@pytest.mark.parametrize("row", golden_rows("nn_dataflow"), ids=lambda row: str(row["macs"]))
def test_schedules_of_nn_dataflow(row: dict[str, int]) -> None:
    """It counts a word once that reaches several sets."""
    shape = (row[each] for each in ("kernel", "output", "stride", "inputs", "outputs", "batch"))
    machine = Eyeriss(row["height"], row["width"], copies=False)
    found = forward(Layer(*shape), machine)
    assert {name: getattr(found, name) for name in FIGURES} == {name: row[name] for name in FIGURES}


def test_replicas_count_where_there_are_some() -> None:
    once = Eyeriss(copies=False)
    layer = Layer(3, 13, 1, 256, 192, 16)
    assert 2 * forward(layer, once).array_words == 63_498_240
    layer = Layer(5, 27, 1, 48, 128, 16)
    assert forward(layer, once) == forward(layer)


# -- fetches ----------------------------------------------------------------------------------


def carried_out(outer: tuple[int, ...], middle: tuple[int, ...], inner: tuple[int, int]) -> list:
    """Of each tensor: loads from DRAM and from the buffer, of each of its blocks, counted while
    the loops run. A block is loaded when it is not the one that is there."""

    def ordered(trips: tuple[int, ...], innermost: int) -> list[int]:
        return [each for each in range(3) if each != innermost] + [innermost]

    orders = [ordered(outer, inner[0]), ordered(middle, inner[1])]
    ranges = [
        range(trips[loop])
        for trips, order in zip((outer, middle), orders, strict=True)
        for loop in order
    ]
    held: dict[tuple[int, int], tuple] = {}
    loads = [[0, 0] for _ in UNRELATED]
    blocks: list[list[set]] = [[set(), set()] for _ in UNRELATED]
    for indices in itertools.product(*ranges):
        place = [
            dict(zip(order, indices[3 * level : 3 * level + 3], strict=True))
            for level, order in enumerate(orders)
        ]
        for tensor, unrelated in enumerate(UNRELATED):
            above = tuple(place[0][loop] for loop in range(3) if loop != unrelated)
            here = above + tuple(place[1][loop] for loop in range(3) if loop != unrelated)
            for level, block in enumerate((above, here)):
                blocks[tensor][level].add(block)
                if held.get((tensor, level)) != block:
                    held[tensor, level] = block
                    loads[tensor][level] += 1
    return [
        tuple(count / len(each) for count, each in zip(*pair, strict=True))
        for pair in zip(loads, blocks, strict=True)
    ]


@settings(deadline=None)
@given(
    outer=st.tuples(*[st.integers(1, 4)] * 3),
    middle=st.tuples(*[st.integers(1, 4)] * 3),
    inner=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_fetches_are_those_of_the_loops(
    outer: tuple[int, ...], middle: tuple[int, ...], inner: tuple[int, int]
) -> None:
    """Where the innermost loops do something; others are never better than one that does."""
    found = fetches(np.array([outer, middle])[:, :, None], inner)
    carried = carried_out(outer, middle, inner)
    for (dram, buffer), (loads, nearer) in zip(found, carried, strict=True):
        assert dram[0] >= loads and buffer[0] >= nearer
        if outer[inner[0]] > 1:
            assert dram[0] == loads
            assert buffer[0] == nearer or middle[inner[1]] == 1


# -- what must hold ---------------------------------------------------------------------------

LAYERS = [
    Layer(3, 32, 1, 3, 16, 16),
    Layer(3, 32, 1, 16, 16, 16),
    Layer(3, 16, 2, 16, 32, 16),
    Layer(1, 8, 2, 32, 64, 16),
    Layer(11, 55, 4, 3, 48, 2),
]
ARRAYS = [(12, 14), (16, 16), (5, 3)]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("pass_", Pass)
def test_bounds(layer: Layer, array: tuple[int, int], pass_: Pass) -> None:
    found = Eyeriss(*array).figures(Work(layer, pass_, (4, 4)))
    assert found.cycles >= found.macs / (array[0] * array[1])
    assert found.register_words == 4 * found.macs
    assert found.buffer_words >= found.dram_words
    assert (found.dram_read_bits + found.dram_write_bits) == 16 * found.dram_words
    # each tensor crosses at least once, the output is written at least once
    convolution = {
        Pass.FORWARD: layer,
        Pass.ERROR: layer.error,
        Pass.GRADIENT: Layer(
            layer.output, layer.kernel, 1, layer.batch, layer.outputs, layer.inputs
        ),
    }[pass_]
    results = convolution.output**2 * convolution.outputs * convolution.batch
    assert found.dram_write_bits >= 16 * results
    assert found.macs == convolution.macs


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("array", ARRAYS)
def test_passes_do_all_macs(layer: Layer, array: tuple[int, int]) -> None:
    """Folds and replicas of a set, times the passes, hold every pair of channels and image."""
    for passes in all_passes(layer, *array, copies=True):
        per_cycle = layer.macs / passes.cycles
        assert per_cycle <= array[0] * array[1]
        filters, inputs, outputs = passes.dram_words
        assert filters == layer.kernel**2 * layer.inputs * layer.outputs
        assert outputs == layer.output**2 * layer.outputs * layer.batch
        width = (layer.output - 1) * layer.stride + layer.kernel
        # rows at the seams of a folded output are read for both parts
        assert inputs >= width**2 * layer.inputs * layer.batch


@pytest.mark.parametrize(("buffer_words", "times"), [(600, 32), (5000, 1)])
def test_the_search_minimizes_what_the_figures_have(buffer_words: int, times: int) -> None:
    """Outputs that do not stay in a small buffer are written many times, and read once less."""
    layer = Layer(1, 1, 1, 1024, 64, 64)
    blockings = [
        best_blocking(each, buffer_words, 256) for each in all_passes(layer, 16, 16, copies=True)
    ]
    best = min(blockings, key=lambda each: each.cost)
    found = forward(layer, Eyeriss(buffer_words=buffer_words))
    moved = 200 * found.dram_words + 6 * found.buffer_words + 2 * found.array_words
    assert best.cost == moved
    assert best.dram_fetches[2] == times
    assert found.dram_write_bits == 16 * 64 * 64 * times
    operands = 1024 * 64 * (best.dram_fetches[0] + best.dram_fetches[1])
    assert found.dram_read_bits == 16 * (operands + 64 * 64 * (times - 1))


def test_bits_change_nothing_and_memory_helps() -> None:
    layer = LAYERS[1]
    work = [Work(layer, Pass.FORWARD, bits) for bits in ((2, 2), (16, 16))]
    assert Eyeriss().figures(work[0]) == Eyeriss().figures(work[1])
    small, large = (forward(layer, Eyeriss(buffer_words=2**n)) for n in (13, 18))
    assert large.joules < small.joules and large.cycles == small.cycles
    fewer, more = (forward(layer, Eyeriss(register_words=n)) for n in (16, 1024))
    assert more.buffer_words < fewer.buffer_words
    slow, fast = (forward(layer, Eyeriss(clock_mhz=mhz)) for mhz in (200, 500))
    assert slow.seconds == pytest.approx(2.5 * fast.seconds) and slow.joules == fast.joules


def test_energy_of_memory_is_an_option() -> None:
    layer = LAYERS[1]
    fifteen, six = forward(layer), forward(layer, Eyeriss(dram_picojoules=6))
    assert fifteen.joules - six.joules == pytest.approx(9e-12 * 16 * six.dram_words)
    # as Bit Fusion's authors convert: 0.15 of TETRIS' 200
    units = six.macs + six.register_words + 2 * six.array_words + 6 * six.buffer_words
    assert six.joules == pytest.approx(3.2e-12 * (units + 0.15 * 200 * six.dram_words))


def test_resnet38_is_where_the_reference_has_it() -> None:
    """Computed elsewhere from the same formulas: 95.9 MACs a cycle on 12 x 14 PEs, 207.7 on
    16 x 16, 19.7 pJ/MAC."""
    layers, precision = resnet(38, 16), Precision(8, 8, 8)
    for array, per_cycle in (((12, 14), 95.9), ((16, 16), 207.7)):
        macs, total = step(Eyeriss(*array), layers, precision)
        assert macs / total.cycles == pytest.approx(per_cycle, rel=0.003)
        assert total.joules / macs * 1e12 == pytest.approx(19.7, rel=0.03)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ParameterError, match="in each register file"):
        forward(Layer(200, 10, 1, 4, 4, 1))
    with pytest.raises(ParameterError, match="words in the buffer"):
        forward(LAYERS[1], Eyeriss(buffer_words=100))


def test_divisors() -> None:
    for number in range(1, 200):
        assert divisors(number) == [n for n in range(1, number + 1) if number % n == 0]
