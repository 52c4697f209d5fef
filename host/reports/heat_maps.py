"""Bits of every block over the steps, as pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fractrain.host.reports.axis_scales import step_ticks
from fractrain.host.reports.curves import binned
from fractrain.host.reports.run import Run
from fractrain.host.reports.svg import Picture, drawing, render

COLUMNS = 240
MOST_NAMES = 12
COLOURS = "viridis"


def heat_maps(run: Run, number: int, highest: float) -> dict[str, Picture]:
    """By title: activation bits, error bits and cost of the run with this number on the page.

    highest : the end of the scale of bits, the same for all runs that are to be compared
    Empty if there is nothing to see that a line of text does not say (`one_precision_a_stage`).
    """
    bits = run.log.bits
    if not bits.size or np.isnan(bits).all() or one_precision_a_stage(run):
        return {}
    costs = run.log.block_costs
    every_cost = max(6.25, float(np.nanmax(costs)))
    maps = [
        _heat_map(run, f"run{number}-activations", "Bits of activations", bits[..., 0], highest),
        _heat_map(run, f"run{number}-errors", "Bits of errors", bits[..., 2], highest),
        _heat_map(run, f"run{number}-cost", "Cost of blocks", costs, every_cost, computed=True),
    ]
    return {each.title: each for each in maps}


def one_precision_a_stage(run: Run) -> bool:
    """All blocks have the same bits, which change with the stage of the schedule only: so of
    every static and progressive run. A step without bits counts for nothing."""
    rows = ~np.isnan(run.log.bits).any(axis=(1, 2))
    bits = run.log.bits[rows]
    if not bits.size or (bits != bits[:, :1]).any():
        return False
    changes = np.flatnonzero((bits[1:, 0] != bits[:-1, 0]).any(axis=1)) + 1
    starts = {start.step for start in run.log.stage_starts()}
    return set(run.log.step[rows][changes].astype(int).tolist()) <= starts


def highest_bits(runs: Sequence[Run]) -> float:
    """The end of the common scale: at least 8 bits."""
    most = [float(np.nanmax(run.log.bits, initial=0)) for run in runs if run.log.bits.size]
    return max([8.0, *most])


def _heat_map(
    run: Run,
    name: str,
    title: str,
    values: NDArray[np.float32],
    highest: float,
    *,
    computed: bool = False,
) -> Picture:
    """``values`` (steps, blocks), the first block at the top."""
    means, each = binned(np.ascontiguousarray(values.T), COLUMNS)
    steps = run.log.steps_done
    source = "Computed from the bits" if computed else "Measured"
    with drawing() as (figure, axes):
        picture = axes.imshow(
            means,
            aspect="auto",
            interpolation="none",
            cmap=COLOURS,
            vmin=0,
            vmax=highest,
            extent=(0, means.shape[1] * each, len(means) - 0.5, -0.5),
        )
        axes.set_xlim(0, max(steps, 1))
        axes.set_xlabel("step")
        step_ticks(axes, steps)
        axes.grid(False)
        places, names = _block_ticks(run.blocks)
        axes.set_yticks(places, names)
        axes.tick_params(axis="y", length=2)
        label = "% of FP32 (computed)" if computed else "bits (measured)"
        bar = figure.colorbar(picture, ax=axes, label=label, pad=0.02)
        bar.outline.set_visible(False)
        svg = render(figure, name, f"{title} of each block over the steps of {run.name}")
    caption = f"{source}; 0 is a skipped block."
    if each > 1:
        caption += f" Means over {each:,} steps."
    return Picture(title, svg, caption)


def _block_ticks(blocks: Sequence[str]) -> tuple[list[int], list[str]]:
    """All names while they fit; else the first block of every stage of the network."""
    if len(blocks) <= MOST_NAMES:
        return list(range(len(blocks))), list(blocks)
    stages = [block.partition(".")[0] for block in blocks]
    places = [
        place for place, stage in enumerate(stages) if place == 0 or stage != stages[place - 1]
    ]
    if not 1 < len(places) <= MOST_NAMES:
        places = list(range(0, len(blocks), -(-len(blocks) // MOST_NAMES)))
    return places, [blocks[place] for place in places]
