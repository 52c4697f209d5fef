"""Compiled programs on the emulator against the golden model: any layer, any machine."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fractrain.host.compiler import Planes, Port, Raw, Step, compile_program, planning
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.commands import Convolve, Load, decode
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.sim.functional import Order
from tests.host.compiler.running import check, random_operands, run, three_passes
from tests.hw.machines import machine

WIDTHS = st.integers(1, 16)


@st.composite
def geometries(draw: st.DrawFn, largest: int = 24) -> Geometry:
    """Mostly what the engine's windows know."""
    usual = draw(st.integers(0, 9)) > 0
    side = draw(st.sampled_from([1, 3]))
    kernel = (side, side) if usual else (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    stride = draw(st.integers(1, 2 if usual else 3))
    padding = draw(st.integers(0, 1 if usual else 3))
    size = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    assume(all(s + 2 * padding >= k for s, k in zip(size, kernel, strict=True)))
    return Geometry(
        draw(st.integers(1, 5)),
        draw(st.integers(1, 40)),
        draw(st.integers(1, 40)),
        size,
        kernel,
        stride,
        padding,
    )


@given(
    geometry=geometries(),
    bits=st.tuples(WIDTHS, WIDTHS, WIDTHS),
    less=st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
    spatial=st.sampled_from([1, 1, 2, 4, 8]),
    order=st.sampled_from(Order),
    port=st.booleans(),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_any_layer(
    geometry: Geometry,
    bits: tuple[int, int, int],
    less: tuple[int, int, int],
    spatial: int,
    order: Order,
    port: bool,
    seed: int,
) -> None:
    """All passes, at fewer bits than are stored too; nothing in any order of the stages."""
    p = machine(array__spatial_bits=spatial)
    precision = Precision(
        *(max(stored - fewer, 0) for stored, fewer in zip(bits, less, strict=True))
    )
    steps = [
        dataclasses.replace(each, slot=3, destination=Port() if port else Raw())
        for each in three_passes(geometry, bits)
    ]
    check(p, steps, {3: precision}, seed, [order], base=1 << 20)


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(2, 16, 16, (32, 32), (3, 3), 1, 1),
        Geometry(2, 16, 32, (32, 32), (3, 3), 2, 1),
        Geometry(2, 16, 32, (32, 32), (1, 1), 2, 0),
        Geometry(3, 64, 64, (8, 8), (3, 3), 1, 1),
        Geometry(1, 48, 40, (14, 14), (3, 3), 1, 1),
        Geometry(2, 64, 32, (7, 7), (3, 3), 1, 1),
        Geometry(1, 64, 64, (28, 28), (3, 3), 2, 1),
        Geometry(1, 16, 16, (56, 56), (3, 3), 1, 1),
        Geometry(1, 3, 8, (112, 112), (3, 3), 2, 1),
        Geometry(1, 3, 16, (40, 40), (7, 7), 2, 3),
    ],
    ids=str,
)
def test_layers_of_networks_on_the_preset(geometry: Geometry) -> None:
    check(machine("zc706"), three_passes(geometry, (4, 3, 5)), {0: Precision(4, 3, 5)})


@pytest.mark.parametrize("pass_", range(3))
@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(1, 64, 64, (56, 56), (3, 3), 1, 1),
        Geometry(1, 128, 128, (28, 28), (3, 3), 1, 1),
        Geometry(1, 256, 256, (14, 14), (3, 3), 1, 1),
        Geometry(1, 512, 512, (7, 7), (3, 3), 1, 1),
        Geometry(1, 64, 128, (56, 56), (3, 3), 2, 1),
        Geometry(1, 256, 512, (14, 14), (1, 1), 2, 0),
    ],
    ids=str,
)
def test_layers_of_imagenet_networks_on_the_preset(geometry: Geometry, pass_: int) -> None:
    """The stages of ResNet-18 at few bits: how work is cut depends on channels and pixels."""
    check(machine("zc706"), [three_passes(geometry, (2, 1, 2))[pass_]], {0: Precision(2, 1, 2)})


