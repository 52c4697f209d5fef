"""The roofline picture: what bounds each convolution, the array or the memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fractrain.host.reports.end_labels import End, label_ends
from fractrain.host.reports.standalone import standalone
from fractrain.host.reports.svg import (
    HALO,
    INK,
    MARKERS,
    MUTED,
    Picture,
    drawing,
    line_style,
    mark,
    marker_sample,
    render,
)
from fractrain.host.reports.units import BYTES, COUNTS, significant
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (8.0, 4.8)
MOST_NAMES = 5
TICKS = (100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)


@dataclass(frozen=True)
class Point:
    """One convolution, or all of a step: useful one-bit products, bytes moved (both ways), cycles.

    name : the layer and its pass; about : what else to say of it; pass_ : None for a whole step
    """

    name: str
    about: str
    pass_: Pass | None
    bit_products: int
    bytes_moved: int
    cycles: int

    @property
    def intensity(self) -> float:
        """Bit-products per byte moved."""
        return self.bit_products / max(1, self.bytes_moved)


@dataclass(frozen=True)
class Roofs:
    """Peak bit-products and bytes per cycle; ``memory``: the name of the memory."""

    bit_products: int
    bytes_per_cycle: float
    clock_mhz: float
    memory: str

    @property
    def ridge(self) -> float:
        """The intensity at which the two roofs meet."""
        return self.bit_products / self.bytes_per_cycle

    def bound(self, point: Point) -> tuple[float, str]:
        """Upper bound of ``point`` in bit-products per cycle, and the roof that sets it."""
        by_memory = point.intensity * self.bytes_per_cycle
        return min((by_memory, "memory"), (float(self.bit_products), "array"))

    def of_array(self, point: Point) -> float:
        """Percent of the array that ``point`` uses."""
        return 100 * point.bit_products / (point.cycles * self.bit_products)

    def of_roof(self, point: Point) -> float:
        """Percent of its roof that ``point`` reaches."""
        return 100 * point.bit_products / point.cycles / self.bound(point)[0]


def roofs_of(parameters: Parameters, bytes_per_cycle: float, memory: str) -> Roofs:
    """The roofs of a machine with the memory called ``memory``."""
    clock = float(parameters.clock_mhz)
    return Roofs(parameters.bit_products_per_cycle, bytes_per_cycle, clock, memory)


def roofline(points: Sequence[Point], step: Point, roofs: Roofs, title: str) -> str:
    """An SVG file that needs nothing else, light or dark as the reader's screen.

    The unit of work is the one-bit multiply-add, so that layers of every precision share one
    roof: x is bit-products per byte moved, y bit-products per cycle; the roof is
    ``min(bit_products_per_cycle, x * bytes_per_cycle)``. ``step``: all ``points`` as one command
    stream. Each point says its layer and its efficiency where the pointer rests on it.

    Raises `MissingToolError` without matplotlib.
    """
    passes = [pass_ for pass_ in Pass if any(point.pass_ is pass_ for point in points)]
    with drawing(SIZE, extra="hardware") as (figure, axes):
        _draw_roofs(axes, [*points, step], roofs)
        tooltips = {}
        for pass_ in passes:
            number = list(Pass).index(pass_)
            some = [point for point in points if point.pass_ is pass_]
            look: dict[str, Any] = {"marker": MARKERS[number], "gid": f"pass-{number}"}
            mark(axes, *_places(some), line_style(number).colour, **look)
            tooltips[f"pass-{number}"] = [_tooltip(point, roofs) for point in some]
        whole: dict[str, Any] = {"marker": "*", "markersize": 14, "gid": "step"}
        mark(axes, *_places([step]), INK, **whole)
        tooltips["step"] = [_tooltip(step, roofs)]
        label_ends(figure, axes, _labels(points, step, roofs))
        _name_roofs(figure, axes, roofs)
        svg = render(figure, "roofline", _description(points, step, roofs), tooltips)
        legend = [_legend(points, pass_) for pass_ in passes]
    return standalone(Picture(title, svg, ""), [*legend, (_star(), "whole step, one stream")])


def _draw_roofs(axes: Axes, points: Sequence[Point], roofs: Roofs) -> None:
    """Both roofs, and the scales."""
    from matplotlib.ticker import LogLocator

    intensities = [*(point.intensity for point in points), roofs.ridge]
    low, high = min(min(intensities) / 2, roofs.ridge / 8), max(intensities) * 2
    rates = [point.bit_products / point.cycles for point in points]
    bottom = min([*rates, low * roofs.bytes_per_cycle * 4]) / 2
    top = 2 * max(float(roofs.bit_products), *rates)
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(bottom, top))
    array = float(roofs.bit_products)
    axes.plot(
        [low, roofs.ridge, high],
        [low * roofs.bytes_per_cycle, array, array],
        color=INK,
        zorder=2.5,
        gid="roof",
    )
    axes.set_xlabel("bit-products per byte moved (measured in RTL)")
    axes.set_ylabel("bit-products per cycle, % of the array (measured in RTL)")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axes.xaxis.set_major_formatter(lambda value, _: COUNTS.text(value, 1))
    ticks = [tick for tick in TICKS if bottom <= tick / 100 * array <= array]
    axes.set_yticks([tick / 100 * array for tick in ticks], [f"{tick:g} %" for tick in ticks])
    axes.minorticks_off()


def _name_roofs(figure: Figure, axes: Axes, roofs: Roofs) -> None:
    """Label the array's roof at its right end and the memory's along its slope, once the layout is
    known."""
    (low, high), bottom = axes.get_xlim(), axes.get_ylim()[0]
    peak = 2e-3 * roofs.bit_products * roofs.clock_mhz / 64
    per_second = BYTES.text(1e6 * roofs.bytes_per_cycle * roofs.clock_mhz)
    start = max(low, bottom / roofs.bytes_per_cycle)
    (x0, y0), (x1, y1) = axes.transData.transform(
        [(start, start * roofs.bytes_per_cycle), (roofs.ridge, roofs.bit_products)]
    )
    angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
    array = (
        f"array: {roofs.bit_products:,} bit-products per cycle "
        f"({significant(peak)} GOPS at 8 x 8 bits)"
    )
    memory = f"{roofs.memory}: {per_second}/s"
    width, height = figure.bbox.size
    right = axes.transData.transform((high, roofs.bit_products))
    middle = (x0 + x1) / 2 - 4 * math.sin(math.radians(angle)), (y0 + y1) / 2 + 4
    for name, text, (x, y), look in (
        ("array", array, (right[0], right[1] + 4), {"ha": "right"}),
        ("memory", memory, middle, {"ha": "center", "rotation": angle}),
    ):
        figure.text(
            x / width,
            y / height,
            text,
            va="bottom",
            fontsize=9,
            rotation_mode="anchor",
            gid=f"{HALO}-{name}",
            **look,
        ).set_in_layout(False)


def _places(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    rates = [point.bit_products / point.cycles for point in points]
    return [point.intensity for point in points], rates


def _labels(points: Sequence[Point], step: Point, roofs: Roofs) -> list[End]:
    """The step, and the convolutions that leave most cycles of the array unused."""
    unused = sorted(points, key=lambda point: -point.cycles * (1 - roofs.of_array(point) / 100))
    named: dict[tuple[Pass | None, str], Point] = {}  # one of several alike
    for point in [step, *unused]:
        named.setdefault((point.pass_, point.about), point)
    return [
        End(
            f"{point.name}, {roofs.of_array(point):.0f} %",
            point.intensity,
            point.bit_products / point.cycles,
            MUTED,
        )
        for point in [*named.values()][: MOST_NAMES + 1]
    ]


def _tooltip(point: Point, roofs: Roofs) -> str:
    limit = roofs.bound(point)[1]
    return (
        f"{point.name}: {point.about}; {point.cycles:,} cycles, "
        f"{BYTES.text(point.bytes_moved)} moved; {roofs.of_array(point):.1f} % of the array, "
        f"{roofs.of_roof(point):.1f} % of its roof, the {limit}"
    )


def _description(points: Sequence[Point], step: Point, roofs: Roofs) -> str:
    efficiencies = [roofs.of_array(point) for point in points]
    return (
        f"Roofline of {len(points)} convolutions: they use {min(efficiencies):.1f} to "
        f"{max(efficiencies):.1f} % of the array alone, {roofs.of_array(step):.1f} % as one "
        f"command stream. Roofs: array {roofs.bit_products:,} bit-products per cycle, "
        f"{roofs.memory} {significant(roofs.bytes_per_cycle)} bytes per cycle."
    )


def _legend(points: Sequence[Point], pass_: Pass) -> tuple[str, str]:
    """The shape of a pass and its name."""
    count = sum(point.pass_ is pass_ for point in points)
    shape = marker_sample(list(Pass).index(pass_))
    return f'<g transform="translate(14 4)">{shape}</g>', f"{pass_.label} ({count})"


def _star() -> str:
    shape = marker_sample(MARKERS.index("*")).replace(line_style(7).variable, "ink")
    return f'<g transform="translate(14 4)">{shape}</g>'
