"""Ghost batches: parts of a batch, each normalized by its own statistics."""

from __future__ import annotations

from fractrain.host.numerics.quantization import Array


def ghost_batches(x: Array, group: int | None) -> list[Array]:
    """Parts of ``group`` images of ``x``; the last one is smaller where they do not divide it. One
    part if ``group`` is None."""
    if group is None or group >= x.shape[0]:
        return [x]
    return [x[start : start + group] for start in range(0, x.shape[0], group)]
