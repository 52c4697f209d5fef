"""Texts of other languages with places for values: ``@{name}``, as ``$`` belongs to Tcl."""

from __future__ import annotations

import string
from collections.abc import Iterable

__all__ = ["fill", "tcl_list"]


class _Template(string.Template):
    delimiter = "@"


def fill(text: str, name: str, **values: object) -> str:
    """``text`` with every ``@{place}`` replaced by the value of that name.

    Raises `ValueError` naming the file ``name`` for a place without a value or a value without a
    place: both are mistakes in the project.
    """
    template = _Template(text)
    places = set(template.get_identifiers())
    if not template.is_valid() or places != set(values):
        raise ValueError(f"{name} has places for {sorted(places)}, given were {sorted(values)}")
    return template.substitute(values)


def tcl_list(elements: Iterable[str]) -> str:
    """The elements of a Tcl list, for a place inside braces.

    Raises `ValueError` for an element that would need more than braces around it.
    """
    quoted = []
    for element in elements:
        if any(character in element for character in "{}\\\n"):
            raise ValueError(f"{element!r} cannot stand in a Tcl list as it is")
        quoted.append(f"{{{element}}}")
    return " ".join(quoted)
