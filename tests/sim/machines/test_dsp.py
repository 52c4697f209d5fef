"""Arrays of DSPs: what the hypothesis is for, and the formulas."""

import dataclasses
import itertools

import pytest

from fractrain.hw.contract.precision import Pass, Precision
from fractrain.sim.machines import (
    DOUBLE_PUMPED_DSP,
    PACKED_DSP,
    RECURSIVE_DSP,
    DspArray,
    Layer,
    Work,
)
from tests.sim.machines.resnet import resnet, step, works_of

BLOCK = Layer(3, 32, 1, 16, 16, 64)


def busy(machine: DspArray, precision: Precision) -> int:
    """Cycles of the three passes of a block's convolution."""
    works = (Work(BLOCK, p, (precision.bits(p.row), precision.bits(p.column))) for p in Pass)
    return sum(machine.figures(each).cycles for each in works)


@pytest.mark.parametrize(
    ("machine", "saved"), [(RECURSIVE_DSP, 0.389), (PACKED_DSP, 0.167), (DOUBLE_PUMPED_DSP, 0.167)]
)
@pytest.mark.parametrize("few", [Precision(3, 4, 6), Precision(4, 4, 8)])
def test_time_saved_with_the_candidates(machine: DspArray, saved: float, few: Precision) -> None:
    """Of FW8/BW8: what FracTrain's candidates on CIFAR make possible."""
    whole = busy(machine, Precision(8, 8, 8))
    assert 1 - busy(machine, few) / whole == pytest.approx(saved, abs=0.0006)


def test_products_a_dsp() -> None:
    for bits in itertools.product(range(1, 17), repeat=2):
        narrow, wide = min(bits), max(bits)
        if wide > 8:
            expected = 1, 1
        elif wide > 4:
            expected = (3 if narrow <= 4 else 2), 2
        else:
            expected = 4, 4
        assert (RECURSIVE_DSP.packed(bits), PACKED_DSP.packed(bits)) == expected


def test_twice_the_clock_of_the_dsps_is_half_the_time() -> None:
    one, two = busy(PACKED_DSP, Precision(8, 8, 8)), busy(DOUBLE_PUMPED_DSP, Precision(8, 8, 8))
    assert one == pytest.approx(2 * two, abs=3)
    # 900 DSPs make 1,800 products of 8 bits a cycle
    assert one == 3 * -(-BLOCK.macs // 1800)


def test_every_tensor_moves_once() -> None:
    layer = Layer(3, 16, 2, 8, 32, 4)
    inputs, results, weights = 4 * 32 * 32 * 8, 4 * 16 * 16 * 32, 9 * 8 * 32
    for pass_, read, written in (
        (Pass.FORWARD, 5 * inputs + 3 * weights, 16 * results),
        (Pass.ERROR, 5 * results + 3 * weights, 16 * inputs),
        (Pass.GRADIENT, 5 * inputs + 3 * results, 32 * weights),
    ):
        found = RECURSIVE_DSP.figures(Work(layer, pass_, (5, 3)))
        assert (found.dram_read_bits, found.dram_write_bits) == (read, written)
        assert found.macs == layer.macs


def test_memory_can_be_too_slow() -> None:
    work = Work(BLOCK, Pass.FORWARD, (4, 4))
    free = RECURSIVE_DSP.figures(work)
    slow = dataclasses.replace(RECURSIVE_DSP, dram_bits_per_cycle=64.5).figures(work)
    bits = free.dram_read_bits + free.dram_write_bits
    assert slow.cycles == -(-bits // 64.5) and slow.stall_cycles == slow.cycles - free.cycles > 0
    wide = dataclasses.replace(RECURSIVE_DSP, dram_bits_per_cycle=1e6).figures(work)
    assert wide == free and free.stall_cycles == 0


def test_energy() -> None:
    """2.33 W, 62.4 pJ a DSP and cycle, 340 pJ a byte."""
    found = RECURSIVE_DSP.figures(Work(BLOCK, Pass.FORWARD, (8, 8)))
    bytes_moved = (found.dram_read_bits + found.dram_write_bits) / 8
    expected = 2.33 * found.seconds + 62.39e-12 * 900 * found.cycles + 340e-12 * bytes_moved
    assert found.joules == pytest.approx(expected, rel=1e-3)
    assert found.seconds == found.cycles / 200e6
    # pumped twice, DSPs work as many cycles of their own in half the time
    packed, pumped = (
        each.figures(Work(BLOCK, Pass.FORWARD, (8, 8))) for each in (PACKED_DSP, DOUBLE_PUMPED_DSP)
    )
    saved = packed.joules - pumped.joules
    assert saved == pytest.approx(2.33 * (packed.seconds - pumped.seconds), rel=1e-3)


def test_a_network_is_its_layers() -> None:
    layers, precision = resnet(38, 128), Precision(8, 8, 8)
    macs, total = step(RECURSIVE_DSP, layers, precision)
    # 83.28 M a forward pass, without an error pass of the first layer
    assert macs == total.macs == pytest.approx(128 * (3 * 83.28e6 - 442_368), rel=1e-4)
    works = sum(1 for _ in works_of(layers, precision))
    assert total.cycles == pytest.approx(macs / 1800, abs=works)
