"""The decoder of STOREs: everything that follows from the fields, every field's whole range."""

import itertools
from random import Random

import pytest

from fractrain.hw.contract.commands import Format, RowPixels, Store, encode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import MAX_BITS
from fractrain.hw.results.decoder import StoreDecoder
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS
from tests.hw.machines import machine
from tests.hw.results.decoded_store import decoded, random_store

MACHINES = {
    "tiny": machine(),
    "one beat": machine(array__cluster_columns=1),
    "zc706, S = 8": machine("zc706", array__spatial_bits=8, array__accumulator="behavioural"),
}


def check(
    parameters: Parameters, stores: list[tuple[Store, bool]], stalls: tuple[str, str]
) -> None:
    """Decode ``stores``; without stalls, at the rate and with the latency of the docstring."""
    decoder = StoreDecoder(parameters)

    async def body(simulation: Simulation) -> None:
        source = simulation.source("tasks", stalls=stalls[0])
        sink = simulation.sink("decoded", stalls=stalls[1])
        for index, (store, skip) in enumerate(stores):
            source.send({"index": index, "command": encode(store), "skip": skip})
        await simulation.until(lambda: len(sink.items) == len(stores))
        for index, ((store, skip), task) in enumerate(zip(stores, sink.items, strict=True)):
            wanted = decoded(parameters, store, index, skip)
            found = {name: task[name] for name in task.shape().members}
            assert found == wanted
        if stalls == ("never", "never"):
            taken = [each.cycle for each in source.transfers]
            interval = StoreDecoder.INTERVAL_CYCLES
            assert taken == [taken[0] + interval * number for number in range(len(stores))]
            assert sink.cycles == [each + decoder.latency_cycles for each in taken]
        assert simulation.get("empty")

    simulate(decoder, body)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("stalls", list(itertools.product(STALLS, STALLS)), ids=str)
def test_random_stores(name: str, stalls: tuple[str, str]) -> None:
    draw = Random(f"{name} {stalls}")
    stores = [(random_store(draw), draw.random() < 0.2) for _ in range(60)]
    check(MACHINES[name], stores, stalls)


@pytest.mark.parametrize("row_pixels", RowPixels)
def test_every_edge_of_the_image(row_pixels: RowPixels) -> None:
    """All pixels of a row, all rows, and what is beyond them, on every row width."""
    draw = Random(row_pixels)
    parameters = MACHINES["tiny"]
    stores = [
        random_store(draw, row_pixels=row_pixels, valid_x=x, valid_y=y)
        for x in [*range(parameters.array.rows + 2), 255]
        for y in [*range(6), 255]
    ]
    check(parameters, [(store, False) for store in stores], ("never", "never"))


def test_every_precision() -> None:
    draw = Random(2)
    stores = [
        random_store(draw, bits=bits, signed=signed, format=Format.PLANES)
        for bits in range(1, MAX_BITS + 1)
        for signed in (False, True)
    ]
    for parameters in MACHINES.values():
        check(parameters, [(store, False) for store in stores], ("never", "never"))
