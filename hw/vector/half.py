"""The half that a DSP slice adds, so that what is cut off behind it rounds."""

from collections.abc import Iterable

from amaranth.hdl import Module, Signal, Value

__all__ = ["half"]


def half(m: Module, bits: Value, widths: Iterable[int], top: int, *, name: str) -> Value:
    """2^(top − b) for ``bits`` b of ``widths``, a cycle later: half of the lowest of b bits from
    ``top`` down. A register of one bit a width: whatever else b is, nothing rounds."""
    places = [top - width for width in widths]
    low = min(places)
    register = Signal(max(places) - low + 1, name=name, reset_less=True)
    for place in places:
        m.d.sync += register[place - low].eq(bits == top - place)
    return register << low
