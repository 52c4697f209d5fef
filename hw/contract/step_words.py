"""Every word of the integer training step: what it holds, how wide it is, and why that suffices.

The table of docs/numerics.md is this one. Tests drive each word to its ends and fail if it had one
bit less. n ≤ 2^17 (`numerics.MAX_CHUNK_PIXELS`) throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract import numerics as n
from fractrain.hw.contract.tables import markdown_table


@dataclass(frozen=True)
class Word:
    """``bits`` of two's complement, or unsigned; ``bound``: why no input exceeds it."""

    name: str
    formula: str
    bits: int
    bound: str
    signed: bool = True

    def holds(self, value: int) -> bool:
        """Whether ``value`` fits."""
        if self.signed:
            return -(1 << (self.bits - 1)) <= value < 1 << (self.bits - 1)
        return 0 <= value < 1 << self.bits


def step_words() -> tuple[Word, ...]:
    """All words, in the order in which a step makes them."""
    return (*_statistics(), *_reciprocal(), *_mixing(), *_forming(), *_errors(), *_updates())


def words_table() -> str:
    """The table of docs/numerics.md."""
    rows = [
        (w.name, w.formula, f"{w.bits}" if w.signed else f"{w.bits}, unsigned", w.bound)
        for w in step_words()
    ]
    return markdown_table(("word", "is", "bits", "bound"), rows)


def _statistics() -> tuple[Word, ...]:
    return (
        Word("y", "round(sums · 2^−s)", n.NARROW_BITS, "saturates"),
        Word("Σy", "", n.TOTAL_BITS, "n · 2^15"),
        Word("Σy²", "", n.SQUARES_BITS, "n · 2^30", signed=False),
        Word("D", "n · Σy² − (Σy)²", n.DISPERSION_BITS, "n² · (2^16 − 1)² / 4", signed=False),
        Word("μ'", "round(16 · Σy / n)", n.MEAN_BITS, "16 · 2^15"),
    )


def _reciprocal() -> tuple[Word, ...]:
    square = 2 * n.TABLE_BITS
    return (
        Word("v", "⌊D · 2^−2q⌋", n.RADICAND_BITS, "by the choice of q", signed=False),
        Word("t", "table[v >> 15]", n.TABLE_BITS, "its greatest entry", signed=False),
        Word("t²", "", square, "its factors", signed=False),
        Word("p", "t² >> 17", n.SQUARE_BITS, "all v computed", signed=False),
        Word("v·p", "", n.NEWTON_BITS - 1, "all v computed", signed=False),
        Word("u", "3 · 2^39 − v·p", n.NEWTON_BITS, "all v computed", signed=False),
        Word("u'", "u >> 17", n.NEWTON_BITS - n.NEWTON_SHIFT, "that of u", signed=False),
        Word("t·u'", "", n.ROOT_BITS + n.ROOT_SHIFT, "all v computed", signed=False),
        Word("r", "t·u' >> 21", n.ROOT_BITS, "all v computed", signed=False),
        Word("n·r", "", n.ROOT_PRODUCT_BITS, "n · 2^19", signed=False),
        Word("M", "round(n·r · 2^−(8 + q))", n.RECIPROCAL_BITS, "saturates", signed=False),
    )


def _mixing() -> tuple[Word, ...]:
    mixed = n.DISPERSION_BITS + n.MIX_BITS
    return (
        Word("V", "running variance / step²", n.VARIANCE_BITS, "saturates", signed=False),
        Word("n²·V", "", n.DISPERSION_BITS, "2^34 · (2^30 − 1)", signed=False),
        Word("l·n²·V + (256 − l)·D", "", mixed, "256 times the greater", signed=False),
        Word("l·μ'ᵣ + (256 − l)·μ'", "", n.MEAN_BITS + n.MIX_BITS, "256 times the greater"),
        Word("δ", "round((μ'_chunk − μ')·M · 2^−17)", n.FACTOR_BITS, "saturates"),
    )


def _forming() -> tuple[Word, ...]:
    return (
        Word("16·y − μ'", "", n.CENTERED_BITS, "2^19 + 2^19"),
        Word("(16·y − μ')·M", "", n.CENTERED_BITS + n.RECIPROCAL_BITS, "its factors"),
        Word("x̂, 12 bits", "round((16·y − μ')·M · 2^−18)", n.WIDE_BITS, "clipped"),
        Word("x̂, 11 bits", "round((16·y − μ')·M · 2^−19)", n.MAX_INNER_BITS, "clipped"),
        Word("G", "round(γ · 2^−g / unit of z)", n.FACTOR_BITS, "saturates"),
        Word("B", "round(β / unit of z)", n.BETA_BITS, "saturates"),
        Word("ρ", "round(2^t · step of r / unit of z)", n.FACTOR_BITS, "saturates"),
        Word("G·x̂", "", n.FACTOR_BITS + n.WIDE_BITS - 1, "its factors; x̂ is symmetric"),
        Word("ρ·r", "", n.FACTOR_BITS + n.MAX_RESIDUAL_BITS, "its factors"),
        Word("z", "Σ (G·x̂ + B) + round(ρ·r · 2^−t)", n.FORM_WORD, "2 · (2^28 + 2^29) + 2^25"),
    )


