"""The memories of a vector unit, and what a machine that is to get one should have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fractrain.hw.contract.numerics import MAX_RESIDUAL_BITS, MIN_RESIDUAL_BITS
from fractrain.hw.contract.parameter_fields import number


@dataclass(frozen=True)
class VectorParameters:
    """Sizes of the on-chip memories of the vector unit (docs/whole_step.md).

    staging_words : lines of 16 bits, of y and E
    side_words : lines of residual or x̂, with a mask
    side_bits : their bits, without the mask
    parameter_words : records
    moment_words : channels that are added up at a time
    peak_words : tensors that have a greatest magnitude
    """

    staging_words: int = number(64, 65536)
    side_words: int = number(64, 65536)
    side_bits: int = number(MIN_RESIDUAL_BITS, MAX_RESIDUAL_BITS)
    parameter_words: int = number(64, 4096)
    moment_words: int = number(16, 4096)
    peak_words: int = number(16, 4096)


VECTOR_DEFAULTS: Mapping[int, VectorParameters] = {
    8: VectorParameters(16384, 16384, 11, 2048, 512, 1024),
    16: VectorParameters(8192, 8192, 11, 2048, 512, 1024),
}
"""By the channels of a block: two default chunks of a stage side by side (4,096 lines of C = 16
each, 8,192 of C = 8): those of the presets with a vector unit."""
