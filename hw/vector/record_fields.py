"""Fields of a record, brought to what a component takes."""

from amaranth.hdl import Mux, Value

__all__ = ["clamped"]


def clamped(value: Value, least: int, most: int) -> Value:
    """``value``, or the nearer end of ``least`` .. ``most``."""
    return Mux(value < least, least, Mux(value > most, most, value))
