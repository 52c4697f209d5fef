"""Counting ones word by word, in the form that a compiled simulation runs fastest.

The count of partial sums in fields of a machine word (SWAR). No intermediate value has more
than 64 bits: wider ones are arrays of words to a Verilog simulator.
"""

from amaranth.hdl import Module, Signal, Value

__all__ = ["count_ones"]

_WORD_BITS = 64
# Fields of four bits hold the counts of three words (3 * 4 <= 15), fields of eight those of
# their sixteen fields and all partial sums of them (3 * 64 <= 255).
_WORDS_PER_COUNT = 3


def count_ones(m: Module, a: Value, b: Value) -> Value:
    """``Σ_k a[k] & b[k]``, combinational."""
    lanes = len(a)
    step = _WORD_BITS * _WORDS_PER_COUNT
    totals = []
    for start in range(0, lanes, step):
        words = [
            a[low : min(low + _WORD_BITS, lanes)] & b[low : min(low + _WORD_BITS, lanes)]
            for low in range(start, min(start + step, lanes), _WORD_BITS)
        ]
        totals.append(_count_words(m, words))
    return sum(totals[1:], start=totals[0])


def _count_words(m: Module, words: list[Value]) -> Value:
    nibbles = [_add_fields(m, _add_fields(m, _named(m, word), 1), 2) for word in words]
    count = nibbles[0]
    for each in nibbles[1:]:
        # Fields of at most 4, of 8 after the first sum: the top bit is free before each sum.
        count = _named(m, count[: _WORD_BITS - 1] + each)
    count = _add_fields(m, count, 4)
    for field in (32, 16, 8):
        if len(count) > field:
            count = _named(m, count[:field] + count[field:])
    return count


def _add_fields(m: Module, word: Value, field: int) -> Value:
    """Adds neighbouring fields of ``field`` bits: fields twice as wide, half as many."""
    if len(word) <= field:
        return word
    mask = _mask(m, field, len(word))
    even, odd = word & mask, word[field:] & mask
    # Without the upper bits that the mask clears, so that the sum does not outgrow the word.
    return _named(m, even[: len(mask)] + odd[: len(mask)])


def _mask(m: Module, field: int, bits: int) -> Value:
    """Every other field of ``bits`` bits, lowest first.

    A register that keeps its first value: a constant mask would be taken apart into an
    assignment for each bit when the Verilog is written, and simulate bit by bit.
    """
    value = sum(((1 << field) - 1) << low for low in range(0, bits, 2 * field))
    value &= (1 << bits) - 1
    mask = Signal(value.bit_length(), init=value, reset_less=True, name=f"mask_{field}")
    m.d.sync += mask.eq(mask)
    return mask


def _named(m: Module, value: Value) -> Value:
    # A signal of its own: an expression would be repeated wherever it is used.
    signal = Signal(len(value), name="partial")
    m.d.comb += signal.eq(value)
    return signal
