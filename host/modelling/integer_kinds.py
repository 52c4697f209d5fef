"""The kinds of host work in a step of hardware mode (docs/numerics.md), as `host_kinds` has them.

Operations of the formulas are counted in 32 bits; one on a number of more bits counts twice. The
code is `host.numerics.fast_step_math`, which works on parts of a tensor that stay in the cache, in
float64, and NumPy's integers of 64 bits for weights.
"""

from __future__ import annotations

from dataclasses import replace

from fractrain.host.modelling import host_kinds as shared
from fractrain.host.modelling.host_kinds import Kind
from fractrain.hw.contract import threefry
from fractrain.hw.contract.numerics import RANDOM_BITS
from fractrain.hw.contract.random_bits import WORD_PIXELS, XORSHIFT

_ROUND = ("c>c",) * 3
"""· 2^−k, + ½, ⌊ ⌋."""
_SCALE = (*_ROUND, "c>c")
"""The same, saturated."""
_REACH = ("c>", "c>")
"""The greatest magnitude."""
_FORM_TERM = ("c>c", "c>c", "cc>c")
"""z += G·x̂ + B."""


def _integers(
    name: str, group: str, formula: str, operations: float, read: float, written: float, *calls: str
) -> Kind:
    return Kind(
        name, group, formula, operations, read, written, calls, integer=True, float_calls=True
    )


WIDE = ", wide "


def of_words(kind: Kind, what: str, call: str) -> Kind:
    """The same where ``what``, which ``call`` reads or writes, has two bytes an element."""
    return replace(
        kind,
        name=f"{kind.name}{WIDE}{what}",
        bytes_read=kind.bytes_read + call.startswith("1"),
        bytes_written=kind.bytes_written + call.endswith("1"),
        calls=tuple(each.replace("1", "2") if each == call else each for each in kind.calls),
    )


# -- operands, as bytes or as words of 16 bits ----------------------------------------------------

CHECK_BYTES = replace(
    shared.CHECK, name="check bytes", bytes_read=1, calls=("1>", "1>"), lane_bytes=1
)
CHECK_WORDS = replace(
    shared.CHECK, name="check words", bytes_read=2, calls=("2>", "2>"), lane_bytes=2
)
BYTES_TO_BLOCKS = replace(
    shared.TO_BLOCKS,
    name="bytes to blocks",
    formula="padded, turned to channels of pixels",
    bytes_read=1,
    calls=("1>1", "1>1", "1>1"),
)
WORDS_TO_BLOCKS = replace(
    shared.TO_WIDE_BLOCKS,
    name="words to blocks",
    formula="of more than 8 bits: padded, turned to channels of pixels",
    bytes_read=2,
    calls=("2>2", "2>2", "2>2"),
)
TOP_BYTES = replace(
    shared.TOP_PLANES, name="top bytes", bytes_read=1, bytes_written=1, calls=("1>1",), lane_bytes=1
)

# -- forward --------------------------------------------------------------------------------------

NARROW = _integers(
    *("narrow", "narrow", "y = sat(round(sums · 2^−s)), Σy, Σy², max|sums|", 11, 8, 2),
    *("8>c", *_REACH, *_SCALE, "c>2", "c>", "c>"),
)
NORMALIZE = _integers(
    *("normalize", "form", "x̂ = clip(round((16·y − μ')·M · 2^−s)), kept; z += G·x̂ + B", 8, 2, 1),
    *("2>c", "c>c", "c>c", "c>c", "c>c", "c>1", *_FORM_TERM),
)
"""The factor 16·M and the offset −μ'·M + ½ are one number each."""
NORMALIZE_END = replace(
    NORMALIZE,
    name="normalize at the end",
    formula="as normalize, and x̂ rounded for the way back",
    operations=11,
    calls=(*NORMALIZE.calls, "c>c", *_SCALE),
)
ADD_RESIDUAL = _integers(
    *("add residual", "form", "z += round(ρ·r · 2^−t)", 3, 1, 0),
    *("1>c", *_ROUND, "cc>c"),
)
START_FORM = _integers("greatest z", "form", "max z", 1, 0, 0, ">c", "c>")
KEEP_SIGNS = _integers("mask", "form", "z > 0", 1, 0, 1, "c>1")
ROUND_ACTIVATIONS = _integers(
    *("round activations", "form", "clip(round(z · 2^−k)): a, and r", 3, 0, 1),
    *(*_SCALE, "c>1"),
)

# -- back -----------------------------------------------------------------------------------------

