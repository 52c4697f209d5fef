"""The quantizer of the published experiments: affine, over the range from minimum to maximum.

    s = max(range / (2^b − 1), 1e-8)
    q = round(clip((x − minimum) / s, 0, 2^b − 1)),    value = q·s + minimum

Activations and errors have one range per tensor, weights one per output channel. Errors are
rounded stochastically: uniform noise of −0.5 .. 0.5 is added before rounding. Rounding is to
nearest, ties to even. Nothing of this is integer arithmetic on hardware: with a minimum other
than 0, a convolution of such values needs sums besides the products. It is here for comparison
(``--mode reference``).

Source: Fu et al., FracTrain, NeurIPS 2020, and the authors' code.
"""

from __future__ import annotations

from typing import Any

from fractrain.host.numerics.quantization import Array

SMALLEST_SCALE = 1e-8


def tensor_range(xp: Any, x: Array) -> Array:
    """[minimum, maximum] of ``x``."""
    return xp.stack([xp.min(x), xp.max(x)])


def quantize(xp: Any, x: Array, bits: int, extent: Array, fractions: Array = None) -> Array:
    """The values of ``x`` on the grid of ``bits`` bits over ``extent`` = [minimum, maximum], each a
    number or of a shape that broadcasts.

    ``fractions``: uniform in [0, 1), to round stochastically by.
    """
    levels = (1 << bits) - 1
    minimum, maximum = extent[0], extent[1]
    scale = xp.clip((maximum - minimum) / levels, SMALLEST_SCALE, None)
    scaled = xp.clip((x - minimum) / scale, 0, levels)
    if fractions is not None:
        scaled = xp.clip(scaled + (fractions - 0.5), 0, levels)
    return xp.round(scaled) * scale + minimum


def quantize_per_filter(xp: Any, w: Array, bits: int) -> Array:
    """The values of weights ``w[K,C,R,S]``, each filter over a range of its own."""
    flat = w.reshape(w.shape[0], -1)
    shape = (-1, 1, 1, 1)
    extent = (xp.min(flat, axis=1).reshape(shape), xp.max(flat, axis=1).reshape(shape))
    return quantize(xp, w, bits, extent)
