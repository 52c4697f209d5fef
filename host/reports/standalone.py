"""Figures of the page as SVG files of their own, for a README or a slide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources

from fractrain.host.reports.accuracy_figures import accuracy_figures
from fractrain.host.reports.heat_maps import heat_maps, highest_bits
from fractrain.host.reports.names import cut, text_width
from fractrain.host.reports.run import Run
from fractrain.host.reports.step_figures import step_figures
from fractrain.host.reports.svg import HALO, Picture, sample

LINE_HEIGHT, MARGIN, FONT_SIZE, SAMPLE_WIDTH = 16, 6, 11, 36
"""Of the legend, in points, as the figures have them."""

LONGEST = 52
"""Of a name in the legend: more does not fit into the figure."""


def standalone_figures(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """Name of the file and SVG of each figure: those of all ``runs``, with a legend if there are
    several, then the bits of the blocks of each run."""
    legend = [(sample(number), cut(run.name, LONGEST)) for number, run in enumerate(runs)]
    for picture in (*accuracy_figures(runs).values(), *step_figures(runs)):
        yield f"{_slug(picture.title)}.svg", standalone(picture, legend if len(runs) > 1 else [])
    for number, run in enumerate(runs):
        for picture in heat_maps(run, number + 1, highest_bits(runs)).values():
            yield f"{_slug(run.name)}-{_slug(picture.title)}.svg", standalone(picture)


def standalone(picture: Picture, legend: Sequence[tuple[str, str]] = ()) -> str:
    """The picture with its title, the colours of the page, and a legend on top: pairs of a
    sample, drawn from 0 to 28 around 4, and its text."""
    opening, _, rest = (picture.small or picture.svg).partition(">")
    found = re.search(r'viewBox="([^"]*)"', opening)
    if found is None:
        raise RuntimeError(f"the figure {picture.title!r} has no viewBox")
    left, top, width, height = map(float, found[1].split())
    places = list(_flow([text for _, text in legend], width - 2 * MARGIN))
    above = MARGIN + LINE_HEIGHT * (2 + places[-1][1] if places else 1)
    box = f'viewBox="{left:g} {top - above:g} {width:g} {height + above:g}"'
    opening = opening.replace(found[0], f'{box} width="{width:g}pt" height="{height + above:g}pt"')
    if "xmlns=" not in opening:
        opening += ' xmlns="http://www.w3.org/2000/svg"'
    background = f'<rect x="{left:g}" y="{top - above:g}" width="100%" height="100%" class="card"/>'
    lines = [_text(left + MARGIN, top - above + LINE_HEIGHT, picture.title, bold=True)]
    for (drawn, text), (along, line) in zip(legend, places, strict=True):
        x, y = left + MARGIN + along, top - above + LINE_HEIGHT * (line + 2)
        lines += [
            f'<g transform="translate({x:g} {y - 8:g})">{drawn}</g>',
            _text(x + SAMPLE_WIDTH, y, text),
        ]
    return f"{opening}>\n{_style()}\n{background}\n" + "\n".join(lines) + f"\n{rest}\n"


def _flow(texts: Sequence[str], width: float) -> Iterator[tuple[float, int]]:
    """Where the entries of the legend begin, and in which line: side by side while they fit."""
    along, line = 0.0, 0
    for text in texts:
        needed = SAMPLE_WIDTH + text_width(text, FONT_SIZE)
        if along and along + needed > width:
            along, line = 0.0, line + 1
        yield along, line
        along += needed + SAMPLE_WIDTH / 2


def _text(x: float, y: float, text: str, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" font-size="{FONT_SIZE}"{weight}>{escape(text)}</text>'


def _style() -> str:
    """The page's colours, light and dark, and its font."""
    css = (
        resources.files("fractrain.host.reports")
        .joinpath("templates", "page.css")
        .read_text("utf-8")
    )
    light, dark = re.findall(r":root \{[^}]*\}", css)
    halo = re.findall(rf"^\.{HALO} .*", css, re.MULTILINE)[0]
    return (
        f"<style>{light} @media (prefers-color-scheme: dark) {{ {dark} }} "
        "text { fill: var(--ink); font-family: system-ui, sans-serif; } "
        f".card {{ fill: var(--card); }} {halo}</style>"
    )


def _slug(text: str) -> str:
    """Letters, digits and hyphens of ``text``, in lower case."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