@pytest.mark.parametrize("pass_", range(3))
@pytest.mark.parametrize("size", [1, 8])
@pytest.mark.parametrize("preset", ["tiny", "zc706"])
def test_more_images_than_a_command_takes(preset: str, size: int, pass_: int) -> None:
    images = 5000
    assert images > planning.MOST_IMAGES
    geometry = Geometry(images, 8, 8, (size, size), (1, 1), 1, 0)
    check(machine(preset), [three_passes(geometry, (2, 2, 2))[pass_]], {0: Precision(2, 2, 2)})


@pytest.mark.parametrize("pass_", range(3))
@pytest.mark.parametrize(
    ("geometry", "bits"),
    [
        (Geometry(1, 8, 8, (300, 9), (3, 3), 1, 1), (8, 2, 8)),  # strips
        (Geometry(1, 8, 8, (70, 100), (3, 3), 2, 1), (8, 2, 8)),
        (Geometry(1, 8, 8, (20, 1100), (3, 3), 1, 1), (2, 2, 2)),  # as a matrix product
        (Geometry(2, 200, 8, (5, 5), (3, 3), 1, 1), (8, 16, 3)),  # a part of the slices at a time
        (Geometry(2, 8, 200, (5, 5), (3, 3), 2, 1), (3, 16, 8)),
        (Geometry(5, 90, 70, (3, 3), (3, 3), 1, 1), (2, 2, 2)),  # rounds of gradient tiles
        (Geometry(1, 700, 8, (1, 1), (1, 1), 1, 0), (3, 3, 3)),
        (Geometry(2, 18, 4, (6, 110), (1, 1), 1, 2), (16, 11, 3)),  # one group would fit, not two
    ],
    ids=str,
)
def test_what_does_not_fit_at_once(
    geometry: Geometry, bits: tuple[int, int, int], pass_: int
) -> None:
    step = three_passes(geometry, bits)[pass_]
    for spatial in (1, 4):
        check(machine(array__spatial_bits=spatial), [step], {0: Precision(*bits)})


def test_gradients_beyond_the_accumulators_are_summed_by_the_host() -> None:
    p = machine()
    g = Geometry(5, 1, 1, (128, 128), (1, 1))
    step = three_passes(g, (16, 16, 16))[2]
    program = compile_program(p, [step])
    operands = {"a": np.full(g.activations, 2**16 - 1), "e": np.full(g.errors, -(2**15))}
    results, _ = run(program, operands, {0: Precision(16, 16, 16)})
    assert int(np.asarray(results["dw"]).item()) == -(2**16 - 1) * 2**15 * 5 * 128**2


# -- several steps ---------------------------------------------------------------------------------


def network() -> list[Step]:
    """Two layers and a shortcut, chained in memory, and all backward passes from the host."""
    first = Geometry(2, 8, 16, (16, 16), (3, 3), 1, 1)
    second = Geometry(2, 16, 24, (16, 16), (3, 3), 2, 1)
    short = Geometry(2, 8, 24, (16, 16), (1, 1), 2, 0)
    planes = Planes(6, shift=5)
    return [
        Step(Pass.FORWARD, first, 0, "x", "w1", "a1", (8, 4), planes),
        Step(Pass.FORWARD, second, 1, "a1", "w2", "y2", (6, 5)),
        Step(Pass.FORWARD, short, 2, "x", "w3", "y3", (8, 8), Port()),
        Step(Pass.GRADIENT, second, 1, "a1", "e2", "dw2", (6, 7)),
        Step(Pass.ERROR, second, 1, "e2", "w2", "dx2", (7, 5)),
        Step(Pass.ERROR, short, 2, "e2", "w3", "dx3", (7, 8), Port()),
        Step(Pass.GRADIENT, first, 0, "x", "e1", "dw1", (8, 6)),
    ]


