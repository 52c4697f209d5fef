"""The committed budget of a machine: limits that a change may not pass unnoticed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from fractrain.gen.synthesis.figures import Figures
from fractrain.gen.synthesis.parts import PARTS
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.yaml_files import read_yaml

__all__ = ["Budget", "excesses", "preset_budget", "read_budget"]

Budget = Mapping[str, Mapping[str, float]]
"""Part → figure → greatest value allowed."""

LIMITED = tuple(
    each.name
    for each in dataclasses.fields(Figures)
    if each.name not in ("notes", "paths", "modules")
)


def read_budget(config: str, file: Path | None = None) -> Budget:
    """The budget in ``file``, or the one that comes with the preset ``config``.

    Raises `DataError` if there is none, `ParameterError` for what it says.
    """
    source = str(file) if file else f"configs/budgets/{config}.yaml"
    document = read_yaml(
        file or resources.files("fractrain.configs") / "budgets" / f"{Path(config).name}.yaml",
        source=source,
        takes=", ".join(PARTS),
        advice=f": no budget for {config}; run without --check, or give a file with --budget",
    )
    return _parse(document, source)


def preset_budget(config: str, part: str) -> Mapping[str, float] | None:
    """The budget of ``part`` that comes with the preset ``config``; None for any other machine."""
    if not (resources.files("fractrain.configs") / "budgets" / f"{config}.yaml").is_file():
        return None
    return read_budget(config).get(part)


def _parse(document: Any, source: str) -> Budget:
    _require_keys(document, tuple(PARTS), source, source)
    for part, limits in document.items():
        _require_keys(limits, LIMITED, part, source)
        for figure, limit in limits.items():
            if isinstance(limit, bool) or not isinstance(limit, int | float) or limit < 0:
                path = f"{part}.{figure}"
                raise ParameterError(path, limit, "a number, 0 or more", where=source)
    budget: Budget = document
    return budget


def _require_keys(document: Any, allowed: tuple[str, ...], path: str, source: str) -> None:
    if not isinstance(document, Mapping):
        raise ParameterError(path, document, f"a mapping of {', '.join(allowed)}", where=source)
    for key in document:
        if key not in allowed:
            raise ParameterError(f"{path}: key", key, ", ".join(allowed), where=source)


def excesses(results: Mapping[str, Figures], budget: Budget) -> list[str]:
    """One phrase for each figure of ``results`` beyond its limit, or missing from a part."""
    found = []
    for part, figures in results.items():
        for figure, limit in budget.get(part, {}).items():
            value = getattr(figures, figure)
            if value is None:
                found.append(f"{part}.{figure}: not measured, budget {limit:,}")
            elif value > limit:
                found.append(f"{part}.{figure}: {value:,}, budget {limit:,}")
    return found
