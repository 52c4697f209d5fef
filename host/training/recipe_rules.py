"""What each field of a recipe may be: one rule for the command line, YAML files and sweeps."""

from __future__ import annotations

from collections.abc import Mapping

from fractrain.hw.contract.precision import MAX_BITS, PRECISION
from fractrain.hw.contract.values import Choice, Optional, Real, Rule, Several, Whole

METHODS = ("static", "pfq", "dfq", "fractrain")

DECIDE = ("late", "early")
"""When a gate decides: after its block's activations are stored, or before they are quantized."""

MOST_STEPS = 100_000_000
"""Of a run: a thousand times those of published ones; its log would have 50 GB."""

MOST_STAGES = 64
"""There are 16 x 16 pairs of widths, and a stage takes five intervals at least."""

MOST_CANDIDATES = 64
"""Every one takes a slot of the precision table, of which the ZC706 has 64."""

HIGHEST_COST = 100.0
"""Percent of 32-bit arithmetic; 16 x 16 bits are 25."""

SEED = Whole(0, 2**63 - 1)
"""What signed 64 bits hold, as most programs that could read a run's record have it."""

STEPS = Whole(1, MOST_STEPS)
COST = Real(0, HIGHEST_COST, above=True)
BITS = Several(Whole(0, MAX_BITS), 1, MOST_STAGES, f"whole numbers 0..{MAX_BITS}", "3,4,6,8")
PAIR = Several(Whole(0, MAX_BITS), 2, 2, "two widths", "3/6", separator="/")

RULES: Mapping[str, Rule] = {
    "method": Choice(METHODS),
    "precision": PRECISION,
    "schedule_forward": BITS,
    "schedule_backward": BITS,
    "epsilon": Real(0, 1e9, above=True),
    "alpha": Real(0, 1, above=True),
    "interval": Optional(STEPS),
    "candidates": Several(
        PAIR, 2, MOST_CANDIDATES, f"pairs forward/backward, each 0..{MAX_BITS} bits", "3/6,4/8"
    ),
    "weight_bits": Whole(1, MAX_BITS),
    "target": COST,
    "targets": Several(
        COST, 1, MOST_STAGES, f"numbers greater than 0, at most {HIGHEST_COST:g}", "1.5,2,2.5,3"
    ),
    "beta": Real(0, 1000),
    "dead_band": Real(0, HIGHEST_COST),
    "decide": Optional(Choice(DECIDE)),
}
"""Field of `host.training.recipe.Recipe` → what it may be."""
