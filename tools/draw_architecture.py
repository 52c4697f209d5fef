"""Draws docs/architecture.svg: the way of a training step, from the network to the DSP.

``python tools/draw_architecture.py`` writes it anew. Every box names the file or folder that it
stands for; a test checks that these exist and that the committed picture is what this draws.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

PICTURE = "docs/architecture.svg"
WIDTH, HEIGHT = 1000, 1046
FLAT = 50
"""Boxes lower than that have all of their text on one line."""
TITLE = "From a training step to the DSP"
LABEL = (
    "Architecture: networks emit a step graph; an executor carries it out on an accelerator; "
    "compiler and driver bring its convolutions to the engine, which multiplies bit planes"
)

STYLE = """
      .page { fill: #ffffff; }
      .box { fill: #ffffff; stroke: #334155; stroke-width: 1.4; }
      .soft { fill: #eff6ff; stroke: #2563eb; stroke-width: 1.4; }
      .hot { fill: #fff7ed; stroke: #ea580c; stroke-width: 1.8; }
      .frame { fill: #f8fafc; stroke: #94a3b8; stroke-width: 1.2; }
      .wire { fill: none; stroke: #334155; stroke-width: 1.5; marker-end: url(#head); }
      .tip { fill: #334155; }
      .name { font-weight: bold; fill: #0f172a; }
      .note { font-size: 11.5px; fill: #475569; }
      .home { font-size: 10.5px; fill: #2563eb; font-family: Menlo, Consolas, monospace; }
      text { text-anchor: middle; }
      .left { text-anchor: start; }
      .right { text-anchor: end; }
      @media (prefers-color-scheme: dark) {
        .page { fill: #0d1117; }
        .box { fill: #161b22; stroke: #8b98a9; }
        .soft { fill: #10233f; stroke: #60a5fa; }
        .hot { fill: #331c0c; stroke: #fb923c; }
        .frame { fill: #11161d; stroke: #475569; }
        .wire { stroke: #a8b3c2; }
        .tip { fill: #a8b3c2; }
        .name { fill: #f1f5f9; }
        .note { fill: #b6c1cf; }
        .home { fill: #60a5fa; }
      }
"""


@dataclass(frozen=True)
class Frame:
    """A part of the way, with what it is called."""

    y: int
    height: int
    side: str  # of its name
    name: str


@dataclass(frozen=True)
class Box:
    """A thing: its name, what it does, line by line, and where it is in the repository."""

    x: int
    y: int
    width: int
    height: int
    name: str
    notes: tuple[str, ...] = ()
    home: str = ""
    kind: str = "box"


@dataclass(frozen=True)
class Wire:
    """An arrow along ``path`` (SVG), with a note at ``place``."""

    path: str
    note: str = ""
    place: tuple[int, int] = (0, 0)


FRAMES = [
    Frame(16, 192, "left", "a step is a value: it can be read, counted, carried out and compiled"),
    Frame(
        224,
        196,
        "right",
        "carrying it out: the host works between pieces, an accelerator does the pieces",
    ),
    Frame(436, 176, "right", "on a machine: one program for each piece, one driver for every bus"),
    Frame(628, 232, "left", "the engine: one pass multiplies one bit plane by another"),
    Frame(876, 154, "right", "one unit of the array: K lanes, one pass in every cycle"),
]

BOXES = [
    # the step
    Box(36, 50, 180, 66, "network", ("emits the forward half",), "host/networks", "soft"),
    Box(36, 128, 180, 66, "method", ("chooses each block’s bits",), "host/methods", "soft"),
    Box(
        262,
        50,
        460,
        144,
        "step graph",
        ("operations on named tensors, a precision slot for each block",),
        "host/graph",
        "hot",
    ),
    Box(280, 104, 64, 24, "", ("quantize",)),
    Box(360, 104, 64, 24, "", ("convolve",)),
    Box(440, 104, 76, 24, "", ("batch norm",)),
    Box(532, 104, 60, 24, "", ("rectify",)),
    Box(646, 104, 58, 24, "", ("loss",)),
    Box(280, 140, 64, 24, "", ("update",)),
    Box(360, 140, 156, 24, "", ("gradient, error ← quantize",)),
    Box(532, 140, 60, 24, "", ("rectify",)),
    Box(646, 140, 58, 24, "", ("loss",)),
    Box(
        766,
        50,
        198,
        144,
        "what a step costs",
        ("cycles, time, energy", "effective MACs", "the host’s work", "measured on the RTL"),
        "host/modelling",
        "soft",
    ),
    # carrying out
    Box(
        36,
        258,
        330,
        146,
        "executor",
        (
            "one operation after the other;",
            "batch norm, rectifier, additions, quantization,",
            "loss and updates in NumPy or PyTorch;",
            "values are freed after their last use",
        ),
        "host/execution",
        "soft",
    ),
    Box(
        422,
        258,
        220,
        146,
        "accelerator",
        (
            "a piece: convolutions with no",
            "host work between them;",
            "exact integers in and out",
        ),
        "host/accelerator.py",
        "hot",
    ),
    Box(706, 258, 258, 40, "golden", (), "sim/golden"),
    Box(706, 308, 258, 40, "torch", (), "host/backends/torch"),
    Box(706, 358, 258, 46, "engine", (), "host/backends/engine.py", "soft"),
    # on a machine
    Box(
        36,
        470,
        200,
        126,
        "compiler",
        (
            "a piece becomes a program,",
            "once: planes laid out for the",
            "widest bits, and commands",
        ),
        "host/compiler",
        "soft",
    ),
    Box(
        292,
        470,
        200,
        126,
        "driver",
        ("bits that changed → table,", "start, wait, reset,", "counters, identity"),
        "host/driver",
        "hot",
    ),
    Box(548, 470, 176, 36, "RTL", (), "sim/cosim"),
    Box(548, 514, 176, 36, "simulated", (), "sim/board"),
    Box(548, 560, 176, 36, "board", (), "host/board"),
    Box(
        780,
        470,
        184,
        126,
        "target",
        ("part, clocks, ports, memory", "and energy of a board,", "in one file each"),
        "hw/targets",
        "soft",
    ),
    # the engine
    Box(
        36,
        662,
        928,
        34,
        "memory",
        ("commands · tensors as bit planes, the most significant first · results",),
        kind="soft",
    ),
    Box(
        36,
        728,
        134,
        112,
        "decoder",
        ("a slot’s bits,", "from a table;", "0 bits skip"),
        "hw/control",
    ),
    Box(216, 728, 104, 52, "fetch", (), "hw/fetch"),
    Box(360, 728, 104, 52, "buffers", (), "hw/memory"),
    Box(504, 728, 104, 52, "feeder", (), "hw/feeder"),
    Box(360, 788, 248, 52, "sequencer", (), "hw/sequencer"),
    Box(
        664, 728, 130, 112, "array", ("P × N units,", "no bubble between", "tiles"), "hw/mac", "hot"
    ),
    Box(844, 728, 120, 112, "result", ("add, keep, narrow,", "back to planes"), "hw/results"),
    # a unit
    Box(
        36,
        910,
        250,
        104,
        "two planes",
        ("one bit of each lane’s a and w,", "their weights 2^p and 2^q"),
        "hw/mac/plane_dot.py",
    ),
    Box(
        330,
        910,
        250,
        104,
        "count",
        ("Σ a[k] & b[k], a tree of", "LUT6, LUT6_2 and CARRY4"),
        "hw/mac/cells.py",
    ),
    Box(
        624,
        910,
        340,
        104,
        "DSP48E1",
        ("value ← value ± (count << p + q)", "an a-bit by w-bit product takes a · w cycles"),
        "hw/mac/dsp_accumulator.py",
        "hot",
    ),
]

WIRES = [
    Wire("M216 83 H258"),
    Wire("M216 161 H258"),
    Wire("M722 122 H762"),
    Wire("M344 116 H358"),
    Wire("M424 116 H438"),
    Wire("M516 116 H530"),
    Wire("M592 116 H644", "…", (618, 112)),
    Wire("M675 128 V138"),
    Wire("M646 152 H594", "…", (620, 148)),
    Wire("M532 152 H518"),
    Wire("M360 152 H346"),
    Wire("M312 194 V254", "forward, backward, updates", (398, 220)),
    Wire("M366 322 H418", "pieces", (392, 314)),
    Wire("M418 342 H370", "sums", (392, 358)),
    Wire("M642 300 C676 300 672 278 702 278"),
    Wire("M642 330 H702"),
    Wire("M642 356 C676 356 672 380 702 380"),
    Wire("M835 404 V424 H136 V466", "convolutions of a piece", (480, 432)),
    Wire("M236 533 H288", "program", (262, 525)),
    Wire("M492 505 C524 505 520 488 544 488"),
    Wire("M492 532 H544"),
    Wire("M492 556 C524 556 520 578 544 578", "bus, clock", (518, 606)),
    Wire("M780 578 H728"),
    Wire("M636 596 V658", "image", (656, 648)),
    Wire("M103 696 V724", "commands", (134, 714)),
    Wire("M268 696 V724", "planes", (290, 714)),
    Wire("M904 728 V700", "results", (928, 714)),
    Wire("M170 754 H212", "LOAD", (191, 748)),
    Wire("M320 754 H356"),
    Wire("M464 754 H500"),
    Wire("M608 754 H660", "windows", (634, 748)),
    Wire("M170 814 H356", "CONVOLVE, PATTERN", (262, 808)),
    Wire("M608 814 H660", "passes", (634, 808)),
    Wire("M794 784 H840", "sums", (817, 778)),
    Wire("M103 840 V852 H904 V844", "STORE", (480, 850)),
    Wire("M729 840 V868 H161 V906"),
    Wire("M286 962 H326"),
    Wire("M580 962 H620", "total", (600, 954)),
]


def _text(x: int, y: int, kind: str, text: str) -> str:
    return f'  <text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'


def _box(box: Box) -> list[str]:
    middle, bottom = box.x + box.width // 2, box.y + box.height
    lines = [
        f'  <rect class="{box.kind}" x="{box.x}" y="{box.y}" width="{box.width}" '
        f'height="{box.height}" rx="6"/>'
    ]
    if box.height < FLAT:  # all on one line
        if box.name:
            lines.append(_text(box.x + 12, box.y + box.height // 2 + 5, "name left", box.name))
        if box.home:
            lines.append(_text(box.x + 96, box.y + box.height // 2 + 5, "home left", box.home))
        return [*lines, *(_text(middle, bottom - 8, "note", note) for note in box.notes)]
    lines.append(_text(middle, box.y + 22, "name", box.name))
    lines += [_text(middle, box.y + 42 + 18 * i, "note", note) for i, note in enumerate(box.notes)]
    return [*lines, _text(middle, bottom - 9, "home", box.home)]


def draw() -> str:
    """The picture, as SVG."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="14" role="img" '
        f'aria-label="{escape(LABEL)}">',
        f"  <title>{escape(TITLE)}</title>",
        "  <defs>",
        '    <marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse">',
        '      <path class="tip" d="M0 0 L10 5 L0 10 z"/>',
        "    </marker>",
        f"    <style>{STYLE}    </style>",
        "  </defs>",
        f'  <rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
    ]
    for frame in FRAMES:
        lines.append(
            f'  <rect class="frame" x="16" y="{frame.y}" width="{WIDTH - 32}" '
            f'height="{frame.height}" rx="8"/>'
        )
        place = 28 if frame.side == "left" else WIDTH - 28
        lines.append(_text(place, frame.y + 21, f"note {frame.side}", frame.name))
    for box in BOXES:
        lines += _box(box)
    for wire in WIRES:
        lines.append(f'  <path class="wire" d="{wire.path}"/>')
        if wire.note:
            lines.append(_text(*wire.place, "note", wire.note))
    return "\n".join([*lines, "</svg>"]) + "\n"


def main() -> int:
    root = Path(__file__).resolve().parent.parent
    (root / PICTURE).write_text(draw(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
