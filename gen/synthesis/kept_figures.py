"""The figures of the last ``fractrain synth`` of each machine, for others to compare with.

They are in the cache of synthesis, by the machine's build hash: other sources or parameters are
another machine, without figures until it is synthesized.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fractrain.gen.build_hash import build_hash
from fractrain.gen.synthesis.figures import Figures
from fractrain.hw.contract.errors import DataError
from fractrain.hw.contract.parameters import Parameters

__all__ = ["CACHE", "keep_figures", "kept_figures"]

CACHE = Path("build", "synth")
KEPT = ("luts", "memory_luts", "flip_flops", "dsps", "bram36")


def keep_figures(parameters: Parameters, part: str, figures: Figures) -> None:
    """Keep the figures of ``part`` of the machine; `DataError` if they cannot be written."""
    file = _file(parameters, part)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({name: getattr(figures, name) for name in KEPT}) + "\n")
    except OSError as error:
        raise DataError(f"cannot write {file}: {error.strerror}") from error


def kept_figures(parameters: Parameters, part: str) -> Mapping[str, float] | None:
    """The figures kept for these sources and parameters; None if there are none."""
    try:
        found: Any = json.loads(_file(parameters, part).read_text(encoding="utf-8"))
        return {name: float(found[name]) for name in KEPT}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(parameters: Parameters, part: str) -> Path:
    return CACHE / f"figures-{part}-{build_hash(parameters)[:16]}.json"
