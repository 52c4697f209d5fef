"""Counting ones word by word: the fastest form in a compiled simulation.

Partial sums are counted in fields of a machine word (SWAR). No intermediate value has more than 64
bits, as a Verilog simulator keeps wider ones in arrays of words.
"""

from amaranth.hdl import Module, Signal, Value

__all__ = ["WordCounter"]

_WORD_BITS = 64
# Fields of four bits hold the counts of two words (2 * 4 <= 15), fields of eight bits those of
# three words, added over all fields (3 * 64 <= 255).
_WORDS_PER_NIBBLE = 2
_WORDS_PER_BYTE = 3


class WordCounter:
    """``count_ones(a, b) = Σ_k a[k] & b[k]``, combinational, as logic of the module ``m``."""

    def __init__(self, m: Module) -> None:
        self._m = m
        self._masks = {field: self._mask(field) for field in (1, 2, 4)}

    def count_ones(self, a: Value, b: Value) -> Value:
        words = [
            self._named(a[low : low + _WORD_BITS] & b[low : low + _WORD_BITS])
            for low in range(0, len(a), _WORD_BITS)
        ]
        totals = [self._count_words(group) for group in _groups(words, _WORDS_PER_BYTE)]
        return sum(totals[1:], start=totals[0])

    def _count_words(self, words: list[Value]) -> Value:
        nibbles = [self._add_fields(self._add_fields(word, 1), 2) for word in words]
        pairs = [self._sum(group) for group in _groups(nibbles, _WORDS_PER_NIBBLE)]
        count = self._sum([self._add_fields(pair, 4) for pair in pairs])
        for field in (32, 16, 8):
            if len(count) > field:
                count = self._named(count[:field] + count[field:])
        return count

    def _add_fields(self, word: Value, field: int) -> Value:
        """Adds neighbouring fields of ``field`` bits: fields twice as wide, half as many."""
        if len(word) <= field:
            return word
        even, odd = self._even_fields(word, field), self._even_fields(word[field:], field)
        return self._named(even + odd)

    def _even_fields(self, word: Value, field: int) -> Value:
        """Without the odd field on top, if there is one, so that a sum fits into the word."""
        top = (len(word) - 1) // (2 * field) * 2 * field
        word = word[: top + field]
        return word & self._masks[field][: len(word)]

    def _sum(self, values: list[Value]) -> Value:
        return values[0] if len(values) == 1 else self._named(values[0] + values[1])

    def _mask(self, field: int) -> Value:
        """Every other field of a word, lowest first.

        A register that keeps its first value: a constant mask would become an assignment for each
        bit in the Verilog, and simulate bit by bit.
        """
        value = sum(((1 << field) - 1) << low for low in range(0, _WORD_BITS, 2 * field))
        mask = Signal(_WORD_BITS, init=value, reset_less=True, name=f"mask_{field}")
        self._m.d.sync += mask.eq(mask)
        return mask

    def _named(self, value: Value) -> Value:
        # A signal of its own: an expression would be repeated wherever it is used.
        signal = Signal(len(value), name="partial")
        self._m.d.comb += signal.eq(value)
        return signal


def _groups(values: list[Value], size: int) -> list[list[Value]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
