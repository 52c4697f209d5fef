"""Every target by its name: the modules of `hw.targets.boards`, found and not listed."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from fractrain.hw.targets import boards
from fractrain.hw.targets.target import Target

__all__ = ["targets"]


@functools.cache
def targets() -> Mapping[str, Target]:
    """Name → target, sorted by name."""
    names = sorted(each.name for each in pkgutil.iter_modules(boards.__path__))
    modules = [importlib.import_module(f"{boards.__name__}.{name}") for name in names]
    return {name: module.TARGET for name, module in zip(names, modules, strict=True)}
