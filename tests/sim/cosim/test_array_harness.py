"""The harness around the bare array: what goes in is what the array is asked, and all comes out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters, load_parameters
from fractrain.sim.cosim.array import ArraySimulation, Passes, random_passes

TINY = load_parameters("tiny")


def expected_tiles(passes: Passes, parameters: Parameters) -> NDArray[np.int64]:
    """``[tiles, beats, results_per_beat]`` by the definition of a pass, for one plane per digit."""
    array, control = parameters.array, passes.control
    counts = np.einsum("pmsk,pnsk->pmn", passes.rows.astype(np.int64), passes.columns)
    negative = control["row_negative"] ^ control["column_negative"]
    weight = np.where(negative, -1, 1) * (np.int64(1) << control["shift"].astype(np.int64))
    tiles = []
    total = np.zeros((array.rows, array.columns), np.int64)
    for index, addend in enumerate(counts * weight[:, None, None]):
        if control["valid"][index]:
            total = addend if control["first"][index] else total + addend
            if control["last"][index]:
                # column c * cluster_columns + b of every row leaves in beat b
                split = total.reshape(array.rows, parameters.column_clusters, array.cluster_columns)
                tiles.append(split.transpose(2, 0, 1).reshape(array.cluster_columns, -1))
    return np.stack(tiles)


def test_results_are_those_of_the_definition() -> None:
    passes = random_passes(TINY, 90, tile_passes=9, seed=3)
    expected = expected_tiles(passes, TINY)
    with ArraySimulation(TINY) as array:
        played = array.play(passes)
    assert np.array_equal(played.results.reshape(expected.shape), expected)
    assert np.array_equal(np.flatnonzero(played.last) % TINY.beats_per_tile, [3] * 10)
    assert played.beats == 10 * TINY.beats_per_tile


def test_passes_that_are_not_valid_change_nothing() -> None:
    passes = random_passes(TINY, 60, tile_passes=6, seed=4)
    valid = np.random.default_rng(5).integers(0, 2, 60)
    valid[passes.control["first"] | passes.control["last"] == 1] = 1
    sparse = Passes(passes.control | {"valid": valid}, passes.rows, passes.columns)
    expected = expected_tiles(sparse, TINY)
    with ArraySimulation(TINY) as array:
        played = array.play(sparse)
    assert np.array_equal(played.results.reshape(expected.shape), expected)


def test_repeats_play_the_same_again() -> None:
    passes = random_passes(TINY, 64, tile_passes=8, seed=6)
    with ArraySimulation(TINY) as array:
        once, thrice = array.play(passes), array.play(passes, repeats=3)
        summed = array.play(passes, repeats=3, keep=0)
    assert np.array_equal(thrice.results, np.tile(once.results, (3, 1)))
    assert thrice.cycles - once.cycles == 2 * len(passes)
    assert summed.results.size == 0
    assert (summed.beats, summed.checksum) == (thrice.beats, thrice.checksum)
    assert summed.checksum != once.checksum


def test_wrong_passes_are_refused() -> None:
    good = random_passes(TINY, 8, tile_passes=8, seed=7)
    with pytest.raises(ParameterError, match="tile_passes"):
        random_passes(TINY, 8, tile_passes=TINY.beats_per_tile - 1, seed=7)
    with ArraySimulation(TINY) as array:
        with pytest.raises(ParameterError, match="rows"):
            array.play(Passes(good.control, good.rows[:, :-1], good.columns))
        too_wide = good.control | {"shift": np.full(8, 64)}
        with pytest.raises(ParameterError, match="control.shift"):
            array.play(Passes(too_wide, good.rows, good.columns))
        with pytest.raises(ParameterError, match="control fields"):
            array.play(Passes({"valid": np.ones(8, int)}, good.rows, good.columns))
    with pytest.raises(MachineError, match="closed"):
        array.play(good)
