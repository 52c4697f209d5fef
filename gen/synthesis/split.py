"""One design as two: a module with all below it, and the rest with a black box in its place.

Yosys as WebAssembly has 4 GB, too few for a large board in one piece. Each piece (`separate`) is
mapped by itself, and the netlists are put together again (`joined`), so that area, depth and loads
are those of the whole. Only optimizations do not cross the border.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from fractrain.gen.synthesis.netlist import Module, Netlist
from fractrain.hw.contract.errors import DataError

__all__ = ["joined", "separate"]

MODULE = re.compile(r"^module (\w+)")
END = "endmodule"
WORD = re.compile(r"[A-Za-z_]\w*")
PORT = re.compile(r"^ +(?:input|output) ")
BOX = "(* blackbox *)\n"


def separate(verilog: str, name: str) -> tuple[str, str]:
    """``verilog`` without what is inside of the module ``name``, and that module with all below it.

    The first has a black box of the same ports, and lacks modules that only ``name`` has, so
    that neither text changes with the inside of the other. ``name`` must be written as Yosys
    writes Verilog: a list of ports, their directions a line each. `DataError` if there is none.
    """
    texts = _modules(verilog)
    if name not in texts:
        raise DataError(f"the Verilog has no module {name}")
    uses = {each: set(WORD.findall(text)) & texts.keys() - {each} for each, text in texts.items()}
    inside = _below(uses, [name])
    used = set().union(*uses.values())
    uses[name] = set()
    rest = _below(uses, [each for each in texts if each not in used])
    boxed = texts | {name: _box(texts[name])}
    return (
        "\n".join(text for each, text in boxed.items() if each in rest),
        "\n".join(text for each, text in texts.items() if each in inside),
    )


def _modules(verilog: str) -> dict[str, str]:
    """By name, each with the attributes before it."""
    found: dict[str, str] = {}
    lines: list[str] = []
    name = ""
    for line in verilog.splitlines(keepends=True):
        lines.append(line)
        if (start := MODULE.match(line)) and not name:
            name = start[1]
        elif line.rstrip() == END:
            found[name] = "".join(lines)
            lines, name = [], ""
    return found


def _below(uses: Mapping[str, set[str]], tops: list[str]) -> set[str]:
    """``tops`` and all that they use."""
    found = set(tops)
    pending = list(tops)
    while pending:
        new = uses[pending.pop()] - found
        found |= new
        pending += new
    return found


def _box(text: str) -> str:
    """The module without its inside."""
    start = text.index("module ")
    head, body = text[start:].split(";\n", 1)
    ports = [line for line in body.splitlines(keepends=True) if PORT.match(line)]
    return f"{BOX}{head};\n{''.join(ports)}{END}\n"


def joined(rest: Netlist, inside: Netlist) -> Netlist:
    """``rest`` with ``inside``, whose top is a black box of it, in its place.

    Modules of both that have one name are one module if their cells are equal; if not, the one of
    ``inside`` gets a name of its own. `DataError` if ``rest`` has no such box.
    """
    if inside.top not in {child.type for each in rest.modules.values() for child in each.children}:
        raise DataError(f"the netlist has no black box {inside.top}")
    names = {name: _name(name, rest, inside) for name in inside.modules}
    renamed = {names[name]: _renamed(each, names) for name, each in inside.modules.items()}
    return Netlist(rest.top, {**renamed, **rest.modules})


def _name(name: str, rest: Netlist, inside: Netlist) -> str:
    other = rest.modules.get(name)
    if other is None or other.cell_counts == inside.modules[name].cell_counts:
        return name
    return f"{inside.top}.{name}"


def _renamed(module: Module, names: Mapping[str, str]) -> Module:
    children = [dataclasses.replace(child, type=names[child.type]) for child in module.children]
    return dataclasses.replace(module, name=names[module.name], children=children)
