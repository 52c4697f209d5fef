"""The implementation strategies of Vivado that a build tries, one an attempt.

Vivado has no seeds: the strategy varies its result. All versions since 2020.1 have these (UG904,
Implementation Strategy Descriptions); they are for speed, without those for devices of several
dies.
"""

from __future__ import annotations

__all__ = ["STRATEGIES"]

STRATEGIES = (
    "Performance_ExplorePostRoutePhysOpt",  # the widest search in every step
    "Performance_ExtraTimingOpt",
    "Performance_NetDelay_high",  # expects long nets to be slower than estimated
    "Performance_RefinePlacement",
    "Performance_Retiming",
    "Congestion_SpreadLogic_high",  # for a part that is two thirds full
)
"""In the order in which attempts take them."""