@pytest.mark.parametrize("preset", ["tiny", "zc706"])
@pytest.mark.parametrize(
    "precisions",
    [
        {0: Precision(8, 4, 6), 1: Precision(6, 5, 7), 2: Precision(8, 8, 7)},
        {0: Precision(3, 4, 2), 1: Precision(4, 0, 5), 2: Precision(1, 1, 1)},
        {0: Precision(8, 4, 0), 1: Precision(6, 5, 7), 2: Precision(0, 8, 7)},
    ],
    ids=str,
)
def test_a_network_is_one_program(preset: str, precisions: dict[int, Precision]) -> None:
    check(machine(preset), network(), precisions, orders=list(Order))


@given(
    geometry=geometries(largest=20),
    planes=st.builds(Planes, st.integers(1, 16), st.integers(0, 20), st.booleans()),
    backward=st.booleans(),
    spatial=st.sampled_from([1, 4]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=20, deadline=None)
def test_results_in_planes(
    geometry: Geometry, planes: Planes, backward: bool, spatial: int, seed: int
) -> None:
    step = three_passes(geometry, (5, 4, 6))[backward]
    step = dataclasses.replace(step, destination=planes)
    check(machine(array__spatial_bits=spatial), [step], {0: Precision(5, 4, 6)}, seed)


def test_weights_and_activations_are_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everything fits on the chip, every word is read once (but at the very beginning)."""
    monkeypatch.setattr(planning, "WARM_UP_STRIPS", 1)
    p = machine("zc706")
    g = Geometry(4, 32, 32, (16, 16), (3, 3), 1, 1)
    step = three_passes(g, (4, 4, 4))[0]
    program = compile_program(p, [step])
    loads = [c for c in decoded(program.commands) if isinstance(c, Load)]
    words = sum(load.runs * load.words for load in loads)
    assert words == 2 * 2 * 5 + 2 * 4 * 8


def test_loads_run_ahead() -> None:
    """Between the convolutions of one chunk are the loads of the next."""
    p = machine("zc706")
    g = Geometry(32, 64, 64, (8, 8), (3, 3), 1, 1)
    commands = decoded(compile_program(p, three_passes(g, (8, 8, 8))).commands)
    convolutions = [i for i, c in enumerate(commands) if isinstance(c, Convolve)]
    loads = [i for i, c in enumerate(commands) if isinstance(c, Load)]
    assert sum(i > convolutions[0] for i in loads) > len(loads) // 2
    waiting = [commands[i].wait for i in convolutions]
    assert 0 in waiting and 1 in waiting


def decoded(commands: np.ndarray) -> list:
    return [decode(int.from_bytes(each.tobytes(), "little")) for each in commands]


# -- what is refused -------------------------------------------------------------------------------


def test_refusals() -> None:
    p = machine()
    g = Geometry(1, 8, 8, (8, 8), (3, 3), 1, 1)
    step = Step(Pass.FORWARD, g, 0, "a", "w", "y")
    for steps, text in (
        ([], "steps"),
        ([dataclasses.replace(step, slot=99)], "slot"),
        ([step, dataclasses.replace(step, stored_bits=(4, 8), result="z")], "bits and sign of a"),
        ([step, step], "result"),
        (
            [dataclasses.replace(three_passes(g, (4, 4, 4))[2], destination=Planes(4))],
            "destination",
        ),
        (
            [
                dataclasses.replace(step, destination=Planes(8)),
                Step(Pass.FORWARD, dataclasses.replace(g, padding=2), 0, "y", "v", "z"),
            ],
            "operand y",
        ),
    ):
        with pytest.raises(ParameterError, match=text):
            compile_program(p, steps)
    program = compile_program(p, [step])
    operands = random_operands(program, np.random.default_rng(0))
    with pytest.raises(ParameterError, match="named w"):
        program.pack({"a": operands["a"]})
    with pytest.raises(ParameterError, match="shape"):
        program.pack(operands | {"w": operands["w"][:, :4]})
    with pytest.raises(ParameterError, match="slot 0"):
        program.check_precisions({0: Precision(9, 8, 8)})
