"""Pictures of claims: what is claimed and what we get, side by side; the sweep."""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.rebuttal.claim import Claim, Figure, Unit, largest_difference
from fractrain.host.reports.svg import (
    SMALL,
    WIDE,
    Picture,
    drawing,
    line_style,
    mark,
    render,
)

MOST = 16
"""Figures of a picture."""

ALIKE = 0.01
"""Where no difference is larger, there is nothing to see."""

OURS, CLAIMED = 0, 1
"""Colours and dashes, as runs have them."""


def pictures_of(claim: Claim) -> list[Picture]:
    """Of the figures to look at first, those that are parts of something and have a claim; of the
    sweep, accuracy over what is saved."""
    if claim.identifier == "sensitivity":
        return _sweep(claim)
    chosen = [
        each
        for each in claim.figures
        if each.main
        and each.unit in (Unit.PERCENT, Unit.RATIO)
        and each.value is not None
        and each.claimed is not None
    ][:MOST]
    if len(chosen) < 2 or largest_difference(chosen) < ALIKE:
        return []
    wide, small = (
        _pairs(chosen, f"{claim.identifier}-pairs-{word}", claim.title, size)
        for word, size in (("wide", WIDE), ("small", SMALL))
    )
    return [Picture(f"{claim.title}: claimed and here", wide, PAIRS_CAPTION, small)]


PAIRS_CAPTION = "Dots: here, modelled. Diamonds: claimed, quoted."


def _pairs(figures: Sequence[Figure], name: str, title: str, size: tuple[float, float]) -> str:
    """A row for each figure, with both values on one scale from 0 to 100 %."""
    height = max(size[1] * 0.55, 0.32 * len(figures) + 0.8)
    wide = size == WIDE
    if not wide:
        height = 0.5 * len(figures) + 0.8
    with drawing((size[0], height)) as (figure, axes):
        for place, each in enumerate(figures):
            assert each.value is not None and each.claimed is not None
            here, claimed = 100 * each.value, 100 * each.claimed
            axes.plot([here, claimed], [place, place], color=line_style(OURS).colour, alpha=0.4)
            mark(axes, [here], [place], line_style(OURS).colour, gid=f"here-{place}")
            mark(axes, [claimed], [place], line_style(CLAIMED).colour, marker="D", markersize=6)
            if not wide:
                axes.text(0, place - 0.42, each.name, fontsize=8, va="center")
        axes.set_ylim(len(figures) - 0.5, -0.9 if not wide else -0.6)
        axes.set_xlim(0, 100)
        names = [each.name for each in figures] if wide else [""] * len(figures)
        axes.set_yticks(range(len(figures)), names)
        axes.tick_params(axis="y", length=0, labelsize=8.5)
        axes.set_xlabel("%")
        about = "; ".join(
            f"{each.name}: {each.unit.text(each.value)} here, claimed "
            f"{each.unit.text(each.claimed)}"
            for each in figures
        )
        tips = {
            f"here-{place}": [f"{each.name}: {each.unit.text(each.value)}"]
            for place, each in enumerate(figures)
        }
        return render(figure, name, f"{title}: {about}", tips)


def _sweep(claim: Claim) -> list[Picture]:
    """Accuracy over saving of each setting, a dot each."""
    accuracies = [each for each in claim.figures if each.unit is Unit.ACCURACY]
    savings = [each for each in claim.figures if each.unit is Unit.PERCENT]
    if len(accuracies) < 2:
        return []
    wide, small = (
        _draw_sweep(accuracies, savings, f"sweep-{word}", size)
        for word, size in (("wide", WIDE), ("small", SMALL))
    )
    caption = (
        "Accuracy measured, means over the seeds; MACs saved against FW8/BW8 by the published cost "
        "model. The diamond is static FW8/BW8; each dot is a setting of PFQ, and says which."
    )
    return [Picture("PFQ: accuracy over what is saved", wide, caption, small)]


def _draw_sweep(
    accuracies: Sequence[Figure], savings: Sequence[Figure], name: str, size: tuple[float, float]
) -> str:
    with drawing(size) as (figure, axes):
        tips = {}
        for number, (accuracy, saving) in enumerate(zip(accuracies, savings, strict=True)):
            assert accuracy.value is not None and saving.value is not None
            static = "static" in accuracy.name
            colour = line_style(CLAIMED if static else OURS).colour
            shape = "D" if static else "o"
            gid = f"point-{number}"
            mark(axes, [100 * saving.value], [accuracy.value], colour, marker=shape, gid=gid)
            tips[gid] = [
                f"{accuracy.name.partition(', ')[2]}: {accuracy.unit.text(accuracy.value)}, "
                f"{saving.unit.text(saving.value)} saved"
            ]
        axes.set_xlim(left=-2)
        values = [each.value for each in accuracies if each.value is not None]
        axes.set_ylim(min(95.0, min(values) - 1), 100)
        axes.set_xlabel("effective MACs saved, % (modelled)")
        axes.set_ylabel("test accuracy, % (measured)")
        about = "; ".join(text for each in tips.values() for text in each)
        return render(figure, name, f"Accuracy over saving: {about}", tips)