def _errors() -> tuple[Word, ...]:
    inner = n.MAX_INNER_BITS
    return (
        Word("sums'", "round(sums · 2^−k₀)", n.PRESHIFTED_BITS, "by the choice of k₀"),
        Word("sums'·m", "", n.SCALED_BITS, "its factors"),
        Word("part", "round(sums'·m · 2^−k), round(E · 2^−k)", n.JOIN_BITS, "saturates"),
        Word("Σ parts", "", n.JOINED_BITS, "4 · 2^23"),
        Word("E", "mask · Σ parts", n.NARROW_BITS, "saturates"),
        Word("T₁", "ΣE", n.TOTAL_BITS, "n · 2^15"),
        Word("E·x̂", "", n.NARROW_BITS + inner - 1, "its factors; x̂ is symmetric"),
        Word("T₂", "ΣE·x̂", n.CROSS_BITS, "n · 2^15 · (2^10 − 1)"),
        Word("T₁'", "round(16 · T₁ / n)", n.MEAN_BITS, "16 · 2^15; mixed, it saturates"),
        Word(
            "T₂'",
            "round(2^(6−g) · T₂ / n)",
            n.CROSS_MEAN_BITS,
            "2^(6−g) · 2^15 · 2^(b−1), b − g ≤ 4",
        ),
        Word("δ·T₂'", "", n.FACTOR_BITS + n.CROSS_MEAN_BITS - 1, "its factors; T₂' is below 2^24"),
        Word("γC", "γ · C · 2^shift", n.FACTOR_BITS, "saturates"),
        Word("γC·M", "", n.FACTOR_BITS + n.RECIPROCAL_BITS, "its factors"),
        Word("A", "round(γC·M · 2^−shift)", n.FACTOR_BITS, "saturates"),
        Word("A·T₂'", "", n.FACTOR_BITS + n.CROSS_MEAN_BITS - 1, "its factors; T₂' is below 2^24"),
        Word("B̄", "−round(A·T₂' · 2^−9)", n.SLOPE_BITS, "saturates"),
        Word("16·E − T₁'", "", n.CENTERED_BITS, "2^19 + 2^19"),
        Word("(16·E − T₁')·A", "", n.CENTERED_BITS + n.FACTOR_BITS - 1, "(2^20 − 1) · 2^17"),
        Word("x̂·2^(7−g)", "", n.LIFTED_BITS, "b − g ≤ 4"),
        Word("B̄·x̂·2^(7−g)", "", n.SLOPE_BITS + n.LIFTED_BITS - 1, "its factors, both symmetric"),
        Word("W", "(16·E − T₁')·A + B̄·x̂·2^(7−g)", n.WIDE_ERROR_BITS, "2^37 + 2^34"),
        Word("W + noise", "W + (2u + 1) · 2^(F−9)", n.WIDE_ERROR_BITS, "2^37 + 2^34 + 2^31"),
        Word("e, 12 bits", "(W + noise) >> F", n.MAX_ERROR_BITS, "clipped"),
    )


def _updates() -> tuple[Word, ...]:
    return (
        Word("w", "master weight, in 2^−28", n.MASTER_BITS, "saturates"),
        Word("momentum", "in 2^−26", n.MASTER_BITS, "saturates"),
        Word("gradient", "round(Σ e·a · 2^−k₀)", n.MASTER_BITS, "by the choice of k₀"),
        Word(
            "product",
            "w, momentum or gradient times a mantissa",
            n.WEIGHT_PRODUCT_BITS,
            "its factors",
        ),
        Word("term", "round(product · 2^−k)", n.UPDATE_TERM_BITS, "saturates"),
        Word("Σ terms", "", n.UPDATE_SUM_BITS, "3 · 2^32"),
        Word("w − term", "", n.UPDATE_SUM_BITS - 1, "2^31 + 2^32"),
        Word("s", "round(w · 2^−16)", n.SQUARED_BITS, "saturates"),
        Word("Σs²", "", n.SQUARED_SUM_BITS, "2^17 weights · 2^30", signed=False),
    )
