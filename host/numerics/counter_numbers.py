"""Random numbers of the host by counter: the same on every machine and with every NumPy.

NumPy's generators may change their distributions from version to version, and take logarithms from
the platform. These come from `hw.contract.threefry` under the key of (seed, stream, index), by
integers and by `host.numerics.exact_math`. The words of a stream are x₀, x₁ of the counters (0, 0),
(1, 0), (2, 0), …, in this order; a call begins at a new counter and takes as many as it needs:

    random        (word div 2^11) · 2^−53
    uniform       low + (high − low)·random
    normal        mean + deviation·z, two z of the words of a counter (Box and Muller, 1958):
                  r·cos 2πv and r·sin 2πv with r = √(−2 ln u), u = (x₀ div 2^11 + 1)·2^−53 and
                  v = (x₁ div 2^11)·2^−53; an odd last z has its pair left over
    integers      low + word mod n, n the size of the range; a word from the greatest multiple of n
                  below 2^64 on is replaced, so that none is more probable: the words for all
                  replaced ones, in order, are those of the counters that follow, and so on
    permutation   the order of as many words; equal words stay in order

In C order of the shape asked for. ``index`` is the step or epoch.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fractrain.host.numerics.exact_math import cosine_of_turns, log, sine_of_turns
from fractrain.host.numerics.random_streams import Stream
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.random_bits import stream_key
from fractrain.hw.contract.threefry import WORD_BITS, Words, threefry

Reals = NDArray[np.float64]

_UNUSED = np.uint64(11)
"""Low bits of a word beyond the 53 of a float64."""
_STEP = 2.0**-53


class CounterNumbers:
    """The numbers of a key, from its first counter on; a `RandomNumbers`."""

    def __init__(self, seed: int, stream: Stream, index: int = 0) -> None:
        self._key = stream_key(seed, int(stream), index)
        self._counter = 0

    def random(self, size: int | tuple[int, ...], /) -> Reals:
        """Uniform float64 in [0, 1), multiples of 2^−53."""
        shape = (size,) if isinstance(size, int) else size
        return _fraction(self._words(math.prod(shape))).reshape(shape)

    def uniform(self, low: float, high: float, size: tuple[int, ...], /) -> Reals:
        """Uniform float64 from ``low`` on, below ``high`` but for rounding."""
        return low + (high - low) * self.random(size)

    def normal(self, mean: float, deviation: float, size: tuple[int, ...], /) -> Reals:
        """Normally distributed float64, at most 8.6 deviations from ``mean``."""
        count = math.prod(size)
        pairs = self._words(count + count % 2).reshape(-1, 2)
        radius = np.sqrt(-2 * log(_fraction(pairs[:, 0]) + _STEP))
        turns = _fraction(pairs[:, 1])
        z = np.empty(pairs.shape)
        z[:, 0] = radius * cosine_of_turns(turns)
        z[:, 1] = radius * sine_of_turns(turns)
        return mean + deviation * z.reshape(-1)[:count].reshape(size)

    def integers(
        self, low: int, high: int, size: tuple[int, ...], /, *, endpoint: bool = False
    ) -> NDArray[np.int64]:
        """Integers from ``low`` on, below ``high`` (with ``endpoint`` up to it), all equally
        probable. Raises `ParameterError` for an empty range or one outside int64."""
        last = high if endpoint else high - 1
        if not -(1 << 63) <= low <= last < 1 << 63:
            raise ParameterError("range", f"{low}..{last}", "not empty, within int64")
        choices = last - low + 1
        if choices == 1:
            return np.full(size, low, np.int64)
        words = self._words(math.prod(size))
        # 2^64 has no word: whole multiples leave all of them, or all up to this one
        greatest = np.uint64((1 << WORD_BITS) - (1 << WORD_BITS) % choices - 1)
        while len(replaced := np.flatnonzero(words > greatest)):
            words[replaced] = self._words(len(replaced))
        if choices < 1 << WORD_BITS:
            words %= np.uint64(choices)
        words += np.uint64(low % (1 << WORD_BITS))  # modulo 2^64 as int64 is
        return words.view(np.int64).reshape(size)

    def permutation(self, count: int, /) -> NDArray[np.int64]:
        """0 .. count − 1 in random order."""
        return np.argsort(self._words(count), kind="stable").astype(np.int64)

    def _words(self, count: int) -> Words:
        """The next ``count`` words, from a new counter on."""
        counters = (count + 1) // 2
        first = np.arange(self._counter, self._counter + counters, dtype=np.uint64)
        self._counter += counters
        return np.stack(threefry(self._key, first, np.zeros(1, np.uint64)), axis=1).reshape(-1)[
            :count
        ]


def counter_numbers(seed: int, stream: Stream, index: int = 0) -> CounterNumbers:
    """The numbers of ``stream`` for step (or epoch) ``index`` of the run with ``seed``; in place of
    `random_streams.generator`."""
    return CounterNumbers(seed, stream, index)


def _fraction(words: Words) -> Reals:
    return (words >> _UNUSED).astype(np.float64) * _STEP
