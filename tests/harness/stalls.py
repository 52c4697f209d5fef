"""Patterns of stalling: in which cycles a stream's driver or receiver does not take part."""

from collections.abc import Callable, Iterator
from random import Random


def _never(_random: Random) -> Iterator[bool]:
    while True:
        yield False


def _random(random: Random) -> Iterator[bool]:
    """Every other cycle, on average: most hand-overs meet most states."""
    while True:
        yield random.random() < 0.5


def _rare(random: Random) -> Iterator[bool]:
    """One cycle in sixteen: full-rate operation, broken off at odd places."""
    while True:
        yield random.random() < 1 / 16


def _bursts(random: Random) -> Iterator[bool]:
    """Long runs of either: queues fill up and drain."""
    while True:
        for _ in range(random.randint(1, 40)):
            yield False
        for _ in range(random.randint(1, 40)):
            yield True


PATTERNS: dict[str, Callable[[Random], Iterator[bool]]] = {
    "never": _never,
    "random": _random,
    "rare": _rare,
    "bursts": _bursts,
}
STALLS = list(PATTERNS)
"""Names of the patterns, for `cocotb.parametrize`."""


def stall_pattern(name: str, random: Random) -> Iterator[bool]:
    """An endless iterator: True in the cycles that stall."""
    if name not in PATTERNS:
        raise ValueError(f"stall pattern {name!r}; there are {', '.join(PATTERNS)}")
    return PATTERNS[name](random)
