"""The array multiplies matrices of any precision, in every form, with results on time."""

import dataclasses
import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from fractrain.hw.contract.parameters import (
    CHANNELS,
    SPATIAL_BITS,
    ArrayParameters,
    load_parameters,
)
from fractrain.hw.contract.precision import MAX_BITS
from fractrain.hw.mac.array import Flavour, MacArray
from fractrain.hw.mac.cluster import Cluster
from fractrain.hw.mac.unit import UnitParameters
from tests.hw.mac.passes import Operand, Stimulus, Tile, read_tiles
from tests.hw.machines import machine
from tests.hw.refusals import assert_refused
from tests.hw.verilator import Player, primitive_models

PRIMITIVES = {"dot": "lut6", "accumulator": "dsp48e1"}
PLAIN = {"dot": "inferred", "accumulator": "behavioural"}
FORMS = {
    "primitives": (Flavour.SYNTHESIS, PRIMITIVES),
    "plain": (Flavour.SYNTHESIS, PLAIN),
    "simulation": (Flavour.SIMULATION, PRIMITIVES),
}


def array_of(**changes: object) -> ArrayParameters:
    """The array of ``tiny`` with ``changes``; of any size, which no engine can have."""
    return dataclasses.replace(load_parameters("tiny").array, **changes)


# Sizes shrink as a unit grows; all have several clusters, rows and columns of unequal number.
SMALL = {
    1: dict(rows=4, columns=4, lanes=8, cluster_rows=4, cluster_columns=2),
    2: dict(rows=4, columns=2, lanes=8, cluster_rows=2, cluster_columns=2),
    4: dict(rows=2, columns=2, lanes=4, cluster_rows=1, cluster_columns=2),
    8: dict(rows=2, columns=1, lanes=2, cluster_rows=1, cluster_columns=1),
}


class AllForms(wiring.Component):
    """The same array from primitives, in plain logic and for simulation, on the same inputs."""

    def __init__(self, parameters: ArrayParameters, names: Iterable[str] = tuple(FORMS)) -> None:
        self.parameters = parameters
        self.arrays = {}
        for name in names:
            flavour, styles = FORMS[name]
            self.arrays[name] = MacArray(dataclasses.replace(parameters, **styles), flavour=flavour)
        members = self.arrays["simulation"].signature.members
        results = {name: Out(members["results"].shape) for name in self.arrays}
        inputs = {name: members[name] for name in ("control", "rows", "columns")}
        super().__init__(inputs | results)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, array in self.arrays.items():
            m.submodules[name] = array
            m.d.comb += [
                array.control.eq(self.control),
                array.rows.eq(self.rows),
                array.columns.eq(self.columns),
                getattr(self, name).eq(array.results),
            ]
        return m


def play(player: Player, tiles: list[Tile], rng: np.random.Generator, bubbles: float) -> None:
    """Every form gives every tile's product, each beat in its cycle."""
    design = player.design
    parameters = design.parameters
    stimulus = Stimulus(parameters, rng, bubbles)
    for tile in tiles:
        stimulus.add(tile)
    latency = design.arrays["simulation"].latency_cycles
    stimulus.drain(latency + parameters.beats_per_tile + 4)
    outputs = player.play(**stimulus.ports())
    expected = [tile.product(parameters.spatial_bits) for tile in tiles]
    for name, array in design.arrays.items():
        assert array.latency_cycles == latency
        starts = [cycle + latency for cycle in stimulus.last_cycles]
        got = read_tiles(parameters, outputs[name], starts)
        for number, (matrix, wanted) in enumerate(zip(got, expected, strict=True)):
            assert np.array_equal(matrix, wanted), f"{name}, tile {number}: {tiles[number]}"


@pytest.fixture(scope="module", params=sorted(SMALL))
def small(request: pytest.FixtureRequest) -> Player:
    planes = request.param
    parameters = array_of(spatial_bits=planes, **SMALL[planes])
    return Player(AllForms(parameters), f"arrays_{planes}", models=primitive_models())


def random_tile(
    array: ArrayParameters,
    rng: np.random.Generator,
    bits: tuple[int, int],
    signed: tuple[bool, bool],
    slices: int = 1,
) -> Tile:
    return Tile(
        Operand.random(rng, (slices, array.rows, array.lanes), bits[0], signed[0]),
        Operand.random(rng, (slices, array.columns, array.lanes), bits[1], signed[1]),
    )


