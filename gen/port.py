"""A port of a generated module, as manifests list it; needs no hardware tool."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Port"]


@dataclass(frozen=True)
class Port:
    """One port of the top module; ``direction`` is ``input`` or ``output``."""

    name: str
    direction: str
    width: int
