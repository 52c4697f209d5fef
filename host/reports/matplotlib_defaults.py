"""Matplotlib with its own defaults, independent of the user's settings."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from fractrain.hw.contract.errors import MissingToolError, shortened
from fractrain.hw.contract.installation import needs_extra

__all__ = ["plain_matplotlib"]


@contextmanager
def plain_matplotlib(extra: str) -> Iterator[None]:
    """Within it matplotlib can be imported and has its own defaults, independent of MPLBACKEND
    (which notebooks set) and matplotlibrc; `needs_extra` if it is not installed.

    Raises `MissingToolError` if it does not load.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    # its remarks on settings and caches that are none of ours
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        with needs_extra(extra):
            import matplotlib
    except (OSError, ValueError) as error:
        text = shortened(" ".join(str(error).split()))
        raise MissingToolError(
            f"matplotlib does not load: {text}; mend or move the file matplotlibrc (in the current "
            "folder, named by MATPLOTLIBRC or in ~/.config/matplotlib)"
        ) from error
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield
