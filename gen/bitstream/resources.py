"""Resources of a bitstream, beside the budget and Yosys's mapping.

A design can meet timing and still not be the intended one: a memory that became registers fits into
a large FPGA. The budget shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fractrain.gen.bitstream_manifest import Utilization
from fractrain.hw.contract.errors import FractrainError

__all__ = ["FIGURES", "MARGIN", "beside_each_other", "check_budget"]

FIGURES = {
    "lut": "luts",
    "memory_lut": "memory_luts",
    "ff": "flip_flops",
    "bram36": "bram36",
    "dsp": "dsps",
}
"""Member of `Utilization` → the figure's name in budgets and in `gen.synthesis.figures.Figures`."""

MARGIN = 0.1
"""A bitstream may exceed its budget by so much: placement replicates registers, and the block
design adds its reset block. A memory in registers is far more."""


def beside_each_other(
    used: Utilization, budget: Mapping[str, float] | None, modelled: Mapping[str, float] | None
) -> dict[str, dict[str, float | None]]:
    """Figure → what the tool used, the budget allows, ``make synth`` says; None: not known."""
    return {
        member: {
            "used": getattr(used, member),
            "budget": _of(budget, figure),
            "synth": _of(modelled, figure),
        }
        for member, figure in FIGURES.items()
    }


def check_budget(used: Utilization, budget: Mapping[str, float] | None) -> None:
    """`FractrainError` if a figure is more than `MARGIN` beyond its ``budget``."""
    excesses = [
        f"{value:,g} {member}, budget {limit:,g}"
        for member, figure in FIGURES.items()
        if (limit := _of(budget, figure)) is not None
        and (value := getattr(used, member)) is not None
        and value > limit * (1 + MARGIN)
    ]
    if excesses:
        raise FractrainError(
            f"more than {MARGIN:.0%} beyond the budget: {'; '.join(excesses)} (a memory that "
            "became registers? see reports/utilization_hierarchical.rpt)"
        )


def _of(figures: Mapping[str, Any] | None, name: str) -> float | None:
    return None if figures is None else figures.get(name)
