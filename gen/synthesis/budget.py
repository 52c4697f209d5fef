"""The committed budget of a machine: limits on its figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from fractrain.gen.synthesis.figures import Figures
from fractrain.gen.synthesis.parts import PARTS
from fractrain.hw.contract.documents import Section, read_document
from fractrain.hw.contract.values import Real, Unquoted
from fractrain.hw.contract.yaml_files import read_yaml

__all__ = ["Budget", "excesses", "preset_budget", "read_budget"]

Budget = Mapping[str, Mapping[str, float]]
"""Part → figure → greatest value allowed."""

LIMITED = tuple(
    each.name
    for each in dataclasses.fields(Figures)
    if each.name not in ("notes", "paths", "modules", "areas")
)


BUDGET = Section(
    dict.fromkeys(PARTS, Section(dict.fromkeys(LIMITED, Unquoted(Real(0, 1e12))), needed=())),
    needed=(),
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
    budget: Budget = read_document(document, BUDGET, source)
    return budget


def preset_budget(config: str, part: str) -> Mapping[str, float] | None:
    """The budget of ``part`` that comes with the preset ``config``; None for any other machine."""
    if not (resources.files("fractrain.configs") / "budgets" / f"{config}.yaml").is_file():
        return None
    return read_budget(config).get(part)


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
