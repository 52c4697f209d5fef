"""Traces as files: a few bytes a step, to be committed beside the summary of a run.

    {"format": "fractrain-trace 1", "name": "…", "model": "resnet20", "images": [3, 32, 32],
     "batch": 128, "first": [8, 8, 8], "shortcuts": [8, 8, 8],
     "candidates": {"a": [4, 4, 6], "b": [5, 5, 6]},
     "stretches": ["112 aaaaaaaaa", "3 abaaaaaaa"],
     "source": {…}}

``stretches`` are all steps in their order: how many in a row, and a letter for each block.
``shortcuts`` null: they have the bits of their block. Nothing is lost: every block in every step
has its bits.
"""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

from fractrain.host.files.atomic import write_whole
from fractrain.host.files.regular import read_object
from fractrain.host.machines.trace import Stretch, Trace
from fractrain.hw.contract.documents import ListOf, Section, TableOf, read_document
from fractrain.hw.contract.errors import DataError, ParameterError
from fractrain.hw.contract.precision import PRECISION, Precision
from fractrain.hw.contract.values import Anything, OneOf, Optional, Real, Several, Text, Whole

FORMAT = "fractrain-trace 1"

LETTERS = string.ascii_letters + string.digits

SCHEMA = Section(
    {
        "format": OneOf((FORMAT,)),
        "name": Text("(?s).+", "a name"),
        "model": Text("(?s).+", "a network"),
        "images": Several(Whole(1, 1024), 3, 3, "channels, rows, columns", "3,32,32"),
        "batch": Whole(1, 1 << 16),
        "first": PRECISION,
        "shortcuts": Optional(PRECISION),
        "candidates": TableOf(PRECISION),
        "stretches": ListOf(Text("[0-9.e+-]+ [a-zA-Z0-9]+", "steps and a letter for each block")),
        "source": TableOf(Anything()),
    }
)


def write_trace(path: Path, trace: Trace) -> None:
    """Write ``trace`` to ``path``, as `write_whole` does; `ParameterError` if it has more
    precisions than there are letters."""
    write_whole(path, trace_text(trace))


def trace_text(trace: Trace) -> str:
    """The file's content: JSON, with ten stretches on a line."""
    found = dict.fromkeys(bits for each in trace.stretches for bits in each.bits)
    if len(found) > len(LETTERS):
        raise ParameterError("precisions of the trace", len(found), f"at most {len(LETTERS)}")
    letters = dict(zip(found, LETTERS, strict=False))
    head = {
        "format": FORMAT,
        "name": trace.name,
        "model": trace.model,
        "images": list(trace.images),
        "batch": trace.batch,
        "first": _bits(trace.first),
        "shortcuts": None if trace.shortcuts is None else _bits(trace.shortcuts),
        "candidates": {letter: _bits(each) for each, letter in letters.items()},
        "source": dict(trace.source),
    }
    rows = [
        json.dumps(f"{each.steps:.17g} {''.join(letters[bits] for bits in each.bits)}")
        for each in trace.stretches
    ]
    lines = [", ".join(rows[start : start + 10]) for start in range(0, len(rows), 10)]
    opening = json.dumps(head, indent=2, ensure_ascii=False).removesuffix("\n}")
    joined = ",\n    ".join(lines)
    return f'{opening},\n  "stretches": [\n    {joined}\n  ]\n}}\n'


def read_trace(path: Path) -> Trace:
    """The trace in ``path``; `DataError` if it is none."""
    try:
        return _trace(read_document(read_object(path), SCHEMA, str(path)), path)
    except ParameterError as error:
        raise DataError(f"{path} is no trace: {error}") from error


def is_trace(document: dict[str, Any]) -> bool:
    """Whether it says so."""
    return str(document.get("format", "")).startswith("fractrain-trace")


def _trace(read: dict[str, Any], path: Path) -> Trace:
    candidates: dict[str, Precision] = read["candidates"]
    stretches = []
    for number, text in enumerate(read["stretches"]):
        steps, letters = text.split(" ")
        unknown = sorted(set(letters) - set(candidates))
        if unknown:
            raise ParameterError(f"stretches[{number}]", text, f"letters {' '.join(candidates)}")
        count = Real(0, 1e12, above=True).read(f"stretches[{number}]", steps)
        stretches.append(Stretch(count, tuple(candidates[each] for each in letters)))
    return Trace(
        read["name"],
        read["model"],
        tuple(read["images"]),
        read["batch"],
        tuple(stretches),
        read["first"],
        read["shortcuts"],
        read["source"],
        f"fractrain compare --machines {path}",
    )


def _bits(precision: Precision) -> list[int]:
    return [precision.activation, precision.weight, precision.error]
