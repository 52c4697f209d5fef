"""Offers of several clients of a memory, of whom the first that wants to has its turn."""

import random
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["CYCLES", "Clients"]

CYCLES = 3_000


class Clients:
    """Offers of ``count`` clients, each with its own rate; held until they are taken: by the
    priority alone, the test knows when that is."""

    def __init__(
        self,
        draw: random.Random,
        count: int,
        make: Callable[[], object],
        order: Sequence[int] = (),
    ) -> None:
        self.order = order or range(count)
        self.offers: list[list[Any]] = []
        held: list[Any] = [None] * count
        rates = [draw.choice((0.1, 0.5, 1.0)) for _ in range(count)]
        rates[self.order[0]] = min(rates[self.order[0]], 0.5)  # or nobody else has a turn
        for _ in range(CYCLES):
            for client in range(count):
                if held[client] is None and draw.random() < rates[client]:
                    held[client] = make()
            self.offers.append(list(held))
            first = self.first(len(self.offers) - 1)
            if first is not None:
                held[first] = None

    def first(self, cycle: int) -> int | None:
        """Who has the turn."""
        wanting = [i for i in self.order if self.offers[cycle][i] is not None]
        return wanting[0] if wanting else None

    def waiting(self, cycle: int) -> int:
        """All others that want one, a bit each."""
        first = self.first(cycle)
        return sum(
            1 << i for i, each in enumerate(self.offers[cycle]) if each is not None and i != first
        )
