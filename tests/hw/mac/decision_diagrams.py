"""Reduced ordered binary decision diagrams: two functions are equal if their numbers are.

Bryant, Graph-Based Algorithms for Boolean Function Manipulation, 1986. A count of bits has a
small diagram, at most a node per position and count for each of its bits, which makes counters
cheap to compare where a solver would be lost.
"""

import sys

__all__ = ["DecisionDiagrams"]


class DecisionDiagrams:
    """Functions of numbered variables, as numbers; 0 and 1 are the constants."""

    def __init__(self, variables: int) -> None:
        self._nodes: list[tuple[int, int, int]] = [(variables, 0, 0), (variables, 1, 1)]
        self._numbers: dict[tuple[int, int, int], int] = {}
        self._results: dict[tuple[int, int, int], int] = {}
        # a recursion goes down by at least one variable a step
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 2 * variables + 1000))

    def variable(self, index: int) -> int:
        return self._node(index, 0, 1)

    def choose(self, condition: int, then: int, otherwise: int) -> int:
        """``condition ? then : otherwise``."""
        if condition < 2:
            return then if condition else otherwise
        if then == otherwise:
            return then
        if (then, otherwise) == (1, 0):
            return condition
        key = (condition, then, otherwise)
        if (known := self._results.get(key)) is not None:
            return known
        nodes = self._nodes
        top = min(nodes[condition][0], nodes[then][0], nodes[otherwise][0])
        branches = [
            [nodes[each][side] if nodes[each][0] == top else each for each in key]
            for side in (1, 2)
        ]
        low, high = (self.choose(*branch) for branch in branches)
        self._results[key] = result = self._node(top, low, high)
        return result

    def invert(self, value: int) -> int:
        return self.choose(value, 0, 1)

    def both(self, a: int, b: int) -> int:
        return self.choose(a, b, 0)

    def either(self, a: int, b: int) -> int:
        return self.choose(a, 1, b)

    def differ(self, a: int, b: int) -> int:
        return self.choose(a, self.invert(b), b)

    def _node(self, variable: int, low: int, high: int) -> int:
        if low == high:
            return low
        key = (variable, low, high)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._nodes)
            self._nodes.append(key)
        return number
