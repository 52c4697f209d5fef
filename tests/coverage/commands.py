"""Bins over the commands that a machine has carried out, whatever layers they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fractrain.hw.contract.commands import (
    Command,
    Convolve,
    Format,
    Load,
    Memory,
    Pattern,
    RowPixels,
    Store,
    Variant,
    Zero,
)
from fractrain.hw.contract.precision import Precision
from tests.coverage.points import Coverage, Point

NINE_SLOTS = range(9)
STRAIGHT = (Variant.STRAIGHT, Variant.RIGHT, Variant.LEFT)
STRIDED = (Variant.EVEN, Variant.ODD, Variant.ODD_RIGHT)
SEAMS = (Variant.FROM_LEFT, Variant.FROM_RIGHT)
ZEROS = {"top": Zero.TOP, "bottom": Zero.BOTTOM, "left": Zero.LEFT, "right": Zero.RIGHT}
ROWS = tuple(each.name.lower() for each in RowPixels)
PORTS = ("A", "B")
BOTH = ("no", "yes")
SUMS = ("alone", "first", "middle", "last")
TOKENS = ("none", "fetch", "execute", "result", "two")


def _variants(variants: Iterable[Variant]) -> tuple[str, ...]:
    return tuple(each.name.lower() for each in variants)


_WAITS = {"load": ("execute", "result"), "convolve": ("fetch", "result")}
_SIGNALS = {"load": ("execute",), "convolve": ("fetch",), "store": ("fetch", "execute")}
_TOKENS = {
    ("load", "wait"): ("none", "execute", "result", "two"),
    ("load", "signal"): ("none", "execute"),
    ("convolve", "wait"): ("none", "fetch"),
    ("convolve", "signal"): ("none", "fetch"),
    ("store", "wait"): ("none",),
    ("store", "signal"): ("none", "fetch"),
}

COMMAND_POINTS: Mapping[str, Point] = {
    "windows": Point(
        "what reads of the plane memory make of a block, by rows of the window",
        {
            "work": ("sliding", "gradient"),
            "rows": ROWS,
            "variant": _variants((*STRAIGHT, *STRIDED, *SEAMS)),
            "read": PORTS,
        },
        ("work", "rows"),
        ("variant", "read"),
        lambda work, rows, variant, read: rows == "whole" or variant not in _variants(SEAMS),
    ),
    "edges": Point(
        "conditions under which a read is zeros",
        {"work": ("sliding", "gradient"), "edge": tuple(ZEROS), "read": PORTS},
        ("work", "edge"),
        ("read",),
    ),
    "rotations": Point(
        "rotations of a slot by quarters",
        {"rows": ROWS, "rotation": ("0", "1", "2", "3")},
        ("rows",),
        ("rotation",),
        lambda rows, rotation: rotation in {"quarter": "013", "half": "02", "whole": "0"}[rows],
    ),
    "loops": Point(
        "loops of a convolution of more than one turn",
        {
            "work": ("sliding", "gradient"),
            "loop": ("slices", "tiles_x", "tiles_y", "images"),
            "several": BOTH,
        },
        ("work", "loop"),
        ("several",),
        lambda work, loop, several: (work, loop, several) != ("gradient", "slices", "yes"),
    ),
    "parts": Point(
        "sums over several commands, in the accumulators or in the gradient memory",
        {"work": ("sliding", "gradient"), "where": ("array", "memory"), "part": SUMS},
        ("work", "where"),
        ("part",),
        lambda work, where, part: (work, where) != ("sliding", "array") or part == "alone",
    ),
    "stores": Point(
        "forms of results, after sums in the gradient memory or without",
        {"form": tuple(each.name.lower() for each in Format), "sum": BOTH, "kept": BOTH},
        ("form",),
        ("sum", "kept"),
        lambda form, add, keep: (form == "none") == (keep == "yes"),
    ),
    "outside": Point(
        "results in planes with pixels outside the image",
        {"rows": ROWS, "right": BOTH, "below": BOTH},
        ("rows",),
        ("right", "below"),
        lambda rows, right, below: rows != "whole" or below == "no",
    ),
    "loads": Point(
        "loads",
        {
            "memory": ("planes", "columns", "columns transposed"),
            "runs": ("one", "several"),
            "words": ("one", "several"),
        },
        ("memory",),
        ("runs", "words"),
        # channels of more than one slice fill it, or there are nine taps
        lambda memory, runs, words: (memory, runs, words) != ("columns", "several", "one"),
    ),
    "tokens": Point(
        "tokens that commands take and give",
        {
            "command": ("load", "convolve", "store"),
            "token": ("wait", "signal"),
            "stage": TOKENS,
        },
        ("command", "token"),
        ("stage",),
        lambda command, token, stage: stage in _TOKENS[command, token],
    ),
}
"""Combinations that the compiler never makes are left out; the emulator's tests have them."""


