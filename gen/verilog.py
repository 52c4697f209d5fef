"""A component as Verilog text, and the text's ports."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.gen.port import Port
from fractrain.hw.shared_module import ModuleLibrary

__all__ = ["Port", "emit", "ports"]


def emit(component: wiring.Component, name: str) -> str:
    """Verilog of ``component`` as module ``name``, shared modules once each.

    Ports: ``clk``, ``rst`` and the members of the component, nested ones joined by ``__``.
    The text holds no date and no path and depends on the design only.
    """
    # The Yosys of Amaranth's own wheel: another version writes other bytes.
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    with _short_zeros():
        return ModuleLibrary().emit(component, name)


def ports(component: wiring.Component) -> list[Port]:
    """The ports that `emit` gives ``component``, in order."""
    members = [
        Port(
            "__".join(map(str, path)),
            "input" if member.flow == In else "output",
            len(Value.cast(value)),
        )
        for path, member, value in component.signature.flatten(component)
    ]
    return [Port("clk", "input", 1), Port("rst", "input", 1), *members]


@contextmanager
def _short_zeros() -> Iterator[None]:
    """Let Amaranth write one word of a memory that begins with zeros.

    It would write every bit of all words, as an object each: half the time that a large machine
    takes. The line is left out of the Verilog in any case (`hw.rtlil.prepared`).
    """
    emitter: Any = rtlil.ModuleEmitter  # Amaranth has no public name for it
    whole = emitter.emit_memory

    def emit_memory(self: Any, index: int, cell: Any) -> None:
        if not any(cell.init):
            cell = copy.copy(cell)
            cell.init = (0,)
        whole(self, index, cell)

    emitter.emit_memory = emit_memory
    try:
        yield
    finally:
        emitter.emit_memory = whole
