"""The name of a run that is given none: what was trained on what, and which choices were made."""

from __future__ import annotations

import argparse
import re
import unicodedata
from pathlib import Path

from fractrain.host.accelerator import USUAL_CONFIG
from fractrain.host.cli.train_options import DEFAULT_LEVELS, DEFAULT_PRECISION
from fractrain.host.training.recipe import Recipe
from fractrain.hw.contract.precision import Precision

__all__ = ["run_name", "slug"]

LONGEST_PART = 40
"""Characters of a part: a file system takes names of 255 bytes, a number may follow."""


def run_name(args: argparse.Namespace, recipe: Recipe, dataset: str) -> str:
    """``dataset-model-method-backend-seedN``, for the options ``args`` and their ``recipe``, with
    what is not the default in between: mode, precision of static training, recipe, when gates
    decide, levels of weights, published ranges, configuration, device.

    A folder's name anywhere, and an argument of any command: ASCII letters, digits, ``-``, ``_``,
    ``.``, a letter or digit in front. Steps, batch, learning rate and other numbers are not in it:
    a second run of the same name gets a number.
    """
    parts = (
        slug(dataset) or "images",
        args.model,
        args.method,
        _precision(recipe),
        "" if args.recipe is None else slug(Path(args.recipe).stem),
        "" if args.mode == "hardware" else args.mode,
        "published-range" if args.published_range else "",
        "" if args.weight_levels in (None, DEFAULT_LEVELS.value) else args.weight_levels,
        "early" if recipe.gated and recipe.decide == "early" and args.mode == "hardware" else "",
        args.backend,
        args.device or "",
        _config(args),
        f"seed{args.seed}",
    )
    return "-".join(part for part in parts if part)


def slug(text: str) -> str:
    """``text`` in ASCII letters, digits, ``-``, ``_`` and ``.``, short; without accents, what is in
    other scripts left out. It begins and ends with a letter or digit, or is empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", plain)
    plain = re.sub(r"[._]*-[._-]*", "-", plain)  # "a, b (1).x" is a-b-1-x
    return plain.strip("-._")[:LONGEST_PART].rstrip("-._")


def _precision(recipe: Recipe) -> str:
    """Bits of static training, unless they are the baseline's."""
    if recipe.method != "static" or recipe.precision == Precision(*DEFAULT_PRECISION):
        return ""
    bits = recipe.precision
    return f"{bits.activation}-{bits.weight}-{bits.error}"


def _config(args: argparse.Namespace) -> str:
    """The machine, unless it is the usual one, or a board's, which has but one."""
    board = args.backend == "board" and args.device != "simulated"
    return "" if board or args.config == USUAL_CONFIG else slug(Path(args.config).stem)
