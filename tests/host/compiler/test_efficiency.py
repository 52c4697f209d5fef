"""Programs keep the array busy: what the cycle model says of them with an ideal memory."""

from __future__ import annotations

import dataclasses

import pytest

from fractrain.host.compiler import Port, Step, compile_program
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cycles import Prediction, predict
from fractrain.sim.memory_model import MemoryModel
from tests.host.compiler.running import three_passes
from tests.hw.machines import machine

IMAGES = 8


def predicted(steps: list[Step], bits: tuple[int, int, int]) -> Prediction:
    program = compile_program(machine("zc706"), steps)
    return predict(
        program.parameters,
        program.decoded,
        {0: Precision(*bits)},
        MemoryModel.ideal(),
        program_address=program.program_address,
    )


def layer(geometry: Geometry, bits: tuple[int, int, int], number: int) -> list[Step]:
    """The passes of one layer, with tensors of its own."""
    return [
        dataclasses.replace(
            each,
            row=f"{each.row}{number}",
            column=f"{each.column}{number}",
            result=f"{each.result}{number}",
            destination=Port(),
        )
        for each in three_passes(geometry, bits)
    ]


@pytest.mark.parametrize("bits", [(8, 8, 8), (4, 4, 6), (3, 3, 6)], ids=str)
@pytest.mark.parametrize(
    ("geometry", "busy"),
    [
        (Geometry(IMAGES, 16, 16, (32, 32), (3, 3), 1, 1), 0.97),
        (Geometry(IMAGES, 32, 32, (16, 16), (3, 3), 1, 1), 0.97),
        (Geometry(IMAGES, 64, 64, (8, 8), (3, 3), 1, 1), 0.97),
        (Geometry(IMAGES, 16, 32, (32, 32), (3, 3), 2, 1), 0.90),
        (Geometry(IMAGES, 32, 64, (16, 16), (3, 3), 2, 1), 0.90),
        (Geometry(1, 64, 64, (28, 28), (3, 3), 1, 1), 0.92),
    ],
    ids=str,
)
def test_one_more_layer_costs_its_passes(
    geometry: Geometry, busy: float, bits: tuple[int, int, int]
) -> None:
    """In the middle of a network; the first loads of a program nothing can hide."""
    steps = layer(geometry, bits, 0) + layer(geometry, bits, 1)
    one, two = predicted(steps, bits), predicted(steps + layer(geometry, bits, 2), bits)
    passes = two.total("BUSY") - one.total("BUSY")
    assert passes / (two.cycles - one.cycles) >= busy
