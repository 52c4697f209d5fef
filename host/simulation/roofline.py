"""The roofline picture: what bounds each convolution, the array or the memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from host.atomic_files import write_whole
from host.optional import plain_matplotlib
from hw.contract.errors import DataError
from hw.contract.parameters import Parameters
from hw.contract.precision import Pass

COLOURS = {Pass.FORWARD: "tab:blue", Pass.ERROR: "tab:red", Pass.GRADIENT: "tab:green"}


@dataclass(frozen=True)
class Point:
    """One convolution: useful one-bit products, bytes moved (both ways), cycles."""

    pass_: Pass
    bit_products: int
    bytes_moved: int
    cycles: int


@plain_matplotlib("hardware")
def draw_roofline(
    path: Path,
    points: Sequence[Point],
    parameters: Parameters,
    *,
    bytes_per_cycle: float,
    title: str,
) -> None:
    """Write an SVG (or PNG, by the name) to ``path``.

    The unit of work is the one-bit multiply-add, so that layers of every precision share one
    roof: x is bit-products per byte moved, y bit-products per cycle; the roof is
    ``min(bit_products_per_cycle, x * bytes_per_cycle)``.

    Raises `MissingToolError` without matplotlib, `DataError` if ``path`` cannot be written.
    """
    from matplotlib.figure import Figure

    peak = parameters.bit_products_per_cycle
    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    axes = figure.add_subplot()
    intensities = [point.bit_products / max(1, point.bytes_moved) for point in points]
    ridge = peak / bytes_per_cycle
    low, high = min([*intensities, ridge]) / 2, max([*intensities, ridge]) * 2
    axes.plot(
        [low, ridge, high],
        [low * bytes_per_cycle, peak, peak],
        color="black",
        label=f"roof: {peak:,} bit-products, {bytes_per_cycle:.1f} bytes per cycle",
    )
    for pass_, colour in COLOURS.items():
        chosen = [
            (intensity, point.bit_products / point.cycles)
            for point, intensity in zip(points, intensities, strict=True)
            if point.pass_ is pass_
        ]
        if chosen:
            x, y = zip(*chosen, strict=True)
            axes.scatter(x, y, s=22, color=colour, label=pass_.label)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="bit-products per byte moved",
        ylabel="bit-products per cycle",
        title=title,
    )
    axes.grid(True, which="both", alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    picture = io.BytesIO()
    try:
        figure.savefig(picture, format=path.suffix.removeprefix("."))
    except ValueError as error:  # an ending that matplotlib does not know
        raise DataError(f"cannot write {path}: give it the ending .svg, .png or .pdf") from error
    write_whole(path, picture.getvalue())
