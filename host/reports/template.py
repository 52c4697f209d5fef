"""Pages that need nothing but themselves, from Jinja templates.

Run names, commands and settings are other people's text, and a template that escapes whatever it
is given cannot forget to. Only our own SVG is exempt; matplotlib escapes the text in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fractrain import __version__
from fractrain.host.reports.names import heads
from fractrain.host.reports.svg import marker_sample, sample
from fractrain.hw.contract.installation import needs_extra

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def fill(name: str, contents: Callable[[], Mapping[str, Any]]) -> str:
    """The template ``name`` with ``contents``, which are asked for when it is known to be there.

    Raises `MissingToolError` without the packages of the extra ``report``.
    """
    with needs_extra("report"):
        import jinja2
        from markupsafe import Markup
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fractrain.host.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"svg": Markup, "unbroken": unbroken, "heads": heads}
    environment.globals |= {
        "sample": lambda number: Markup(sample(number)),
        "marker_sample": lambda number: Markup(marker_sample(number)),
        "version": __version__,
    }
    return environment.get_template(name).render(contents())


def unbroken(text: str) -> str:
    """``text`` with each number kept in one line with its unit."""
    return re.sub(r"(?<=\d) (?=(?:%|[nµmkMG]?[sJ]|[kMGTPE]|min|h)(?!\w))", NO_BREAK_SPACE, text)
