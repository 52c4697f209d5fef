"""Compiles the kernels, and runs them on several threads."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from fractrain.hw import contract
from fractrain.sim.cosim.cache import build_root, content_hash

PACKAGE = "numba"
SOURCES = ("numerics.py", "random_bits.py", "threefry.py")
"""What kernels take constants from, in `hw.contract`."""

SMALLEST_SHARED = 1 << 15
"""Elements; for fewer, threads take longer than they save."""


def can_compile() -> bool:
    """Whether Numba is installed."""
    return importlib.util.find_spec(PACKAGE) is not None


def kernel(function: Callable[..., Any]) -> Any:
    """``function`` as machine code, compiled for the types of its first call.

    It runs without the interpreter's lock. The code is kept in ``kernels`` of the build folder
    (`sim.cosim.cache.build_root`), or in memory only where that cannot be written. Without Numba
    the function stays as it is, and is very slow.
    """
    try:
        import numba
    except ImportError:
        return function
    with _cache_in(numba.config) as kept:
        return numba.njit(nogil=True, error_model="numpy", cache=kept)(function)


@contextmanager
def _cache_in(config: Any) -> Iterator[bool]:
    """Inside, Numba keeps the code of what it is given in a folder for the present sources; whether
    there is such a folder.

    Numba looks at the file of a function only, not at constants and functions that it takes from
    others: so a folder belongs to the sources of all kernels.
    """
    folder = _folder()
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder or "")
    try:
        yield folder is not None
    finally:
        config.CACHE_DIR = before


@cache
def _folder() -> Path | None:
    """The folder of the present sources; None if it cannot be written."""
    (constants,) = contract.__path__
    files = [*sorted(Path(__file__).parent.glob("*.py"))]
    files += [Path(constants) / name for name in SOURCES]
    folder = build_root() / "kernels" / content_hash(*(each.read_text("utf-8") for each in files))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return None
    return folder


def shares(blocks: int, elements: int, threads: int) -> list[tuple[int, int]]:
    """(first, past the last) of the ``blocks`` of a tensor that each thread takes."""
    count = 1 if elements < SMALLEST_SHARED else max(1, min(threads, blocks))
    bounds = [blocks * index // count for index in range(count + 1)]
    return list(zip(bounds, bounds[1:], strict=False))


def run_shares(work: Callable[[int, int], Any], parts: Sequence[tuple[int, int]]) -> list[Any]:
    """``work`` of each part, the first of them on the calling thread."""
    others = [_threads(len(parts) - 1).submit(work, *part) for part in parts[1:]]
    return [work(*parts[0]), *(each.result() for each in others)]


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="kernels")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # a child has none of the threads
