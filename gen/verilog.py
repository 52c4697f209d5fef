"""A component as Verilog text, and the text's ports."""

from __future__ import annotations

import os

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