def record_commands(
    coverage: Coverage, commands: Iterable[Command], table: Mapping[int, Precision], pixels: int
) -> None:
    """Count the commands of one run that are not skipped, with blocks of ``pixels``."""
    patterns: dict[int, Pattern] = {}
    for command in commands:
        if isinstance(command, Pattern):
            patterns[command.entry] = command
        if not isinstance(command, Load | Convolve | Store):
            continue
        precision = table[command.slot]
        if not precision.bits(command.operand) or not precision.bits(command.partner):
            continue
        _record_tokens(coverage, command)
        if isinstance(command, Convolve):
            entries = range(command.pattern, command.pattern + command.pairs)
            _record_convolution(coverage, command, [patterns[entry] for entry in entries])
        elif isinstance(command, Load):
            _record_load(coverage, command)
        else:
            _record_store(coverage, command, pixels)


def _record_convolution(coverage: Coverage, command: Convolve, entries: list[Pattern]) -> None:
    work = "gradient" if command.gradient else "sliding"
    rows = command.row_pixels.name.lower()
    for loop in ("slices", "tiles_x", "tiles_y", "images"):
        coverage.hit("loops", work, loop, BOTH[getattr(command, loop) > 1])
    coverage.hit("parts", work, "array", SUMS[_part(not command.start, not command.finish)])
    for entry in entries:
        for port in PORTS:
            if getattr(entry, f"{port.lower()}_enable"):
                _record_read(coverage, entry, port, work, rows)


def _record_read(coverage: Coverage, entry: Pattern, port: str, work: str, rows: str) -> None:
    zero, variants, quarters, rotations = (
        getattr(entry, f"{port.lower()}_{field}")
        for field in ("zero", "variants", "quarters", "rotations")
    )
    for edge, bit in ZEROS.items():
        if zero & bit:
            coverage.hit("edges", work, edge, port)
    for slot in NINE_SLOTS:
        if quarters >> (4 * slot) & 15:
            variant = Variant(variants >> (3 * (slot % 3)) & 7)
            coverage.hit("windows", work, rows, variant.name.lower(), port)
            coverage.hit("rotations", rows, str(rotations >> (2 * slot) & 3))


def _record_store(coverage: Coverage, command: Store, pixels: int) -> None:
    form = command.format.name.lower()
    coverage.hit("stores", form, BOTH[command.add], BOTH[command.keep])
    work = "gradient" if command.tag.name == "GRADIENT" else "sliding"
    coverage.hit("parts", work, "memory", SUMS[_part(command.add, command.keep)])
    if command.format is Format.PLANES:
        rows_per_tile = 1 << (RowPixels.WHOLE - command.row_pixels)
        right = command.valid_x < pixels // rows_per_tile
        below = command.valid_y < rows_per_tile
        rows = command.row_pixels.name.lower()
        coverage.hit("outside", rows, BOTH[right], BOTH[below])


def _record_load(coverage: Coverage, command: Load) -> None:
    memory = command.memory.name.lower()
    if command.memory is Memory.COLUMNS and command.transposed:
        memory += " transposed"
    runs, words = (("one", "several")[count > 1] for count in (command.runs, command.words))
    coverage.hit("loads", memory, runs, words)


def _record_tokens(coverage: Coverage, command: Load | Convolve | Store) -> None:
    kind = type(command).__name__.lower()
    for token, bits, stages in (
        ("wait", command.wait, _WAITS.get(kind, ())),
        ("signal", command.signal, _SIGNALS[kind]),
    ):
        named = [stage for index, stage in enumerate(stages) if bits >> index & 1]
        stage = "two" if len(named) > 1 else named[0] if named else "none"
        coverage.hit("tokens", kind, token, stage)


def _part(continued: bool, goes_on: bool) -> int:
    """Index into `SUMS`."""
    return {(False, False): 0, (False, True): 1, (True, True): 2, (True, False): 3}[
        continued, goes_on
    ]
