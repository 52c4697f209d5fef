"""How many bits of which weight every level of a counting tree has.

One plan makes all forms of `hw.mac.plane_dot.PlaneDot`, so all have one latency.
"""

from dataclasses import dataclass

from fractrain.hw.contract.errors import ParameterError

__all__ = ["PRODUCTS_PER_GROUP", "CompressionPlan", "counter_sizes"]

PRODUCTS_PER_GROUP = 3
"""Lanes that the first level counts together: three ANDs are the six inputs of one LUT6."""

MAX_LANES = 1024


def counter_sizes(height: int) -> list[int]:
    """Sizes of the counters for a column of ``height`` bits of one weight.

    Bits left over (``height - sum(sizes)``, at most two) go to the next level as they are. A
    counter of two LUTs takes seven bits (`hw.mac.cells`). For four bits, two LUTs would save one
    bit; three bits and a rest save it with one LUT.
    """
    sizes = []
    while height >= 3:
        size = min(height, 7) if height >= 5 else 3
        sizes.append(size)
        height -= size
    return sizes


@dataclass(frozen=True)
class CompressionPlan:
    """The levels of the tree that counts ``lanes`` products.

    ``heights[l][w]``: bits of weight ``2**w`` at the output of level ``l``. Level 0 counts groups
    of three products; each later level applies `counter_sizes` to every column, until no column has
    more than two bits. Then one adder is left, if any column has two.
    """

    lanes: int
    heights: tuple[tuple[int, ...], ...]

    @classmethod
    def for_lanes(cls, lanes: int) -> "CompressionPlan":
        """Raises `ParameterError` unless ``lanes`` is 1..1024."""
        if isinstance(lanes, bool) or not isinstance(lanes, int) or not 1 <= lanes <= MAX_LANES:
            raise ParameterError("lanes", lanes, f"a whole number, 1..{MAX_LANES}")
        groups = -(-lanes // PRODUCTS_PER_GROUP)
        # A rest of one product has no bit of weight two.
        rest_is_one = lanes % PRODUCTS_PER_GROUP == 1
        levels = [[groups, groups - rest_is_one] if lanes > 1 else [1]]
        while max(levels[-1]) > 2:
            levels.append(cls._compress(levels[-1]))
        return cls(lanes, tuple(tuple(level) for level in levels))

    @staticmethod
    def _compress(heights: list[int]) -> list[int]:
        result = [0] * (len(heights) + 2)
        for weight, height in enumerate(heights):
            sizes = counter_sizes(height)
            result[weight] += height - sum(sizes)
            for size in sizes:
                for bit in range(size.bit_length()):
                    result[weight + bit] += 1
        while result[-1] == 0:
            result.pop()
        return result

    @property
    def has_adder(self) -> bool:
        """Whether the last level leaves two rows to be added."""
        return max(self.heights[-1]) == 2

    @property
    def latency_cycles(self) -> int:
        """One cycle per level, the adder included."""
        return len(self.heights) + self.has_adder
