"""Equal numbers, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np


def same(one: Any, other: Any) -> None:
    """As float64, the sign of 0 included."""
    assert np.float64(one).tobytes() == np.float64(other).tobytes(), f"{one!r} != {other!r}"
