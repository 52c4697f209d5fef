"""The definition at its ends, beside `traced`: saturation, constant channels, n = 1, n = 2^17.

Every function here compares the two and raises `AssertionError` where they differ; the trace then
knows how far each word went.
"""

from itertools import product

import numpy as np

from fractrain.hw.contract.normalized import WIDE, Format, inner_format, outer_format
from fractrain.hw.contract.numerics import MAX_CHUNK_PIXELS
from fractrain.sim.golden.step import backward, forward, weights
from fractrain.sim.golden.step.backward import ErrorMoments, Gain, Slopes
from fractrain.sim.golden.step.forward import Mix, Moments, Normalizer
from fractrain.sim.golden.step.reciprocal import reciprocal_root, reciprocal_table
from fractrain.sim.golden.step.scales import Multiplier, multiplier, narrow_shift
from fractrain.sim.golden.step.weights import UpdateRule
from tests.sim.golden.step import traced
from tests.sim.golden.step.traced import Pixels, Trace

N = MAX_CHUNK_PIXELS
Y_LEAST, Y_MOST = -(1 << 15), (1 << 15) - 1
MEAN_LEAST, MEAN_MOST = -(1 << 19), (1 << 19) - 1
FACTORS = (-(1 << 17), (1 << 17) - 1)
RECIPROCALS = (0, 1, (1 << 17) - 1)
MANTISSA = (1 << 17) - 1
"""The greatest one."""

