"""Whole passes through the shared slices: formed from y, formed again from x̂, applied."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.normalized import WIDE, Format, inner_format, outer_format
from fractrain.hw.contract.numerics import LIFTED_FRACTION
from fractrain.hw.vector.lanes import VectorLanes
from fractrain.sim.golden.step import backward, forward
from fractrain.sim.golden.step.backward import Slopes
from fractrain.sim.golden.step.forward import Normalizer, Term, residual_shift
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random

LANES = 2
INNER, OUTER = [inner_format(b) for b in range(4, 12)], [outer_format(b) for b in range(4, 9)]
WORD, MEAN, FACTOR = (
    (-(1 << 15), (1 << 15) - 1),
    (-(1 << 19), (1 << 19) - 1),
    (-(1 << 17), (1 << 17) - 1),
)
M, OFFSET, SLOPE = (0, (1 << 17) - 1), (-(1 << 29), (1 << 29) - 1), (1 - (1 << 24), (1 << 24) - 1)
Columns = dict[str, np.ndarray]
FORMED = ("activations", "stream", "mask")


class Passes:
    """A player for each of the two passes, which take their ports in other cycles."""

    def __init__(self, name: str, *, primitives: bool, residual_bits: int) -> None:
        self.residual_bits = residual_bits
        unit = VectorLanes
        common = dict.fromkeys(("residual", "residual_factor", "offset"), unit.RESIDUAL_CYCLE)
        common |= {"wide": -1, "kept_bits": -1, "sums": unit.sum_cycles, "kept": unit.kept_cycles}
        common |= dict.fromkeys(FORMED, unit.form_cycles) | {"errors": unit.apply_cycles}
        early = ("numbers", "mean", "factor")
        self.players = [
            Beats(
                VectorLanes(LANES, residual_bits, primitives=primitives),
                name,
                common | dict.fromkeys(early, cycle) | {"mode": -12},
                models=primitives,
            )
            for cycle in (unit.FORM_CYCLE, unit.APPLY_CYCLE)
        ]

    def play(self, mode: dict[str, int], beats: Columns) -> Columns:
        """``mode`` holds from before the first beat until after the last."""
        count, around = len(beats["first"]), 24
        padded = {
            name: np.concatenate([np.zeros((around, *each.shape[1:]), each.dtype)] * 2)
            for name, each in beats.items()
        }
        for name, each in beats.items():
            half = len(padded[name]) // 2
            padded[name] = np.concatenate([padded[name][:half], each, padded[name][half:]])
        held = {name: np.full(count + 2 * around, value) for name, value in mode.items()}
        found = self.players[mode["applies"]].play(mode=held, **padded)
        return {name: each[around : around + count] for name, each in found.items()}


CASES = {"plain": (False, 16), "primitives": (True, 16), "short": (False, 8)}


@pytest.fixture(scope="module", params=CASES)
def passes(request: pytest.FixtureRequest) -> Passes:
    primitives, bits = CASES[request.param]
    name = f"vector_lanes_{request.param}"
    return Passes(name, primitives=primitives, residual_bits=bits)


def lifted(x: np.ndarray, form: Format) -> np.ndarray:
    return x << max(LIFTED_FRACTION - form.fraction, 0)


def pixels(values: np.ndarray) -> np.ndarray:
    """[beats, lanes] as the definition's images, a beat each."""
    return values.reshape(-1, 1, 1, LANES)


def lifted_factor(factor: np.ndarray, form: Format) -> np.ndarray:
    return factor << min(form.fraction, LIFTED_FRACTION)


class Batch:
    """What a pass of ``count`` sets of pixels takes, drawn."""

    def __init__(self, rng: np.random.Generator, count: int, form: Format) -> None:
        self.form, self.count = form, count
        self.y = ends_and_random(rng, *WORD, (count, LANES))
        near = np.clip(16 * self.y[:, 0] + rng.integers(-4000, 4000, count), *MEAN)
        self.mean = np.where(rng.random(count) < 0.7, near, ends_and_random(rng, *MEAN, count))
        self.m = rng.integers(*M, count, endpoint=True) >> rng.integers(0, 12, count)
        shrink = rng.integers(0, 14)
        self.factor = ends_and_random(rng, *FACTOR, count) >> shrink
        self.offset = ends_and_random(rng, *OFFSET, count) >> shrink

    def x(self) -> np.ndarray:
        by = Normalizer(self.mean[:, None], self.m[:, None])
        return forward.normalize(pixels(self.y), by, self.form, 1).reshape(self.count, LANES)

    def term(self, beat: int) -> Term:
        return Term(self.factor[[beat]], self.offset[[beat]])


