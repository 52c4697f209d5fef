"""What a tensor's values must be, to fit into bit planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import value_range


def check_values(name: str, values: NDArray[np.integer], bits: int, signed: bool) -> None:
    """Raise `ParameterError` unless every value fits in ``bits`` bits, naming the first misfit."""
    low, high = value_range(bits, signed)
    if values.size and (int(values.min()) < low or int(values.max()) > high):
        position = np.unravel_index(int(np.argmax((values < low) | (values > high))), values.shape)
        kind = "signed" if signed else "unsigned"
        raise ParameterError(
            f"{name}{[int(i) for i in position]}",
            int(values[position]),
            f"{low}..{high} ({bits} bits, {kind})",
        )