def test_every_precision(small: Player, rng: np.random.Generator) -> None:
    """All pairs of 1..16 bits, signed and unsigned, tile after tile without a bubble."""
    parameters = small.design.parameters
    widths = range(1, MAX_BITS + 1)
    tiles = [
        random_tile(parameters, rng, (row, column), (row_signed, column_signed))
        for row in widths
        for column in widths
        for row_signed in (False, True)
        for column_signed in (False, True)
        # at one bit a pass, every pair of widths takes 74,000 cycles with all pairs of signs:
        # alternate them instead
        if parameters.spatial_bits > 1 or (row + column + row_signed + column_signed) % 2
    ]
    play(small, tiles, rng, bubbles=0)


def test_bubbles_and_slices(small: Player, rng: np.random.Generator) -> None:
    """Sums over several slices, with cycles that must change nothing anywhere in between."""
    parameters = small.design.parameters
    tiles = [
        random_tile(
            parameters,
            rng,
            tuple(rng.integers(1, 7, 2)),
            tuple(rng.integers(0, 2, 2).astype(bool)),
            int(rng.integers(1, 4)),
        )
        for _ in range(60)
    ]
    play(small, tiles, rng, bubbles=0.4)


def extreme_tiles(array: ArrayParameters, slices: int) -> list[Tile]:
    """All -2^15 and all 2^16 - 1, the greatest sums there are of either sign."""

    def constant(vectors: int, value: int, signed: bool) -> Operand:
        values = np.full((slices, vectors, array.lanes), value)
        return Operand(values, MAX_BITS, signed)

    least, most = (-(1 << MAX_BITS - 1), True), ((1 << MAX_BITS) - 1, False)
    return [
        Tile(constant(array.rows, *row), constant(array.columns, *column))
        for row in (least, most)
        for column in (least, most)
    ]


@pytest.mark.parametrize("planes", [1, 2, 4, 8])
def test_extremes_at_144_lanes(planes: int, rng: np.random.Generator) -> None:
    """16 x 16 bits at the lanes of the ZC706 do not overflow; nor do 30 slices of it."""
    parameters = array_of(
        rows=1, columns=1, lanes=144, spatial_bits=planes, cluster_rows=1, cluster_columns=1
    )
    # More planes as primitives are hundreds of trees, which are tested by themselves.
    forms = ["primitives", "simulation"] if planes == 1 else ["simulation"]
    player = Player(AllForms(parameters, forms), f"extremes_{planes}", models=primitive_models())
    play(player, extreme_tiles(parameters, slices=1), rng, bubbles=0)
    play(player, extreme_tiles(parameters, slices=30), rng, bubbles=0)


def test_latency_of_the_presets() -> None:
    """Operand register, count, four of the DSP48E1, capture, multiplexer."""
    for config in ("tiny", "zc706"):
        for flavour in Flavour:
            unit = UnitParameters.of(load_parameters(config).array, flavour)
            assert unit.total_cycle == 6
            assert Cluster.latency_of(unit) == 1 + 6 + 4 + 1 + 1


def test_accumulator_that_does_not_fit_is_refused() -> None:
    parameters = array_of(lanes=1024, spatial_bits=8, **PRIMITIVES)
    assert_refused(lambda: MacArray(parameters, flavour=Flavour.SYNTHESIS), "behavioural")


@pytest.mark.parametrize(("planes", "most"), [(2, 455), (4, 291), (8, 258)])
def test_as_many_lanes_as_a_dsp48e1_can_shift(planes: int, most: int) -> None:
    """A total of t bits with its sign, shifted by 2 (16 - S) <= 16 + (25 - t)."""
    for lanes in (most - 1, most):
        UnitParameters.of(array_of(spatial_bits=planes, lanes=lanes), Flavour.SYNTHESIS)
    wide = array_of(spatial_bits=planes, lanes=most + 1)
    assert_refused(lambda: UnitParameters.of(wide, Flavour.SYNTHESIS), "array.accumulator: behav")
    UnitParameters.of(dataclasses.replace(wide, **PLAIN), Flavour.SYNTHESIS)


def test_a_dsp48e1_can_shift_the_sums_of_every_engine() -> None:
    for channels, planes in itertools.product(CHANNELS, SPATIAL_BITS):
        for max_bits in range(planes, MAX_BITS + 1, planes):
            sizes = {"block__channels": channels, "precision__max_bits": max_bits}
            engine = machine(array__spatial_bits=planes, **sizes)
            UnitParameters.of(engine.array, Flavour.SYNTHESIS)
