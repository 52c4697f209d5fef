"""A comparison of machines as pictures: bars of time and energy, and a roofline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fractrain.host.machines.comparison import Result
from fractrain.host.reports.end_labels import End, label_ends
from fractrain.host.reports.quantities import percent
from fractrain.host.reports.svg import (
    MARKERS,
    MUTED,
    SMALL,
    WIDE,
    Picture,
    drawing,
    line_style,
    mark,
    render,
)
from fractrain.host.reports.units import COUNTS, JOULES, SECONDS, Units, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAR = 0.38
"""Of the distance between machines."""


def bars(results: Sequence[Result], number: int) -> list[Picture]:
    """Time and energy of one trace on every machine, with the same steps at FW8/BW8 behind."""
    name = results[0].trace.name
    return [
        _bars(results, f"Time of {name}", "seconds", SECONDS, f"bars-time-{number}", number),
        _bars(results, f"Energy of {name}", "joules", JOULES, f"bars-energy-{number}", number),
    ]


def _bars(
    results: Sequence[Result], title: str, what: str, units: Units, name: str, number: int
) -> Picture:
    caption = "Modelled, convolutions only. Grey: the same steps at FW8/BW8; with what is saved."
    wide, small = (
        _draw_bars(results, what, units, f"{name}-{word}", title, number, size)
        for word, size in (("wide", WIDE), ("small", (SMALL[0], 4.2)))
    )
    return Picture(title, wide, caption, small)


def _draw_bars(
    results: Sequence[Result],
    what: str,
    units: Units,
    name: str,
    title: str,
    number: int,
    size: tuple[float, float],
) -> str:
    values = [getattr(each.cost.total, what) for each in results]
    eights = [getattr(each.eight.total, what) for each in results]
    scale = units.scale([*values, *eights])
    factor = scale.unit.factor
    places = range(len(results))
    with drawing(size) as (figure, axes):
        axes.barh(
            [place + BAR / 2 for place in places],
            [each / factor for each in eights],
            BAR,
            color=MUTED,
            alpha=0.45,
        )
        axes.barh(
            [place - BAR / 2 for place in places],
            [each / factor for each in values],
            BAR,
            color=line_style(number).colour,
        )
        most = max([*values, *eights]) / factor
        for place, value, eight in zip(places, values, eights, strict=True):
            text = f" {scale.text(value)}, {_change(1 - value / eight)}"
            axes.text(max(value, eight) / factor, place, text, va="center", fontsize=8.5)
        axes.set_yticks(list(places), [each.contender.label for each in results])
        axes.tick_params(axis="y", length=0, labelsize=8.5)
        axes.set_ylim(len(results) - 0.4, -0.6)
        axes.set_xlim(0, most * (1.3 if size == WIDE else 1.6))
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"{scale.unit.name} (modelled)")
        about = "; ".join(
            f"{each.contender.label} {units.text(value)}"
            for each, value in zip(results, values, strict=True)
        )
        return render(figure, name, f"{title}: {about}")


def _change(saved: float) -> str:
    text = percent(abs(saved))
    if float(text.removesuffix(" %")) == 0:
        return "as much"
    return f"{'−' if saved > 0 else '+'}{text}"


def roofline(results: Sequence[Result]) -> Picture:
    """MACs a second over MACs per byte moved, of each trace on each machine; the roofs are those of
    8 × 8 bits."""
    caption = (
        "Modelled. Lines: what each machine can do at 8 × 8 bits, sloped where memory limits it; "
        "fewer bits lift the roof of those that gain by them. Filled: the trace; hollow: the same "
        "steps at FW8/BW8. Machines with memory that keeps up have no slope."
    )
    wide, small = (
        _draw_roofline(results, f"machines-roofline-{word}", size)
        for word, size in (("wide", WIDE), ("small", (SMALL[0], 4.2)))
    )
    return Picture("Roofline of the machines", wide, caption, small)


def _draw_roofline(results: Sequence[Result], name: str, size: tuple[float, float]) -> str:
    from matplotlib.ticker import LogLocator

    labels = list(dict.fromkeys(each.contender.label for each in results))
    numbers = {label: number for number, label in enumerate(labels)}
    with drawing(size) as (figure, axes):
        axes.set(xscale="log", yscale="log")
        points: list[tuple[float, float]] = []
        tooltips = {}
        for each in results:
            number = numbers[each.contender.label]
            for cost, filled in ((each.eight.total, False), (each.cost.total, True)):
                if not cost.bytes_moved:
                    continue
                point = cost.macs / cost.bytes_moved, cost.macs / cost.seconds
                points.append(point)
                gid = f"dot-{len(points)}"
                tooltips[gid] = [_tooltip(each, point, filled=filled)]
                look: dict[str, Any] = {"marker": _marker(number), "gid": gid}
                if not filled:
                    colour = line_style(number).colour
                    look |= {"markerfacecolor": "none", "markeredgecolor": colour, "markersize": 6}
                mark(axes, [point[0]], [point[1]], line_style(number).colour, **look)
        low, high = min(x for x, _ in points) / 3, max(x for x, _ in points) * 3
        ends = [
            _roof(
                axes,
                numbers[label],
                label,
                next(r for r in results if r.contender.label == label),
                low,
                high,
            )
            for label in labels
        ]
        axes.set_xlim(low, high)
        axes.set_xlabel("MACs per byte moved (modelled)")
        axes.set_ylabel("MACs a second (modelled)")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: significant(value, 2))
        axes.yaxis.set_major_formatter(lambda value, _: COUNTS.text(value, 1))
        axes.minorticks_off()
        label_ends(figure, axes, ends)
        about = "; ".join(
            f"{each.contender.label} {COUNTS.text(each.macs_per_second)} MACs a second"
            for each in results
        )
        return render(figure, name, f"Roofline: {about}", tooltips)


def _marker(number: int) -> str:
    """Machines with the same colour have different shapes."""
    return MARKERS[(number + number // len(MARKERS)) % len(MARKERS)]


def _tooltip(result: Result, point: tuple[float, float], *, filled: bool) -> str:
    bits = "" if filled else " at FW8/BW8"
    return (
        f"{result.trace.name}{bits} on {result.contender.label}: {COUNTS.text(point[1])} MACs a "
        f"second, {significant(point[0])} MACs per byte"
    )


def _roof(axes: Axes, number: int, label: str, result: Result, low: float, high: float) -> End:
    machine = result.contender.machine
    peak, bandwidth = machine.peak((8, 8)), machine.memory_bandwidth
    xs, ys = [low, high], [peak, peak]
    if bandwidth is not None and low < peak / bandwidth < high:
        ridge = peak / bandwidth
        xs, ys = [low, ridge, high], [low * bandwidth, peak, peak]
    style = line_style(number)
    axes.plot(xs, ys, zorder=1.5, **{**style.matplotlib, "linewidth": 1.0})
    return End(label, high, peak, style.colour)
