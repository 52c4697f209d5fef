"""Pages of the documentation that a command writes and can write again."""

from __future__ import annotations


def markdown_page(title: str, about: str, command: str, *parts: str) -> str:
    """``title``, ``about`` what follows, the ``command`` of `fractrain` that made it, ``parts``."""
    head = (f"# {title}", f"{about} Made by", f"    fractrain {command}")
    return "\n\n".join([*head, *parts]) + "\n"
