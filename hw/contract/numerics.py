"""Word lengths of the integer training step (docs/numerics.md), chosen for the DSP48E1.

A DSP48E1 multiplies 25 by 18 signed bits and adds in 48; an unsigned factor has one bit less. All
numbers are two's complement. ``*_BITS`` of a signed number count its sign; a number that is
called unsigned has none.
"""

from __future__ import annotations

# -- what the step is defined for --------------------------------------------------------------

CHUNK_ROWS = 256
"""Rows of pixels of a default chunk: 8 images of 32 x 32."""
MAX_CHUNK_PIXELS = 1 << 17
"""Pixels n of a channel in one chunk: 128 images of 32 x 32."""
MAX_UNIT_PIXELS = MAX_CHUNK_PIXELS - 1
"""The same on a machine with a vector unit, where n is the unsigned factor of a DSP slice."""
MAX_ACTIVATION_BITS = 8
MAX_WEIGHT_BITS = 8
MAX_ERROR_BITS = 12
MIN_NORMALIZED_BITS = 4
"""Of x̂ kept for the way back, inside a block (`MAX_INNER_BITS`) or at its end."""
MAX_INNER_BITS = 11
MAX_OUTER_BITS = 8
MIN_RESIDUAL_BITS = 8
MAX_RESIDUAL_BITS = 16

# -- forward: statistics -----------------------------------------------------------------------

CONVOLVED_BITS = 37
"""Of a convolution's sum as NARROW and JOIN take it: 1,023 slices of 144 products of an error's 12
bits with a weight's 8 are below 2^36. The accumulator has 48."""
NARROW_BITS = 16
"""Of y, a convolution's sums after their shift, and of an error E at an activation. They
saturate."""
PEAK_BITS = 14
"""The shift is such that last step's greatest magnitude has so many bits: two bits below y's."""
TOTAL_BITS = 33
"""Of Σy in a chunk, and of ΣE."""
SQUARES_BITS = 48
"""Of Σy², unsigned."""
DISPERSION_BITS = 64
"""Of D = n·Σy² − (Σy)², unsigned."""
MEAN_FRACTION = 4
"""Fraction of a channel's mean μ'."""
MEAN_BITS = 20
"""Of μ', and of a channel's mean error."""
CENTERED_BITS = 21
"""Of 16·y − μ', and of 16·E − T₁'."""
LEAST_DEVIATION = 32
"""Floor of a channel's standard deviation, in steps of y: the ε of batch norm."""

# -- forward: reciprocal root, M = 2^22·n/√D ------------------------------------------------------

RECIPROCAL_FRACTION = 22
RECIPROCAL_BITS = 17
"""Of M, unsigned; it saturates."""
RADICAND_BITS = 24
"""Of v, the radicand shifted by an even number of bits so that v ≥ 2^22; unsigned."""
TABLE_INDEX_BITS = 9
"""Top bits of v, which find the table's entry."""
TABLE_FRACTION = 28
"""An entry t is about 2^28/√v."""
TABLE_BITS = 17
"""Of t, unsigned."""
SQUARE_SHIFT = 17
"""p = t² >> 17 is about 2^39/v."""
SQUARE_BITS = 17
"""Of p, unsigned."""
NEWTON_FRACTION = 2 * TABLE_FRACTION - SQUARE_SHIFT
"""u = 3·2^39 − v·p is about 2^40."""
NEWTON_BITS = 41
"""Of u, unsigned."""
NEWTON_SHIFT = 17
"""So many bits of u are dropped; 24 stay."""
ROOT_SHIFT = 21
"""r = t·(u >> 17) >> 21."""
ROOT_FRACTION = TABLE_FRACTION + NEWTON_FRACTION + 1 - NEWTON_SHIFT - ROOT_SHIFT
"""r is about 2^30/√v."""
ROOT_BITS = 19
"""Of r, unsigned."""
ROOT_PRODUCT_BITS = 36
"""Of n·r, unsigned."""

