"""Counting ones word by word, in the form that a compiled simulation runs fastest.

The count of partial sums in fields of a machine word (SWAR). No intermediate value has more
than 64 bits: wider ones are arrays of words to a Verilog simulator.
"""

from amaranth.hdl import Const, Module, Signal, Value

__all__ = ["count_ones"]

_WORD_BITS = 64
# Fields of four bits hold the counts of three words (3 * 4 <= 15), fields of eight those of
# their sixteen fields and all partial sums of them (3 * 64 <= 255).
_WORDS_PER_COUNT = 3


def count_ones(m: Module, a: Value, b: Value) -> Value:
    """``Σ_k a[k] & b[k]``, combinational."""
    lanes = len(a)
    step = _WORD_BITS * _WORDS_PER_COUNT
    total: Value = Const(0, 1)
    for start in range(0, lanes, step):
        words = [
            a[low : min(low + _WORD_BITS, lanes)] & b[low : min(low + _WORD_BITS, lanes)]
            for low in range(start, min(start + step, lanes), _WORD_BITS)
        ]
        total = total + _count_words(m, words)
    return total


def _count_words(m: Module, words: list[Value]) -> Value:
    nibbles: Value = Const(0, 1)
    for word in words:
        pairs = _add_fields(m, _named(m, word), 1)
        # The upper field of a word counts at most 4 of 15: 63 bits hold it, and the sum of
        # two such words, which is why slicing loses nothing.
        nibbles = _named(m, nibbles[:63] + _add_fields(m, pairs, 2))
    count = _add_fields(m, nibbles, 4)
    for field in (32, 16, 8):
        if len(count) > field:
            count = _named(m, count[:field] + count[field:])
    return count


def _add_fields(m: Module, word: Value, field: int) -> Value:
    """Adds neighbouring fields of ``field`` bits: fields twice as wide, half as many."""
    if len(word) <= field:
        return word
    mask = sum(((1 << field) - 1) << low for low in range(0, len(word), 2 * field))
    even = word & Const(mask, len(word))
    odd = word[field:] & Const(mask, len(word))[: len(word) - field]
    return _named(m, _narrow(even, mask) + _narrow(odd, mask))


def _narrow(value: Value, mask: int) -> Value:
    """Without the upper bits that ``mask`` clears, so that a sum does not grow past the word."""
    return value[: mask.bit_length()]


def _named(m: Module, value: Value) -> Value:
    # A signal of its own: an expression would be repeated wherever it is used.
    signal = Signal(len(value), name="partial")
    m.d.comb += signal.eq(value)
    return signal
