"""Word lengths of the integer training step (docs/numerics.md), chosen for the DSP48E1.

A DSP48E1 multiplies 25 by 18 signed bits and adds in 48; an unsigned factor has one bit less. All
numbers are two's complement. ``*_BITS`` of a signed number count its sign.
"""

from __future__ import annotations

# -- what the step is defined for --------------------------------------------------------------

MAX_CHUNK_PIXELS = 1 << 17
"""Pixels of a channel in one chunk: 128 images of 32 x 32."""
MAX_ACTIVATION_BITS = 8
MAX_WEIGHT_BITS = 8
MAX_ERROR_BITS = 12

# -- forward -----------------------------------------------------------------------------------

NARROW_BITS = 16
"""Of y, a convolution's sums after their shift, and of an error at an activation."""
PEAK_BITS = 14
"""The shift is such that last step's greatest magnitude has so many bits: two bits below y's."""
MEAN_FRACTION = 4
"""Fraction of a channel's mean; y·2^4 − mean has 21 bits."""
LEAST_DEVIATION = 32
"""Floor of a channel's standard deviation, in steps of y: the ε of batch norm."""
RECIPROCAL_FRACTION = 22
RECIPROCAL_BITS = 17
"""M = 2^22/σ, unsigned; it saturates."""
RADICAND_BITS = 24
"""Of the normalized radicand of the reciprocal root, whose top bits find the table's entry."""
TABLE_INDEX_BITS = 9
TABLE_BITS = 17

DEVIATION_FRACTION = 3
"""x̂ of b bits counts in σ/2^(b−3): its range is ±4σ."""
WIDE_BITS = 12
"""Of x̂ at the end of a block, before it is rounded for the way back."""
MAX_INNER_BITS = 11
MAX_OUTER_BITS = 8

FORM_FRACTION = 12
"""Fraction of z, which becomes activations."""
FACTOR_BITS = 18
"""Of a signed factor: γ, the residual's, A. It saturates."""
OFFSET_BITS = 30
"""Of β in steps of z. It saturates."""

# -- backward ----------------------------------------------------------------------------------

PRESHIFTED_BITS = 25
"""Of an error's sums before their multiplication."""
MULTIPLIER_BITS = 17
"""Of the mantissa of an unsigned real factor."""
SLOPE_BITS = 25
"""Of the factor of x̂. It saturates."""
ERROR_WORD = 32
"""Bits of an error and of its fraction F, together: F = 32 − bits."""
RANDOM_BITS = 8

# -- update ------------------------------------------------------------------------------------

MASTER_BITS = 32
WEIGHT_FRACTION = 28
"""A master weight counts in 2^−28: −8 to 8."""
VELOCITY_FRACTION = 26
"""Its momentum in 2^−26: −32 to 32."""
SQUARED_SHIFT = 12
"""Bits of a weight that its square in Σw² leaves out."""
