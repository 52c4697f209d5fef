"""A reset of many registers, by several equal ones."""

from typing import Any

from amaranth.hdl import Elaboratable, Fragment, Module, ResetInserter, Signal, ValueLike

from fractrain.hw.flow.copies import copies, copy_to

__all__ = ["SpreadReset"]

MOST_BITS = 800
"""Of registers, that one copy resets; a single signal may be wider."""


class SpreadReset:
    """`ResetInserter` with as many copies of the reset as needed.

    `add` makes a component a submodule of ``m``, reset where ``reset_next`` was 1 a cycle before;
    `copy` gives one more copy, for anything else; `finish` drives all of them.
    """

    def __init__(self, m: Module, platform: Any) -> None:
        self._m, self._platform = m, platform
        self._copies: list[Signal] = []

    def copy(self, name: str) -> Signal:
        """A register that is the reset."""
        self._copies += copies(1, name=f"reset_{name}_{len(self._copies)}")
        return self._copies[-1]

    def add(self, name: str, component: Any) -> None:
        """Put ``component`` into the module, with its reset."""
        # At once, not when the module is elaborated: the registers must be known by then.
        fragment = Fragment.get(component, self._platform)
        self._m.submodules[name] = _Made(_Inserter(self, name)(fragment))

    def finish(self, reset_next: ValueLike) -> None:
        """All copies become ``reset_next`` with the clock."""
        copy_to(self._m, self._copies, reset_next)


class _Made(Elaboratable):
    """A component that is a fragment already."""

    def __init__(self, fragment: Fragment) -> None:
        self._fragment = fragment

    def elaborate(self, platform: object) -> Fragment:
        return self._fragment


class _Inserter(ResetInserter):
    """Goes through the parts in their order, so that what is close shares a reset."""

    def __init__(self, spread: SpreadReset, name: str) -> None:
        self._spread, self._name, self._bits = spread, name, 0
        super().__init__(spread.copy(name))

    def _insert_control(self, fragment: Fragment, domain: str, lhs_masks: Any) -> None:
        chunks = [chunk for chunk in lhs_masks.chunks() if not chunk[0].reset_less]
        bits = sum(len(signal[start:stop]) for signal, start, stop in chunks)
        if self._bits and self._bits + bits > MOST_BITS:
            self.controls[domain] = self._spread.copy(self._name)
            self._bits = 0
        self._bits += bits
        super()._insert_control(fragment, domain, lhs_masks)
