"""What Amaranth's RTLIL lacks and the Verilog must have, added between the two.

RTLIL has one statement a line, and a cell is the lines from ``cell`` to ``end``.
"""

import re
from collections.abc import Iterable, Iterator

__all__ = ["KEPT_MODULE", "prepared", "without_zeros"]

KEPT_MODULE = 'attribute \\keep_hierarchy "yes"'
"""Of a module: synthesis does not lay it flat, nor merge its registers with those of another."""

MODULE = re.compile(r"module \\(\S+)\n")
CELL = re.compile(r"(\s*cell \\)(\S+)( .*\n)", re.DOTALL)
INITIAL_CONTENTS = re.compile(r"\s*cell \$meminit_v2 ")
END_OF_CELL = re.compile(r"\s*end\n")
KEEP = re.compile(r"\s*attribute \\keep ")
INPUT = re.compile(r"\s*wire .* input ")
ZEROS = re.compile(r"\s*connect \\DATA \d+'0+\n")


def prepared(text: str, *, kept: bool) -> str:
    """RTLIL ``text`` ready to become Verilog; its top module is ``kept`` as a module.

    Memories that begin with zeros lose their initial contents: the RAM of an FPGA begins with
    zeros, and some tools refuse long lists of them. Names of modules have ``__`` for Amaranth's
    dots and ``_`` for its dollars: Verilog must escape such names, and not every tool accepts them
    for modules. A kept register (`hw.flow.copies`) has its attribute where it is driven, not at the
    ports it reaches, where it has no meaning (UG901).
    """
    names = set(MODULE.findall(text))
    flat = {name: re.sub(r"\W", "_", name.replace(".", "__")) for name in names}
    if len(set(flat.values())) < len(names):
        raise AssertionError("two modules would share a name")
    lines = _without_kept_inputs(_lines_without_zeros(text))
    return "".join(_renamed(lines, flat, kept=kept))


def without_zeros(text: str) -> str:
    """RTLIL ``text`` without the initial contents of memories that begin with zeros."""
    return "".join(_lines_without_zeros(text))


def _lines_without_zeros(text: str) -> Iterator[str]:
    cell: list[str] = []
    for line in text.splitlines(keepends=True):
        if not cell and not INITIAL_CONTENTS.match(line):
            yield line
            continue
        cell.append(line)
        if END_OF_CELL.fullmatch(line):
            if not any(ZEROS.fullmatch(each) for each in cell):
                yield from cell
            cell = []


def _without_kept_inputs(lines: Iterable[str]) -> Iterator[str]:
    keep = ""
    for line in lines:
        if KEEP.match(line):
            keep = line
            continue
        if keep and not line.lstrip().startswith("attribute"):
            if not INPUT.match(line):
                yield keep
            keep = ""
        yield line


def _renamed(lines: Iterable[str], flat: dict[str, str], *, kept: bool) -> Iterator[str]:
    """Modules and their instances by the names in ``flat``; the top module, which has a name
    without dots, with `KEPT_MODULE` if it is ``kept``."""
    for line in lines:
        if found := MODULE.fullmatch(line):
            if kept and found[1] == flat[found[1]]:
                yield KEPT_MODULE + "\n"
            yield f"module \\{flat[found[1]]}\n"
        elif (found := CELL.fullmatch(line)) and found[2] in flat:
            yield found[1] + flat[found[2]] + found[3]
        else:
            yield line
