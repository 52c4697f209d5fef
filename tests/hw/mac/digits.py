"""Integers as the digits that the array multiplies, and back-of-the-envelope truth in NumPy."""

import numpy as np


def planes_of(values: np.ndarray, bits: int) -> np.ndarray:
    """``[..., lanes]`` integers of ``bits`` bits → ``[..., bits, lanes]``, top plane first."""
    shifts = np.arange(bits - 1, -1, -1)
    return ((values[..., None, :] >> shifts[:, None]) & 1).astype(np.uint8)


def pack(bits: np.ndarray, axes: int) -> np.ndarray:
    """Last ``axes`` axes of single bits, in C order → bytes, bit 0 first."""
    flat = bits.reshape(*bits.shape[: bits.ndim - axes], -1)
    return np.packbits(flat, axis=-1, bitorder="little")


def signed_value(values: np.ndarray, bits: int, negative: np.ndarray) -> np.ndarray:
    """``values`` of ``bits`` bits with the top one weighing negative where ``negative``."""
    top = 1 << (bits - 1)
    return values - 2 * top * ((values & top) != 0) * negative