CHANNELS: tuple[Pixels, ...] = (
    [(Y_LEAST, N)],
    [(Y_LEAST, N // 2), (Y_MOST, N // 2)],
    [(Y_LEAST, 1), (Y_MOST, N - 1)],
    [(0, N - 1), (Y_MOST, 1)],
    [(0, N)],
    [(0, 1)],
    [(Y_LEAST, 1)],
    [(Y_MOST, 1)],
    [(-1, 1), (1, 1)],
    [(Y_LEAST, 1), (Y_MOST, 2)],
    [(-33, 500), (33, 501)],
)
MIXES = tuple(product((0, 1, 255), (MEAN_LEAST, MEAN_MOST), (0, (1 << 30) - 1)))


def everything() -> Trace:
    """The trace of all that follows."""
    reciprocal_table.cache_clear()
    see = Trace()
    for run in (sums, statistics, roots, normalized, formed, joined, slopes, applied, updates):
        run(see)
    reciprocal_table.cache_clear()
    return see


def array(pixels: Pixels) -> np.ndarray:
    """``[n,1,1,1]``: an image for each pixel."""
    values, counts = zip(*pixels, strict=True)
    return np.repeat(np.array(values, np.int64), counts).reshape(-1, 1, 1, 1)


def same(found: object, expected: object) -> None:
    assert found == expected, f"{found} and not {expected}"


def sums(see: Trace) -> None:
    values = [0, 1, -1, 5, -6, Y_MOST, Y_LEAST, 1 << 15, 1 << 46, -(1 << 46)]
    for value, s in product(values, (-200, -13, -1, 0, 1, 2, 31, 70)):
        left = max(s, -60)  # in Python's integers, 2^60 says enough
        same(int(forward.narrow(np.array([value]), s)[0]), traced.narrow(see, value, left))
    for peak, s in ((0.0, -13), (0.3, -13), (1.0, -13), (8191.0, -1), (8192.0, 0), (2.0**40, 27)):
        same(narrow_shift(peak), s)


def statistics(see: Trace) -> None:
    for pixels in CHANNELS:
        y = array(pixels)
        found = forward.moments(y, len(y))
        plain = traced.statistics(see, pixels)
        same(int(found.total[0, 0]), plain.total)
        same(int(found.dispersion[0, 0]), plain.dispersion)
        by = forward.normalizer(found)
        same((int(by.mean[0, 0]), int(by.reciprocal[0, 0])), (plain.mean, plain.reciprocal))
        for share, mean, variance in MIXES:
            mixed(see, found, pixels, share, mean, variance)


def mixed(see: Trace, found: Moments, pixels: Pixels, share: int, mean: int, variance: int) -> None:
    by = forward.normalizer(found, Mix(share, np.array([mean]), np.array([variance])))
    true = traced.statistics(see, pixels, share, mean, variance)
    assert by.offset is not None
    same(
        (int(by.mean[0, 0]), int(by.reciprocal[0, 0]), int(by.offset[0, 0])),
        (true.mean, true.reciprocal, true.offset),
    )


def roots(see: Trace) -> None:
    """Both ends of every interval of the table, for the longest chunk and the shortest."""
    ends = [v for i in range(128, 512) for v in (i << 15, ((i + 1) << 15) - 1)]
    for n, q in ((N, 20), (1, 0), (1, -6)):
        radicands = [v << 2 * q if q >= 0 else v >> -2 * q for v in ends]
        found = reciprocal_root(np.array(radicands, np.uint64), np.full(len(ends), n, np.int64))
        for each, radicand in zip(found, radicands, strict=True):
            same(int(each), traced.reciprocal(see, radicand, n))


def normalized(see: Trace) -> None:
    """With any mean and factor: an evaluation's belong to other pictures."""
    forms = (Format(4, 1), Format(8, 4), inner_format(11), Format(12, 8))
    same((forms[-1], outer_format(4)), (WIDE, Format(4, 1)))
    for y, mean, m, form in product(
        (Y_LEAST, -1, 0, Y_MOST), (MEAN_LEAST, 0, MEAN_MOST), RECIPROCALS, forms
    ):
        by = Normalizer(np.array([[mean]]), np.array([[m]]))
        x = int(forward.normalize(np.full((1, 1, 1, 1), y), by, form, 1).item())
        same(x, traced.normalize(see, y, mean, m, form.bits, form.fraction))


def formed(see: Trace) -> None:
    large = np.array([1e30])
    for sign in (-1, 1):
        term = forward.term(sign * large, sign * large, WIDE, 1.0)
        g, b = int(term.factor[0]), int(term.offset[0])
        same((g, b), (sign * (1 << 17) - (sign > 0), sign * (1 << 29) - (sign > 0)))
        x = np.full((1, 1, 1, 1), 2047)
        for bits, r in ((8, 255), (16, 65535)):
            rho, t = forward.residual_factor(1e30, 1.0, bits), forward.residual_shift(bits)
            same((rho, t), ((1 << 17) - 1, bits - 8))
            z = forward.form([(x, term)] * 2, (np.full((1, 1, 1, 1), r), rho, t))
            same(int(z.item()), traced.form(see, [(g, 2047, b)] * 2, (rho, r, t)))
    for z, a in product((-1, 0, 1 << 11, (1 << 11) - 1, 1 << 19, 1 << 20, 1 << 31), (1, 4, 8, 16)):
        found = int(forward.round_activations(np.array([z]), a)[0])
        same(found, min(max(traced.shifted(z, 19 - a), 0), (1 << a) - 1))
    same(forward.unit_of_z(255.0, 8), 2.0**-11)


def joined(see: Trace) -> None:
    same(multiplier(2.0 - 2.0**-16), Multiplier(MANTISSA, 16))
    bounds = (((1 << 24) - 1, 0), (1 << 24, 1), ((1 << 27) - 1, 4), (3 << 29, 7))
    for (bound, before), shift in product(bounds, (-30, -3, 0, 16, 20, 60)):
        same(backward.preshift(bound), before)
        for value in (-bound, -1, 0, bound):
            by = Multiplier(MANTISSA, shift)
            part = int(backward.scale_sums(np.array([value]), before, by)[0])
            same(part, traced.scale_sums(see, value, before, by.mantissa, shift))
    for value, shift in product((Y_LEAST, -3, 0, 1, Y_MOST), (-99, -8, 0, 1, 99)):
        moved = traced.clipped(traced.shifted(value, max(shift, -60)), 24)
        same(int(backward.move(np.array([value]), shift)[0]), moved)
    for part in (-(1 << 23), -1, 0, (1 << 23) - 1):
        found = backward.join([np.array([part])] * 4)
        same(int(found[0]), traced.join(see, [part] * 4))


# -- batch norm, backwards -------------------------------------------------------------------

ErrorPixels = list[tuple[int, int, int]]


def error_channels(bits: int) -> tuple[ErrorPixels, ...]:
    """Of (E, x̂, count), for x̂ of ``bits``."""
    x = (1 << (bits - 1)) - 1
    return (
        [(Y_LEAST, -x, N)],
        [(Y_LEAST, x, N)],
        [(Y_LEAST, x, 1), (Y_MOST, x, N - 1)],
        [(Y_LEAST, -x, 1), (Y_MOST, x, N - 1)],
        [(Y_LEAST, x, N // 2), (Y_MOST, -x, N // 2)],
        [(0, 0, N)],
        [(Y_MOST, -1, 1)],
        [(7, 1, 2), (-5, -x, 1)],
    )


def slopes(see: Trace) -> None:
    for form in (outer_format(4), inner_format(4), outer_format(8), inner_format(11)):
        for pixels in error_channels(form.bits):
            found = backward.error_moments(
                array([(e, n) for e, _, n in pixels]), array([(x, n) for _, x, n in pixels]), N
            )
            for factor, shift in product(FACTORS, (-5, 17)):
                one_slope(see, found, pixels, form, (1 << 17) - 1, (factor, shift))


def one_slope(
    see: Trace,
    found: ErrorMoments,
    pixels: ErrorPixels,
    form: Format,
    m: int,
    gain: tuple[int, int],
) -> None:
    gains = Gain(np.array([gain[0]]), gain[1])
    for share, offset in ((0, 0), (1, -(1 << 17)), (255, (1 << 17) - 1)):
        true = traced.slopes(
            see, pixels, traced.Statistics(1, 0, 0, 0, 0, m, offset), gain, form.fraction, share
        )
        same((int(found.total.item()), int(found.product.item())), (true.total, true.product))
        column = np.array([[offset]]) if share else None
        by = Normalizer(np.array([[0]]), np.array([[m]]), share, column)
        slope = backward.slopes(found, by, gains, form)
        same(
            (int(slope.mean.item()), int(slope.a.item()), int(slope.b.item())),
            (true.mean, true.a, true.b),
        )
        for e, x, _ in pixels:
            one_error(see, slope, e, x, true, form.fraction)


def one_error(see: Trace, slope: Slopes, e: int, x: int, true: traced.Slopes, g: int) -> None:
    shape = (1, 1, 1, 1)
    wide = backward.apply(np.full(shape, e), np.full(shape, x), slope, 1)
    expected = traced.wide_error(see, e, x, true, g)
    same(int(wide.item()), expected)
    for error_bits, u in ((6, 0), (12, 255)):
        found = backward.round_errors(wide, error_bits, np.full(shape, u, np.uint8))
        same(int(found.item()), traced.round_error(see, expected, error_bits, u))


def applied(see: Trace) -> None:
    """The factors of channels, from real numbers."""
    for gamma, greatest in ((2.0 - 2.0**-16, (1 << 17) - 1), (-2.0, -(1 << 16)), (0.0, 0)):
        found = backward.gain(np.array([gamma, 0.0]), 1.0, 1.0, 1.0, 6)
        same([int(each) for each in found.factor], [greatest, 0])
    for scale in (1e-90, 1e90):  # beyond every shift
        found = backward.gain(np.array([1.0]), scale, 1.0, 1.0, 6)
        by = Normalizer(np.array([[0]]), np.array([[(1 << 17) - 1]]))
        nothing = ErrorMoments(*[np.array([[each]]) for each in (1, 1, 0)])
        a = int(backward.slopes(nothing, by, found, inner_format(8)).a.item())
        same(a, 0 if scale < 1 else see("A", (1 << 17) - 1))


# -- weights ---------------------------------------------------------------------------------


def updates(see: Trace) -> None:
    ends = (-(1 << 31), -1, 0, (1 << 31) - 1)
    for shifts in ((16, 48, 20, 19), (10, 12, 12, 13), (-40, -3, -13, -50), (60, 62, 70, 80)):
        by = [Multiplier(MANTISSA, max(each, -40)) for each in shifts]
        rule = UpdateRule(0, momentum=by[0], decay=by[1], gradient=by[2], rate=by[3])
        factors = tuple((MANTISSA, each.shift) for each in by)
        for w, v, gradient, u in product(ends, ends, ends, (0, 255)):
            found = weights.update(
                *(np.array([each]) for each in (w, v, gradient)), rule, np.array([u], np.uint8)
            )
            true = traced.update(see, w, v, gradient, factors, u)  # type: ignore[arg-type]
            same((int(found[0][0]), int(found[1][0])), true)
    for bound in ((1 << 31) - 1, 1 << 31, (1 << 40) + 5):
        rule = weights.update_rule(1.0, bound, momentum=0.9, decay=0.0, rate=0.0)
        see("gradient", traced.shifted(bound, rule.before))
    for pixels in ([(-(1 << 31), N)], [((1 << 31) - 1, 1), (1 << 15, 2)]):
        w = array(pixels).ravel()
        true_mean = traced.squares(see, pixels) / len(w)
        same(weights.deviation(w), true_mean**0.5 * 2.0**-12)