# -- forward: statistics mixed with running ones ---------------------------------------------------

MIX_BITS = 8
"""Of λ, unsigned, in 1/256: running statistics count λ, the chunk's 1 − λ."""
VARIANCE_BITS = 30
"""Of a running variance in steps of y², unsigned; it saturates."""
OFFSET_FRACTION = 9
"""δ = (μ_chunk − μ)/σ counts in 2^−9."""

# -- forward: x̂ and z ------------------------------------------------------------------------------

FORMED_RANGE_BITS = 4
"""x̂ of b bits, from which z is formed, has b − 4 of fraction: it reaches ±8σ."""
OUTER_RANGE_BITS = 3
"""x̂ of b bits, for the way back only, has b − 3 of fraction: it reaches ±4σ."""
WIDE_BITS = 12
"""Of x̂ at the end of a block, before it is rounded for the way back."""
FORM_BITS = 19
"""z reaches 2^19 where activations of b bits reach 2^b: it has 19 − b bits of fraction."""
FACTOR_BITS = 18
"""Of a signed factor: γ, the residual's, A, δ. It saturates."""
BETA_BITS = 30
"""Of β in steps of z. It saturates."""
FORM_WORD = 32
"""Of z: two batch norms and a residual."""

# -- backward ----------------------------------------------------------------------------------

PRESHIFTED_BITS = 25
"""Of an error's sums before their multiplication."""
MULTIPLIER_BITS = 17
"""Of the mantissa of an unsigned real factor."""
UPDATE_LEAST_SHIFT = -6
"""k of the greatest factor m·2^−k that an UPDATE takes: below 2^23. The host refuses steps with
greater ones, which go layer by layer; they come with batches of a few images."""
SCALED_BITS = 42
"""Of an error's sums after their multiplication."""
JOIN_BITS = 24
"""Of one of the errors that are added up to E. It saturates."""
MAX_JOINED = 4
"""Errors that are added up to one E."""
JOINED_BITS = 26
"""Of their sum."""
CROSS_BITS = 43
"""Of T₂ = ΣE·x̂ in a chunk."""
CROSS_FRACTION = 6
"""T₂' = T₂/n in σ/2^6, whatever the bits of x̂."""
CROSS_MEAN_BITS = 25
"""Of T₂'."""
LIFTED_FRACTION = 7
"""B̄ multiplies x̂ in σ/2^7, whatever the bits of x̂,"""
LIFTED_BITS = 11
"""which has so many then."""
SLOPE_BITS = 25
"""Of B̄, the factor of x̂. It saturates."""
ERROR_WORD = 32
"""Bits of an error and of its fraction F, together: F = 32 − bits."""
WIDE_ERROR_BITS = 39
"""Of the wide error W."""
RANDOM_BITS = 8
"""That an element is rounded with."""

# -- update ------------------------------------------------------------------------------------

MASTER_BITS = 32
"""Of a weight and of its momentum. They saturate."""
WEIGHT_FRACTION = 28
"""A master weight counts in 2^−28: −8 to 8."""
VELOCITY_FRACTION = 26
"""Its momentum in 2^−26: −32 to 32."""
WEIGHT_PRODUCT_BITS = 49
"""Of a master weight, a momentum or a gradient times a mantissa."""
UPDATE_TERM_BITS = 33
"""Of each of the terms of a new momentum, and of what a weight moves by. They saturate."""
UPDATE_SUM_BITS = 35
"""Of the sum of three such terms."""
SQUARED_SHIFT = 16
"""Bits of a weight that its square in Σw² leaves out."""
SQUARED_BITS = 16
"""Of such a weight. It saturates."""
MAX_WEIGHTS = 1 << 17
"""Weights of a tensor for which `SQUARED_SUM_BITS` hold Σw²; more need more."""
SQUARED_SUM_BITS = 48
"""Of Σw², unsigned."""
