"""Figures of the page as SVG files of their own, for a README or a slide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources

from host.reports.accuracy_figures import accuracy_figures
from host.reports.heat_maps import heat_maps, highest_bits
from host.reports.run import Run
from host.reports.step_figures import step_figures
from host.reports.svg import Picture, sample

LINE_HEIGHT, MARGIN, FONT_SIZE = 16, 6, 11
"""Of the legend, in points, as the figures have them."""


def standalone_figures(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """Name of the file and SVG of each figure: those of all ``runs``, with a legend if there are
    several, then the bits of the blocks of each run."""
    names = [run.name for run in runs] if len(runs) > 1 else []
    for picture in (*accuracy_figures(runs).values(), *step_figures(runs)):
        yield f"{_slug(picture.title)}.svg", _standalone(picture, names)
    for number, run in enumerate(runs):
        for picture in heat_maps(run, number + 1, highest_bits(runs)).values():
            yield f"{_slug(run.name)}-{_slug(picture.title)}.svg", _standalone(picture, [])


def _standalone(picture: Picture, names: Sequence[str]) -> str:
    """The picture with its title, the colours of the page, and a legend of ``names`` on top."""
    opening, _, rest = (picture.small or picture.svg).partition(">")
    found = re.search(r'viewBox="([^"]*)"', opening)
    if found is None:
        raise RuntimeError(f"the figure {picture.title!r} has no viewBox")
    left, top, width, height = map(float, found[1].split())
    above = MARGIN + LINE_HEIGHT * (1 + len(names))
    box = f'viewBox="{left:g} {top - above:g} {width:g} {height + above:g}"'
    opening = opening.replace(found[0], f'{box} width="{width:g}pt" height="{height + above:g}pt"')
    if "xmlns=" not in opening:
        opening += ' xmlns="http://www.w3.org/2000/svg"'
    background = f'<rect x="{left:g}" y="{top - above:g}" width="100%" height="100%" class="card"/>'
    lines = [_text(left + MARGIN, top - above + LINE_HEIGHT, picture.title, bold=True)]
    for number, name in enumerate(names):
        y = top - above + LINE_HEIGHT * (number + 2)
        lines += [sample(number, left + MARGIN, y - 4), _text(left + MARGIN + 36, y, name)]
    return f"{opening}>\n{_style()}\n{background}\n" + "\n".join(lines) + f"\n{rest}\n"


def _text(x: float, y: float, text: str, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" font-size="{FONT_SIZE}"{weight}>{escape(text)}</text>'


def _style() -> str:
    """The page's colours, light and dark, and its font."""
    css = resources.files("host.reports").joinpath("templates", "page.css").read_text("utf-8")
    light, dark = re.findall(r":root \{[^}]*\}", css)
    return (
        f"<style>{light} @media (prefers-color-scheme: dark) {{ {dark} }} "
        "text { fill: var(--ink); font-family: system-ui, sans-serif; } "
        ".card { fill: var(--paper); }</style>"
    )


def _slug(text: str) -> str:
    """Letters, digits and hyphens of ``text``, in lower case."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
