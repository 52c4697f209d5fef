"""No input exceeds a word, and none could be a bit shorter."""

import numpy as np
import pytest

from fractrain.hw.contract import numerics
from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.step_words import Word, step_words
from fractrain.sim.golden.step.reciprocal import reciprocal_table
from tests.sim.golden.step.extremes import everything
from tests.sim.golden.step.traced import Trace

WORDS = {word.name: word for word in step_words()}
OPERANDS = {
    "CONVOLVED_BITS",
    "MAX_ACTIVATION_BITS",
    "MAX_WEIGHT_BITS",
    "MAX_OUTER_BITS",
    "MIN_NORMALIZED_BITS",
}
"""What may be asked for: no word has their width."""
WIDTHS = [
    name
    for name in vars(numerics)
    if name.endswith("_BITS") and name not in OPERANDS or name in ("FORM_WORD", "ERROR_WORD")
]


@pytest.fixture(scope="module")
def trace() -> Trace:
    return everything()


def test_every_word_is_traced(trace: Trace) -> None:
    assert set(trace.seen) == set(WORDS)


def test_what_a_convolution_sums_up() -> None:
    """The longest sum of the widest operands that NARROW and JOIN are given."""
    slices, lanes = FIELDS[Opcode.CONVOLVE]["slices"].greatest, 144
    error, weight = (1 << bits - 1 for bits in (numerics.MAX_ERROR_BITS, numerics.MAX_WEIGHT_BITS))
    most = slices * lanes * error * weight
    assert 1 << numerics.CONVOLVED_BITS - 2 < most < 1 << numerics.CONVOLVED_BITS - 1


@pytest.mark.parametrize("name", WORDS)
def test_a_word_holds_every_value_and_a_shorter_one_does_not(trace: Trace, name: str) -> None:
    word, ends = WORDS[name], trace.seen[name]
    assert all(map(word.holds, ends)), ends
    shorter = Word(name, "", word.bits - 1, "", word.signed)
    assert not all(map(shorter.holds, ends)), ends


@pytest.mark.parametrize("name", WIDTHS)
def test_a_width_cut_by_one_bit_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, name, getattr(numerics, name) - 1)
    try:
        trace = everything()
    except (AssertionError, ValueError, IndexError):
        return
    assert not all(word.holds(end) for word in step_words() for end in trace.seen[word.name])


def test_the_root_of_every_radicand() -> None:
    """All v, 2^22 .. 2^24 − 1: each word of the Newton step holds, and r is 2^30/√v to 1.5·10⁻⁵."""
    table = np.array(reciprocal_table(), np.int64)
    for begin in range(1 << 22, 1 << 24, 1 << 18):
        v = np.arange(begin, begin + (1 << 18), dtype=np.int64)
        t = table[v >> 15]
        p = t * t >> 17
        u = (3 << 39) - v * p
        r = t * (u >> 17) >> 21
        values = {"t": t, "p": p, "v·p": v * p, "u": u, "u'": u >> 17, "t·u'": r << 21, "r": r}
        for name, each in values.items():
            assert WORDS[name].holds(int(each.min())) and WORDS[name].holds(int(each.max())), name
        assert np.abs(r * np.sqrt(v) * 2.0**-30 - 1).max() < 1.5e-5
