"""What the parts of an UPDATE tell each other."""

from amaranth.lib import data

from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.numerics import MASTER_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import ADDRESS_BITS

__all__ = ["PLACE_BITS", "half_block", "half_words", "together", "word_weights"]

_FIELDS = FIELDS[Opcode.UPDATE]
PLACE_BITS = (
    _FIELDS["a_group"].width + 4 + _FIELDS["taps"].width  # (group * C + c) * taps + tap, C <= 16
)
BURST_BYTES = 128
"""As long as bursts are."""


def half_block(parameters: Parameters) -> data.StructLayout:
    """A half-block to update.

    second : it is b, so its sums are in the lower half of the tile's rows
    address : first byte of its weights
    place : number of its first pixel for the random bits, ``group * C * taps + tap``
    """
    return data.StructLayout({"second": 1, "address": ADDRESS_BITS, "place": PLACE_BITS})


def word_weights(parameters: Parameters) -> int:
    """Weights of a word of memory."""
    return 8 * parameters.word_bytes // MASTER_BITS


def half_words(parameters: Parameters) -> int:
    """Words of a half-block."""
    return parameters.block.channels**2 // word_weights(parameters)


def together(parameters: Parameters) -> int:
    """Words of weights, and then of momenta, that go side by side, in one burst."""
    return max(1, BURST_BYTES // parameters.word_bytes)