def check_formed(
    passes: Passes,
    batches: list[Batch],
    bits: tuple[int, int],
    residual: tuple,
    kept: list[Format],
    stored: bool,
) -> None:
    """``batches`` of one batch norm or two; ``residual`` (r, ρ); ``kept``: form of each."""
    a, c = bits
    r, rho = residual
    count, terms = batches[0].count, len(batches)
    xs = [each.x() for each in batches]
    form = batches[0].form

    def interleave(columns: list[np.ndarray]) -> np.ndarray:
        return np.stack(columns, axis=1).reshape(count * terms, *columns[0].shape[1:])

    wide = form == WIDE
    first = interleave([np.full(count, number == 0) for number in range(terms)])
    offsets = sum(each.offset for each in batches)
    beats = {
        # from which x̂ is made, unless it is stored
        "numbers": interleave([0 * each.y if stored else each.y for each in batches]),
        "mean": interleave([each.mean for each in batches]),
        "factor": interleave([each.m for each in batches]),
        "normalized": interleave([lifted(x, form) if stored else 0 * x for x in xs]),
        "slope": interleave([lifted_factor(each.factor, form) for each in batches]),
        "offset": interleave([offsets] * terms),
        "residual": interleave([r << passes.residual_bits - c] * terms),
        "residual_factor": interleave([rho] * terms),
        "wide": np.full(count * terms, wide),
        "kept_bits": interleave([np.full(count, min(each.bits, 8)) for each in kept]),
        "first": first.astype(np.int64),
        "random": interleave([r & 255] * terms),
    }
    mode = {"applies": 0, "stored": int(stored), "normalized_bits": form.bits, "bits": a}
    found = passes.play(mode | {"residual_bits": c, "error_bits": 0}, beats)
    for number, (x, each) in enumerate(zip(xs, kept, strict=True)):
        wanted = lifted(forward.keep(x, each), each) if wide else lifted(x, form)
        assert np.array_equal(found["kept"][number::terms], wanted)
    last = slice(terms - 1, None, terms)
    for beat in range(count):
        pairs = [
            (x[beat].reshape(1, 1, 1, -1), each.term(beat))
            for x, each in zip(xs, batches, strict=True)
        ]
        around = (r[beat].reshape(1, 1, 1, -1), int(rho[beat]), residual_shift(c))
        z = forward.form(pairs, around)[0, 0, 0]
        assert np.array_equal(found["sums"][last][beat], z << LIFTED_FRACTION)
        assert np.array_equal(
            found["activations"][last][beat], forward.round_activations(z, a) << 8 - a
        )
        wanted = forward.round_activations(z, c) << passes.residual_bits - c
        assert np.array_equal(found["stream"][last][beat], wanted)
        assert found["mask"][last][beat] == ((z > 0) << np.arange(LANES)).sum()


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 60), st.booleans(), st.booleans(), st.integers(0, 1 << 30))
def test_forming(passes: Passes, count: int, end: bool, stored: bool, seed: int) -> None:
    """Inside a block, from y or again from x̂; at its end with a residual or a second batch norm."""
    rng = np.random.default_rng(seed)
    form = WIDE if end else INNER[rng.integers(0, len(INNER))]
    terms = int(rng.integers(1, 3)) if end else 1
    a, c = int(rng.integers(1, 9)), int(rng.integers(8, passes.residual_bits + 1))
    r = ends_and_random(rng, 0, (1 << c) - 1, (count, LANES))
    rho = ends_and_random(rng, *FACTOR, count) * int(rng.random() < 0.7)
    batches = [Batch(rng, count, form) for _ in range(terms)]
    kept = [OUTER[rng.integers(0, len(OUTER))] if end else form for _ in range(terms)]
    check_formed(passes, batches, (a, c), (r, rho), kept, stored and not end)


@settings(deadline=None, max_examples=50)
@given(
    st.integers(1, 100), st.integers(1, 12), st.sampled_from(INNER + OUTER), st.integers(0, 1 << 30)
)
def test_applying(passes: Passes, count: int, bits: int, form: Format, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shrink = rng.integers(0, 18, 2)
    e = ends_and_random(rng, *WORD, (count, LANES))
    x = ends_and_random(rng, -form.most, form.most, (count, LANES))
    mean = ends_and_random(rng, *MEAN, count)
    factor = ends_and_random(rng, *FACTOR, count) >> shrink[0]
    slope = ends_and_random(rng, *SLOPE, count) >> shrink[1]
    random = rng.integers(0, 256, (count, LANES))
    beats = {
        "numbers": e,
        "mean": mean,
        "factor": factor,
        "normalized": lifted(x, form),
        "slope": slope,
        "offset": ends_and_random(rng, *OFFSET, count),  # nobody's
        "residual": rng.integers(0, 256, (count, LANES)),
        "residual_factor": ends_and_random(rng, *FACTOR, count),
        "first": rng.integers(0, 2, count),
        "random": random,
    }
    mode = {"applies": 1, "stored": bits % 2, "normalized_bits": 0, "bits": 8, "residual_bits": 8}
    found = passes.play(mode | {"error_bits": bits}, beats)
    by = Slopes(mean[:, None], factor[:, None], slope[:, None], LIFTED_FRACTION - form.fraction)
    wide = backward.apply(pixels(e), pixels(x), by, 1).reshape(count, LANES)
    assert np.array_equal(found["sums"], wide)
    errors = backward.round_errors(wide, bits, random.astype(np.uint8))
    assert np.array_equal(found["errors"], errors << 12 - bits)


def test_refusals() -> None:
    assert_refused(lambda: VectorLanes(0), "at least 1")
    for bits in (7, 17):
        assert_refused(lambda bits=bits: VectorLanes(1, bits), r"8\.\.16")
