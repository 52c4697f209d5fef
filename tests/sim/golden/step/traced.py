"""The formulas of docs/numerics.md once more, in Python's integers, one channel at a time.

Nothing here imports the definition or its word lengths: numbers are written out, words are as wide
as they must be, and every intermediate is noted under its name in `hw.contract.step_words`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import isqrt

Pixels = list[tuple[int, int]]
"""Values of a channel, each with how often it occurs."""


@dataclass
class Trace:
    """Least and greatest value of each word so far."""

    seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __call__(self, name: str, value: int) -> int:
        low, high = self.seen.get(name, (value, value))
        self.seen[name] = min(low, value), max(high, value)
        return value


def divided(x: int, n: int) -> int:
    """round(x / n), ties up."""
    return (2 * x + n) // (2 * n)


def shifted(x: int, k: int) -> int:
    """round(x · 2^−k), ties up."""
    return divided(x, 1 << k) if k > 0 else x << -k


def clipped(x: int, bits: int) -> int:
    """In two's complement."""
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, x))


def symmetric(x: int, bits: int) -> int:
    return max(1 - (1 << (bits - 1)), clipped(x, bits))


# -- forward ---------------------------------------------------------------------------------


def narrow(see: Trace, sums: int, s: int) -> int:
    return see("y", clipped(shifted(sums, s), 16))


@dataclass(frozen=True)
class Statistics:
    """``own``: μ' of the chunk; ``mean``, ``offset``: with running ones mixed in."""

    n: int
    total: int
    dispersion: int
    own: int
    mean: int
    reciprocal: int
    offset: int


def statistics(see: Trace, y: Pixels, share: int = 0, mean: int = 0, v: int = 0) -> Statistics:
    n = sum(count for _, count in y)
    total = see("Σy", sum(value * count for value, count in y))
    squares = see("Σy²", sum(value**2 * count for value, count in y))
    d = see("D", n * squares - total**2)
    own = see("μ'", divided(16 * total, n))
    mixed = see("l·μ'ᵣ + (256 − l)·μ'", share * mean + (256 - share) * own)
    theirs = see("n²·V", n**2 * see("V", v))
    radicand = see("l·n²·V + (256 − l)·D", share * theirs + (256 - share) * d)
    centre = shifted(mixed, 8)
    m = reciprocal(see, max(shifted(radicand, 8), (32 * n) ** 2), n)
    offset = see("δ", clipped(shifted((own - centre) * m, 17), 18))
    return Statistics(n, total, d, own, centre, m, offset)


def reciprocal(see: Trace, radicand: int, n: int) -> int:
    q = 0
    while radicand >= 1 << (24 + 2 * q):
        q += 1
    while radicand * 4 < 1 << (24 + 2 * q):
        q -= 1
    v = see("v", radicand >> 2 * q if q >= 0 else radicand << -2 * q)
    r = root(see, v)
    return see("M", min(shifted(see("n·r", n * r), 8 + q), (1 << 17) - 1))


