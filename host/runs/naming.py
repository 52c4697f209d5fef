"""The default name of a run: what is trained on what, and the choices made."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from fractrain.host.methods.recipe import Recipe
from fractrain.host.runs.options import DEFAULT_LEVELS, RunOptions
from fractrain.host.usual_machines import usual_config

__all__ = ["run_name", "slug"]

LONGEST_PART = 40
"""Characters of a part: a file system takes names of 255 bytes, a number may follow."""


def run_name(given: RunOptions, recipe: Recipe, dataset: str) -> str:
    """``dataset-model-method-backend-seedN``, for the options ``given`` and their ``recipe``, with
    what is not the default in between: the method's choices (precision of static training, when
    gates decide), recipe, mode, levels of weights, configuration, device.

    A folder's name anywhere, and an argument of any command: ASCII letters, digits, ``-``, ``_``,
    ``.``, a letter or digit in front. Steps, batch, learning rate and other numbers are not in it:
    a second run of the same name gets a number.
    """
    parts = (
        slug(dataset) or "images",
        given.model,
        given.method,
        *recipe.name_parts,
        "" if given.recipe is None else slug(Path(given.recipe).stem),
        "" if given.mode == "hardware" else given.mode,
        "" if given.weight_levels in (None, DEFAULT_LEVELS.value) else given.weight_levels,
        given.backend,
        given.device or "",
        _config(given),
        f"seed{given.seed}",
    )
    return "-".join(part for part in parts if part)


def slug(text: str) -> str:
    """``text`` in ASCII letters, digits, ``-``, ``_`` and ``.``, short; without accents, what is in
    other scripts left out. It begins and ends with a letter or digit, or is empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", plain)
    plain = re.sub(r"[._]*-[._-]*", "-", plain)  # "a, b (1).x" is a-b-1-x
    return plain.strip("-._")[:LONGEST_PART].rstrip("-._")


def _config(given: RunOptions) -> str:
    """The machine, unless it is the default one or a board's only one."""
    board = given.backend == "board" and given.device != "simulated"
    usual = usual_config(given.backend, given.mode)
    config = given.config or usual
    return "" if board or config == usual else slug(Path(config).stem)
