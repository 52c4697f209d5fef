"""A sum of many numbers, registered at each level."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal, Value, signed

__all__ = ["adder_tree", "tree_levels"]


def tree_levels(count: int) -> int:
    """Levels of `adder_tree`, a cycle each."""
    return (count - 1).bit_length()


def adder_tree(m: Module, numbers: Sequence[Value], *, name: str, keep: Value) -> Value:
    """Σ of two or more signed ``numbers`` of one width, `tree_levels` cycles later; 0 unless
    ``keep``, which comes a cycle before the sum."""
    level = 0
    while len(numbers) > 1:
        last = len(numbers) == 2
        sums = []
        for place in range(0, len(numbers), 2):
            pair = numbers[place : place + 2]
            total = Signal(
                signed(len(numbers[0]) + 1), name=f"{name}_{level}_{place}", reset_less=True
            )
            m.d.sync += total.eq(sum(pair[1:], pair[0]))
            if last:
                with m.If(~keep):
                    m.d.sync += total.eq(0)
            sums.append(total)
        numbers, level = sums, level + 1
    return numbers[0]
