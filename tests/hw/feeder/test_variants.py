"""Every variant of a block, in every row width, against the contract's words."""

import itertools

import numpy as np
import pytest

from fractrain.hw.contract.commands import RowPixels, Variant
from fractrain.hw.feeder.variants import QUARTERS, SHOWN, BlockVariants
from tests.harness.simulation import Simulation, simulate
from tests.hw.feeder.reference import Bits, varied
from tests.hw.machines import machine

MACHINES = {
    "tiny": machine(),
    "S = 2": machine(array__spatial_bits=2, array__accumulator="behavioural"),
    "zc706": machine("zc706"),
}


def packed(bits: Bits) -> int:
    return int.from_bytes(np.packbits(bits.reshape(-1), bitorder="little").tobytes(), "little")


def defined(variant: Variant, shape: tuple[int, ...]) -> Bits:
    """Which bits of a variant have a meaning."""
    quarter = shape[1] // QUARTERS
    place = {Variant.FROM_LEFT: 0, Variant.FROM_RIGHT: quarter - 1}.get(variant)
    mask = np.ones(shape, bool)
    if place is not None:
        mask[:, np.arange(shape[1]) % quarter != place] = False
    return mask


@pytest.mark.parametrize("name", MACHINES)
def test_every_variant(name: str, rng: np.random.Generator) -> None:
    """All three at a time; what does not advance stays."""
    parameters = MACHINES[name]
    pixels = parameters.array.rows
    shape = (parameters.array.spatial_bits, pixels, parameters.block.channels)
    all_three = (1 << SHOWN) - 1

    async def body(simulation: Simulation) -> None:
        cases = list(itertools.product(RowPixels, Variant, [False, True]))
        for row_pixels, variant, zero in cases:
            word = rng.integers(0, 2, shape).astype(bool)
            three = [variant, Variant((variant + 3) % 8), Variant((variant + 6) % 8)]
            simulation.set(
                word=packed(word),
                variants=sum(each << 3 * column for column, each in enumerate(three)),
                zero=zero,
                row_pixels=row_pixels,
                advance=all_three,
            )
            await simulation.tick(BlockVariants.latency_cycles)
            simulation.set(advance=0, word=packed(~word), zero=not zero)
            await simulation.tick(2)
            width = pixels * (1, 2, 4)[row_pixels] // QUARTERS
            for column, each in enumerate(three):
                wanted = varied(word, each, width) & (not zero)
                known = packed(defined(each, shape))
                assert simulation.get("results")[column] & known == packed(wanted) & known

    simulate(BlockVariants(parameters), body)
