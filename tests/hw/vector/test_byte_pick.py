"""Random bytes of a word at the pixels of a block, as the contract numbers the pixels."""

import numpy as np
import pytest

from fractrain.hw.contract.commands import RowPixels, Shape
from fractrain.hw.contract.random_bits import WORD_PIXELS
from fractrain.hw.vector.byte_pick import BytePick
from fractrain.hw.vector.image_edges import MOST_PART
from fractrain.sim.functional.pixels import inside, pixel_numbers
from tests.harness.simulation import Simulation, simulate


@pytest.mark.parametrize("pixels", [16, 32])
def test_bytes_are_at_their_pixels(pixels: int) -> None:
    """All rows, filled or not, all blocks whose bytes are in one word."""
    pick = BytePick(pixels)

    async def body(simulation: Simulation) -> None:
        word = np.random.default_rng(pixels).integers(256, size=WORD_PIXELS)
        simulation.set(word=word.tolist())
        for code in RowPixels:
            for part in range(MOST_PART + 1):
                width = pixels >> (RowPixels.WHOLE - code) >> part
                runs = WORD_PIXELS // (pixels >> part)
                shape = Shape(entry=0, row_pixels=code, tiles_y=runs, valid_x=width, valid_y=pixels)
                numbers = pixel_numbers(shape, pixels)
                within = inside(shape, np.arange(runs), pixels)
                for block in range(runs):
                    simulation.set(row_pixels=code, part=part, start=block)
                    await simulation.tick()
                    found = np.array(list(simulation.get("bytes")))
                    wanted = word[numbers[block] % WORD_PIXELS]
                    np.testing.assert_array_equal(found[within[block]], wanted[within[block]])

    simulate(pick, body)
