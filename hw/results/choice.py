"""A choice that synthesis maps to few look-up tables."""

from collections.abc import Callable, Iterable

from amaranth.hdl import Module, Value

__all__ = ["choose"]


def choose(m: Module, select: Value, codes: Iterable[int], body: Callable[[int], None]) -> None:
    """Like ``Switch``: ``body(code)`` holds if ``select`` is ``code``, one of ``codes``.

    For other values anything may hold. It decides bit by bit: one LUT6 chooses among four values,
    where a ``Switch`` takes a comparison for each value, and two LUTs.
    """
    _choose(m, select, len(select) - 1, list(codes), body)


def _choose(
    m: Module, select: Value, bit: int, codes: list[int], body: Callable[[int], None]
) -> None:
    if len(codes) == 1:
        body(codes[0])
        return
    ones = [code for code in codes if code >> bit & 1]
    zeros = [code for code in codes if not code >> bit & 1]
    if not ones or not zeros:
        _choose(m, select, bit - 1, codes, body)
    else:
        with m.If(select[bit]):
            _choose(m, select, bit - 1, ones, body)
        with m.Else():
            _choose(m, select, bit - 1, zeros, body)
