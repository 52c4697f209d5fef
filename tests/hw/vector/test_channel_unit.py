"""Channels forward and back as the definition has them, at its ends, at any pace."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.normalized import Format, inner_format, outer_format
from fractrain.hw.contract.numerics import LIFTED_FRACTION
from fractrain.hw.vector.channel_unit import (
    LEAST_SHIFT,
    MOST_SHIFT,
    ChannelUnit,
    channel_result,
    channel_task,
)
from fractrain.hw.vector.reciprocal_table import entries
from fractrain.sim.golden.step import backward, forward
from fractrain.sim.golden.step.backward import ErrorMoments, Gain
from fractrain.sim.golden.step.forward import Moments, Normalizer
from fractrain.sim.golden.step.reciprocal import reciprocal_table
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS
from tests.hw.vector.beats import ends_and_random, pack
from tests.hw.verilator import Player, primitive_models
from tests.sim.golden.step.extremes import CHANNELS

MOST_PIXELS = (1 << 17) - 1
FORMATS = [*(inner_format(bits) for bits in range(4, 12)), *(outer_format(b) for b in range(4, 9))]
Task = dict[str, int]
Result = dict[str, int]


def forward_task(n: int, total: int, squares: int) -> tuple[Task, Result]:
    """A task, and what the definition makes of it."""
    dispersion = np.array([[n * squares - total**2]], np.uint64)
    found = Moments(np.array([[n]]), np.array([[total]]), dispersion)
    by = forward.normalizer(found)
    task = {"backward": 0, "pixels": n, "total": total, "product": squares}
    wanted = {"mean": int(by.mean.item()), "reciprocal": int(by.reciprocal.item())}
    return task, wanted | {"dispersion": n * squares - total**2}


def backward_task(
    n: int, total: int, cross: int, m: int, gain: tuple[int, int], form: Format
) -> tuple[Task, Result]:
    """``cross``: T₂; ``gain``: γC and its shift."""
    found = ErrorMoments(*(np.array([[each]]) for each in (n, total, cross)))
    by = Normalizer(np.array([[0]]), np.array([[m]]))
    true = backward.slopes(found, by, Gain(np.array([gain[0]]), gain[1]), form)
    task = {
        "backward": 1,
        "pixels": n,
        "total": total,
        "product": cross << LIFTED_FRACTION - form.fraction,
        "reciprocal": m,
        "gain": gain[0],
        "shift": min(max(gain[1], LEAST_SHIFT), MOST_SHIFT),
    }
    names = ("mean", "a", "b")
    mean, a, b = (int(getattr(true, name).item()) for name in names)
    return task, {"mean": mean, "factor": a, "slope": b}


def full(task: Task) -> Task:
    return dict.fromkeys(channel_task().members, 0) | task


class Unit:
    """Tasks at a fixed pace, slow enough for every one."""

    def __init__(self, form: str) -> None:
        self.unit = ChannelUnit(primitives=form == "primitives")
        models = primitive_models() if form == "primitives" else ""
        self.player = Player(self.unit, f"vector_channel_{form}", models=models)
        self.period = max(self.unit.most_cycles) + 1

    def check(self, cases: list[tuple[Task, Result]]) -> list[int]:
        """Compares all results; returns the cycles that each took."""
        tasks = [full(task) for task, _ in cases]
        columns = {name: np.array([each[name] for each in tasks]) for name in tasks[0]}
        columns["product"] = np.array([each["product"] % (1 << 48) for each in tasks])
        packed = pack(columns, channel_task(), len(tasks))
        cycles = self.period * len(tasks) + 1
        payload = np.zeros((cycles, packed.shape[1]), np.uint8)
        valid = np.zeros(cycles, np.int64)
        payload[: -1 : self.period], valid[: -1 : self.period] = packed, 1
        found = self.player.play(
            tasks__valid=valid, tasks__payload=payload, results__ready=np.ones(cycles, np.int64)
        )
        assert found["tasks__ready"][valid == 1].all()
        ends = np.flatnonzero(found["results__valid"])
        assert len(ends) == len(cases)
        for end, (task, wanted) in zip(ends, cases, strict=True):
            word = int.from_bytes(found["results__payload"][end].tobytes(), "little")
            got = channel_result().from_bits(word % (1 << channel_result().size))
            assert {name: got[name] for name in wanted} == wanted, task
        took = ends - np.arange(len(cases)) * self.period
        for backwards in (0, 1):
            at = columns["backward"] == backwards
            assert not at.any() or took[at].max() <= self.unit.most_cycles[backwards]
        return took.tolist()


@pytest.fixture(scope="module", params=["plain", "primitives"])
def unit(request: pytest.FixtureRequest) -> Unit:
    return Unit(request.param)


def test_the_table_is_the_definitions() -> None:
    assert entries() == list(reciprocal_table())


def test_channels_at_their_ends(unit: Unit) -> None:
    """Constant channels, n = 1, the greatest variance, the floor. The unit takes no n of 2^17."""
    cases = []
    for pixels in CHANNELS:
        n = sum(count for _, count in pixels)
        short = min(n, MOST_PIXELS)
        value, count = pixels[0]
        kept = [(value, count - (n - short)), *pixels[1:]]
        total = sum(y * times for y, times in kept)
        squares = sum(y * y * times for y, times in kept)
        cases.append(forward_task(short, total, squares))
    unit.check(cases)


def test_every_interval_of_the_table(unit: Unit) -> None:
    """Both ends of each, through D of n = 1 and long chunks, with every shift of the root."""
    cases = []
    for index in range(128, 512):
        for v in (index << 15, ((index + 1) << 15) - 1):
            for n, q in ((1, 3), (MOST_PIXELS, 20), (4096, 12)):
                radicand = v << 2 * q
                # D = n·Σy² with Σy = 0
                squares = min(radicand // n, n << 30)
                cases.append(forward_task(n, 0, squares))
    unit.check(cases)


def test_around_the_floor(unit: Unit) -> None:
    """D a step below, at and above n²·32²."""
    cases = []
    for n in (1, 2, 3, 1000, 65_536, MOST_PIXELS):
        for extra in (-1, 0, 1, 2):
            squares = n * 1024 + extra
            cases.append(forward_task(n, 0, squares))
            total = n * 7 + 1 if n > 1 else 1
            cases.append(forward_task(n, total, squares + -(-(total**2) // n)))
    unit.check(cases)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.integers(0, 1 << 30))
def test_the_definition_forward(unit: Unit, count: int, seed: int) -> None:
    """Sums that pixels can have: (Σy)² ≤ n·Σy²."""
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(count):
        n = max(1, int(rng.integers(1, MOST_PIXELS, endpoint=True)) >> int(rng.integers(0, 17)))
        mean = int(ends_and_random(rng, -(1 << 15), (1 << 15) - 1, 1)[0])
        total = min(max(mean * n + int(rng.integers(-n, n + 1)), -n << 15), n * ((1 << 15) - 1))
        least = -(-(total**2) // n)
        spread = (n << 30) - least
        squares = least + (int(rng.integers(0, spread + 1)) >> int(rng.integers(0, 40)))
        cases.append(forward_task(n, total, squares))
    unit.check(cases)


def test_all_ends_backward(unit: Unit) -> None:
    """Every shift with the factors' ends; sums of both signs."""
    cases = []
    for shift, gain, m in product(
        range(-20, 40), (-(1 << 17), -1, 1, (1 << 17) - 1), (1, (1 << 17) - 1)
    ):
        form = FORMATS[(shift + 20) % len(FORMATS)]
        n = (1, 1000, MOST_PIXELS)[shift % 3]
        for sign in (-1, 1):
            total = -n << 15 if sign < 0 else n * ((1 << 15) - 1)
            cross = sign * n * form.most << 15
            cases.append(backward_task(n, total, cross, m, (gain, shift), form))
    unit.check(cases)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.integers(0, 1 << 30))
