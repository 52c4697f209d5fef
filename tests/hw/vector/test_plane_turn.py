"""The corner turn: all blocks of a bit, random ones, with rows at once and apart."""

import numpy as np
import pytest

from fractrain.hw.vector.plane_turn import PlaneTurn
from tests.hw.refusals import assert_refused
from tests.hw.verilator import Player, primitive_models


def play(turn: PlaneTurn, blocks: np.ndarray, rates: float, seed: int) -> np.ndarray:
    """Words of ``blocks[n, row, pixel, digit]``: [n, digit, pixel, channel]."""
    count, channels, pixels, _ = blocks.shape
    models = primitive_models() if turn.primitives else ""
    kind = "cells" if turn.primitives else "plain"
    player = Player(turn, f"plane_turn_{kind}_{pixels}_{channels}", models=models)
    rows = blocks.reshape(count * channels, pixels, channels)
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rows, rng.integers(0, 2, (channels, pixels, channels))])
    gaps = np.where(rng.random(len(rows)) < rates, 0, rng.integers(0, 4, len(rows)))
    at = 1 + np.cumsum(1 + gaps)
    cycles = int(at[-1]) + 2
    comes = np.zeros(cycles, np.uint8)
    comes[at - 1] = 1
    shown = rng.integers(0, 2, (cycles, pixels * channels), np.uint8)
    shown[at] = rows.reshape(len(rows), -1)
    found = player.play(comes=comes, rows=np.packbits(shown, axis=1, bitorder="little"))
    assert np.array_equal(found["place"][at], np.arange(len(at)) % channels)
    words = found["word"]
    if words.ndim == 1:
        words = words.astype("<u8").view(np.uint8).reshape(cycles, 8)
    bits = np.unpackbits(words, axis=1, bitorder="little")[:, : pixels * channels]
    return bits[at[turn.latency_rows :]].reshape(count, channels, pixels, channels)


@pytest.mark.parametrize(("channels", "primitives"), [(4, False), (8, True), (16, False)])
def test_every_bit_alone(channels: int, primitives: bool) -> None:
    turn = PlaneTurn(1, channels, primitives=primitives)
    blocks = np.eye(channels * channels, dtype=np.uint8).reshape(-1, channels, 1, channels)
    assert np.array_equal(play(turn, blocks, 1.0, 1), blocks.transpose(0, 3, 2, 1))


@pytest.mark.parametrize(
    ("pixels", "channels", "primitives"), [(3, 8, False), (2, 16, True)], ids=["plain", "cells"]
)
@pytest.mark.parametrize("rate", [0.2, 0.8, 1.0])
def test_blocks(pixels: int, channels: int, primitives: bool, rate: float) -> None:
    blocks = np.random.default_rng(3).integers(0, 2, (40, channels, pixels, channels), np.uint8)
    turn = PlaneTurn(pixels, channels, primitives=primitives)
    found = play(turn, blocks, rate, 7)
    assert np.array_equal(found, blocks.transpose(0, 3, 2, 1))


def test_refusals() -> None:
    for channels in (2, 12):
        assert_refused(lambda channels=channels: PlaneTurn(4, channels), f"got {channels}")
    assert_refused(lambda: PlaneTurn(0, 8), "pixels of a block to turn: got 0")