JOIN_SUMS = _integers(
    *("join sums", "join", "sat(round(round(sums · 2^−k₀) · m·2^−j)), added", 9, 8, 0),
    *("8>c", *_ROUND, *_SCALE, "cc>c"),
)
JOIN_STREAM = _integers(
    *("join a stream", "join", "sat(round(E · 2^−k)), added", 4, 2, 0),
    *("2>c", *_SCALE, "cc>c"),
)
MASK_ERRORS = _integers("mask errors", "join", "mask · Σ", 1, 1, 0, "c1>c")
JOIN = _integers(
    *("join", "join", "E = sat(Σ), ΣE, max|Σ|", 5, 0, 2),
    *(">c", *_REACH, "c>c", "c>2", "c>"),
)
ERROR_MOMENTS = _integers("Σ E·x̂", "join", "Σ E·x̂", 2, 1, 0, "1>c", "cc>")
SPREAD = _integers("spread", "join", "the error of a pool at its pixels", 0, 0, 2, ">8")
APPLY = _integers(
    *("apply", "apply", "W = (16·E − T₁')·A + B̄·x̂; e = clip(⌊W·2^−F + noise⌋); max|W|", 16, 3, 1),
    *("2>c", "c>c", "1>c", "c>c", "cc>c", "c>c", *_REACH),
    *("c>c", "c>c", "c>c", "cc>c", "c>c", "c>c", "c>c", "c>1"),
)
"""The factors 16·A, B̄·2^(7−g) and the offset −T₁'·A are one number each."""

COUNTER_NUMBERS = 2 * WORD_PIXELS
"""Numbers of a counter: two words of the generator, each for so many pixels of a channel."""
_GROWN = WORD_PIXELS * RANDOM_BITS // threefry.WORD_BITS
_KEYS = threefry.ROUNDS // threefry.ROUNDS_PER_KEY
_SHIFTS = 2 * (_GROWN - 1) * 2 * len(XORSHIFT)
RANDOM = Kind(
    "random words",
    "random numbers",
    "Threefry of a counter, each word grown by xorshift to the bytes of 32 pixels",
    operations=2 + 4 * threefry.ROUNDS + 2 * _KEYS + _SHIFTS,
    bytes_read=0,
    bytes_written=0,  # used as they are made
    calls=(">c", ">c", *_KEYS * 2 * ("c>c",), *2 * _GROWN * ("c>c",))
    + threefry.ROUNDS * ("cc>c", "c>c", "c>c", "cc>c", "cc>c")
    + 2 * (_GROWN - 1) * len(XORSHIFT) * ("c>c", "cc>c"),
    lane_bytes=8,
    integer=True,
    per="counter: 32 pixels of two channels",
)
"""A rotation takes two operations."""

# -- weights, in 64 bits as written, in 32 by their format ----------------------------------------

GREATEST_WEIGHT = Kind(
    *("greatest weight", "quantize weights", "max|w|", 2, 4, 0, ("8>8", "8>")), integer=True
)
DEVIATION = Kind(
    "deviation",
    "quantize weights",
    "Σs², s = sat(round(w · 2^−16))",
    operations=5,
    bytes_read=4,
    bytes_written=0,
    calls=("8>8", "8>8", "88>8", "8>8", "8>8", "8>"),
    integer=True,
)
QUANTIZE_WEIGHTS = _integers(
    *("quantize masters", "quantize weights", "clip(round(w·m · 2^−k))", 6, 4, 1),
    *("8>8", "8>8", "8>8", "8>8", "8>8", "8>8", "8>1"),
)
_TERM = ("8>8", "8>8", "8>8", "88>8", "8>8")
"""Times a mantissa, rounded by a shift, saturated."""
_NEW_V = (*_TERM, *_TERM, "88>8", "8>8", *_TERM, "88>8", "8>8")
_NEW_W = ("8>8", "1>8", "8>8", "8>8", "8>8", "88>8", "8>8", "8>8", "88>8", "8>8")
UPDATE = Kind(
    "update",
    "update",
    "v ← sat(μ·v + d·w + f·gradient);  w ← sat(w − ⌊r·v + noise⌋), each product rounded",
    operations=38,
    bytes_read=16,
    bytes_written=8,
    calls=(*_NEW_V, *_NEW_W),
    integer=True,
    per="master weight",
)
DESCEND = Kind(
    "descend",
    "update",
    "v ← m·v + g + d·w;  w ← w − r·v;  finite?",
    operations=7,
    bytes_read=24,
    bytes_written=16,
    calls=("8>8", "88>8", "8>8", "88>8", "8>8", "88>8", "8>1", "1>"),
    lane_bytes=8,
    per="other parameter",
)

# -- what is float64 ------------------------------------------------------------------------------

_MATMUL = (">8", "8>8", "88>8")
"""Of each product: it, and its part of the tree that adds them up."""
SUM_PIXELS = _integers("sum of pixels", "classifier, loss", "Σ r over pixels", 1, 1, 0, "1>c", "c>")
MEANS = replace(SUM_PIXELS, name="means", group="gates")
GATE_NETWORK = Kind(
    "exact network of gates",
    "gates",
    "multiply and add of each weight: forward, error, gradient, in a fixed order",
    operations=6,
    bytes_read=16,
    bytes_written=8,
    calls=3 * _MATMUL,
    lane_bytes=8,
    per="weight of the gates",
)
LOSS = Kind(
    "exact classifier and loss",
    "classifier, loss",
    "logits, softmax, their errors, sums in a fixed order: per product, three passes",
    operations=6,
    bytes_read=8,
    bytes_written=0,
    calls=3 * _MATMUL,
    lane_bytes=8,
    per="product of the linear layer",
)
