"""Rules for the values of methods' options."""

from __future__ import annotations

from collections.abc import Iterable

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import MAX_BITS
from fractrain.hw.contract.values import Real, Several, Whole

MOST_STEPS = 100_000_000
"""Of a run: a thousand times those of published ones; its log would have 50 GB."""

MOST_STAGES = 64
"""There are 16 x 16 pairs of widths, and a stage takes five intervals at least."""

MOST_CANDIDATES = 64
"""Of 16 x 16 x 16 combinations of widths; the published gates choose from five."""

HIGHEST_COST = 100.0
"""Percent of 32-bit arithmetic; 16 x 16 bits are 25."""

STEPS = Whole(1, MOST_STEPS)
COST = Real(0, HIGHEST_COST, above=True)
COSTS = Several(
    COST, 1, MOST_STAGES, f"numbers greater than 0, at most {HIGHEST_COST:g}", "1.5,2,2.5,3"
)
BITS = Several(Whole(0, MAX_BITS), 1, MOST_STAGES, f"whole numbers 0..{MAX_BITS}", "3,4,6,8")
CANDIDATE = Several(Whole(0, MAX_BITS), 2, 3, "widths", "4/4/6", separator="/")
CANDIDATES = Several(
    CANDIDATE,
    2,
    MOST_CANDIDATES,
    f"candidates A/W/E or F/B, each 0..{MAX_BITS} bits",
    "4/4/6,8/8/8 or 3/6,4/8",
)


def check_pairs(pairs: Iterable[tuple[int, int]]) -> None:
    """Raise `ParameterError` for a pair of forward and backward bits that is half a skip."""
    for pair in pairs:
        if not (pair == (0, 0) or all(1 <= bits <= MAX_BITS for bits in pair)):
            allowed = f"1..{MAX_BITS} each, or 0/0 to skip"
            raise ParameterError("forward/backward bits", pair, allowed)


def check_candidates(candidates: Iterable[tuple[int, ...]]) -> None:
    """Raise `ParameterError` for a candidate, A/W/E or F/B, that is part of a skip."""
    for bits in candidates:
        if any(bits) and not all(bits):
            given, skip = ("/".join(map(str, each)) for each in (bits, [0] * len(bits)))
            raise ParameterError("candidates", given, f"1..{MAX_BITS} each, or {skip} to skip")
