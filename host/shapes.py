"""Shape arithmetic of a convolution, the one formula that every user of it shares."""

from __future__ import annotations


def output_size(
    size: tuple[int, int], kernel: tuple[int, int], stride: int, padding: int
) -> tuple[int, int]:
    """``(P, Q)`` of a convolution: ``⌊(size + 2·padding − kernel) / stride⌋ + 1`` each way.

    Less than 1 where the kernel does not fit into the padded input.
    """
    height, width = (
        (length + 2 * padding - taps) // stride + 1
        for length, taps in zip(size, kernel, strict=True)
    )
    return height, width