def test_the_definition_backward(unit: Unit, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(count):
        form = FORMATS[rng.integers(0, len(FORMATS))]
        n = max(1, int(rng.integers(1, MOST_PIXELS, endpoint=True)) >> int(rng.integers(0, 17)))
        total = int(rng.integers(-n << 15, n * ((1 << 15) - 1), endpoint=True))
        most = n * form.most << 15
        cross = int(rng.integers(-most, most, endpoint=True)) >> int(rng.integers(0, 24))
        m = int(rng.integers(0, 1 << 17)) >> int(rng.integers(0, 12))
        gain = int(ends_and_random(rng, -(1 << 17), (1 << 17) - 1, 1)[0])
        cases.append(backward_task(n, total, cross, m, (gain, int(rng.integers(-30, 63))), form))
    unit.check(cases)


@pytest.mark.parametrize("stalls", STALLS)
def test_any_pace(stalls: str) -> None:
    """Tasks and results wait for each other; a task is taken as soon as the result before left."""
    unit = ChannelUnit()
    cases = [
        forward_task(1000, 77_000, 9_000_000),
        backward_task(1000, -5_000, 123_456, 9_999, (70_000, 12), FORMATS[3]),
        forward_task(1, -(1 << 15), 1 << 30),
        backward_task(1, 99, 1, 1, (-1, 0), FORMATS[0]),
    ]

    async def body(simulation: Simulation) -> None:
        tasks = simulation.source("tasks", *(full(task) for task, _ in cases), stalls=stalls)
        results = simulation.sink("results", stalls=stalls)
        await simulation.until(lambda: len(results.items) == len(cases))
        for found, (_, wanted) in zip(results.items, cases, strict=True):
            assert {name: found[name] for name in wanted} == wanted
        for task, result in zip(tasks.transfers, results.transfers, strict=True):
            assert result.cycle > task.cycle
        await simulation.tick()
        assert not simulation.get("busy")
        if stalls == "never":
            for later, before in zip(tasks.transfers[1:], results.transfers, strict=False):
                assert later.cycle == before.cycle + 1

    simulate(unit, body)