def root(see: Trace, v: int) -> int:
    middle = (2 * (v >> 15) + 1) << 14
    t = see("t", isqrt((1 << 56) // middle))
    p = see("p", see("t²", t * t) >> 17)
    u = see("u", (3 << 39) - see("v·p", v * p))
    return see("r", see("t·u'", t * see("u'", u >> 17)) >> 21)


def normalize(see: Trace, y: int, mean: int, m: int, bits: int, g: int) -> int:
    product = see("(16·y − μ')·M", see("16·y − μ'", 16 * y - mean) * m)
    x = symmetric(shifted(product, 26 - g), bits)
    return see(f"x̂, {bits} bits", x) if bits in (11, 12) else x


def form(
    see: Trace, terms: Iterable[tuple[int, int, int]], residual: tuple[int, int, int] | None
) -> int:
    """``terms`` of (G, x̂, B); ``residual`` (ρ, r, t)."""
    z = 0
    for g, x, b in terms:
        z += see("G·x̂", see("G", g) * x) + see("B", b)
    if residual is not None:
        rho, r, t = residual
        z += shifted(see("ρ·r", see("ρ", rho) * r), t)
    return see("z", z)


# -- backward --------------------------------------------------------------------------------


def scale_sums(see: Trace, sums: int, before: int, mantissa: int, shift: int) -> int:
    product = see("sums'·m", see("sums'", shifted(sums, before)) * mantissa)
    return see("part", clipped(shifted(product, shift), 24))


def join(see: Trace, parts: Iterable[int]) -> int:
    return see("E", clipped(see("Σ parts", sum(see("part", each) for each in parts)), 16))


@dataclass(frozen=True)
class Slopes:
    total: int
    product: int
    mean: int
    a: int
    b: int


def slopes(
    see: Trace,
    pixels: list[tuple[int, int, int]],
    by: Statistics,
    gain: tuple[int, int],
    g: int,
    share: int = 0,
) -> Slopes:
    """``pixels``: of (E, x̂, count); ``gain`` as γC · 2^−shift."""
    n = sum(count for *_, count in pixels)
    total = see("T₁", sum(e * count for e, _, count in pixels))
    product = see("T₂", sum(see("E·x̂", e * x) * count for e, x, count in pixels))
    mean = see("T₁'", divided(16 * total, n))
    cross = see("T₂'", divided(2**6 * product, n << g))
    mean, cross = shifted((256 - share) * mean, 8), shifted((256 - share) * cross, 8)
    mean = see("T₁'", clipped(mean - shifted(see("δ·T₂'", by.offset * cross), 11), 20))
    factor, shift = gain
    a = see("A", clipped(shifted(see("γC·M", see("γC", factor) * by.reciprocal), shift), 18))
    b = see("B̄", -symmetric(shifted(see("A·T₂'", a * cross), 9), 25))
    return Slopes(total, product, mean, a, b)


def wide_error(see: Trace, e: int, x: int, by: Slopes, g: int) -> int:
    left = see("(16·E − T₁')·A", see("16·E − T₁'", 16 * e - by.mean) * by.a)
    return see("W", left + see("B̄·x̂·2^(7−g)", by.b * see("x̂·2^(7−g)", x << (7 - g))))


def round_error(see: Trace, wide: int, bits: int, u: int) -> int:
    f = 32 - bits
    noisy = see("W + noise", wide + ((2 * u + 1) << (f - 9)))
    e = symmetric(noisy >> f, bits)
    return see("e, 12 bits", e) if bits == 12 else e


# -- update ----------------------------------------------------------------------------------

Factor = tuple[int, int]
"""Mantissa and shift."""


def update(
    see: Trace,
    w: int,
    v: int,
    gradient: int,
    factors: tuple[Factor, Factor, Factor, Factor],
    u: int,
) -> tuple[int, int]:
    """``factors``: of momentum, decay, gradient and rate."""

    def term(x: int, by: Factor, round_product: Callable[[int, int], int] = shifted) -> int:
        product = see("product", x * by[0])
        return see("term", clipped(round_product(product, by[1]), 33))

    def randomly(product: int, k: int) -> int:
        return (product * 512 + ((2 * u + 1) << k)) >> (k + 9) if k > 8 else shifted(product, k)

    momentum, decay, scale, rate = factors
    see("gradient", gradient)
    parts = [term(v, momentum), term(w, decay), term(gradient, scale)]
    v = see("momentum", clipped(see("Σ terms", sum(parts)), 32))
    moved = see("w − term", w - term(v, rate, randomly))
    return see("w", clipped(moved, 32)), v


def squares(see: Trace, weights: Pixels) -> int:
    """Σs²."""
    total = 0
    for w, count in weights:
        total += see("s", clipped(shifted(w, 16), 16)) ** 2 * count
    return see("Σs²", total)
