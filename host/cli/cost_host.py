"""`fractrain cost --host`: what the host does in a training step, beside what the array does."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.files.outputs import progress, write_json, write_text
from fractrain.host.modelling import StepModel, layer_precisions, layer_shapes, processor
from fractrain.host.modelling.host_kinds import GROUPS, KINDS, Kind
from fractrain.host.modelling.host_work import HostWork, count_host_work
from fractrain.host.networks.resnet import ResNet
from fractrain.host.reports.units import BYTES, COUNTS, SECONDS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.tables import terminal_table

HEADS = ("work", "elements", "operations", "moved", "at best", "left", "as written", "NumPy calls")
KIND_HEADS = ("kind", "per", "formula", "operations", "bytes read, written", "as written")
REMARK = (
    "Elements, operations and bytes of the formulas are counted (of random numbers, cycles); "
    f"times are modelled, on {processor.NAME}. At best: both cores with NEON, each tensor read "
    "and written as often as its formula needs. Left: of all that, once this row and those above "
    "it are done in hardware. As written: one core, NumPy call by call; what Python adds to each "
    "call is not in it."
)


@dataclass(frozen=True)
class HostCase:
    """One step: a network whose blocks run at ``blocks``, chosen by gates or known before."""

    network: ResNet
    text: str
    blocks: Sequence[Precision]
    batch: int
    memory: str
    gates: bool

    @property
    def title(self) -> str:
        """As shown above its table."""
        chosen = ", chosen by gates" if self.gates else ""
        return f"{self.network.name}, batch {self.batch}, blocks at {self.text}{chosen}"


@dataclass(frozen=True)
class Line:
    """A group of kinds, or all together: counted and modelled."""

    name: str
    elements: float
    operations: float
    bytes_moved: float
    seconds_at_best: float
    seconds_as_written: float
    numpy_calls: float


def host_report(
    args: argparse.Namespace, parameters: Parameters, cases: Sequence[HostCase]
) -> None:
    """Count, model, print; write the files that ``args`` ask for."""
    say = progress()
    documents, texts = [], []
    for number, case in enumerate(cases, 1):
        say(f"{number} of {len(cases)}: {case.title}")
        size = (args.size, args.size)
        work = count_host_work(
            case.network, size, case.batch, case.blocks, parameters, gates=case.gates
        )
        layers = layer_shapes(case.network, size)
        precisions = layer_precisions(case.network, case.blocks)
        array = StepModel(parameters, layers, case.batch, case.memory).cost(precisions).seconds
        lines = group_lines(work)
        say("")
        shown = terminal_table(HEADS, list(_cells(lines)))
        print(f"{case.title}\n{shown}\n{_beside(case, lines, array)}\n")
        documents.append(_document(case, work, lines, array))
        texts.append(_markdown_case(case, lines, array))
    print(REMARK)
    if args.json:
        write_json(args.json, {"processor": processor.NAME, "steps": documents, "units": UNITS})
        print(f"\n{args.json}")
    if args.out:
        write_text(args.out, _markdown(args, texts))
        print(f"\ntable: {args.out}")


def group_lines(work: HostWork) -> list[Line]:
    """Groups that do anything, the longest at best first, and their sum."""
    lines = [
        _line(group, [kind for kind in KINDS if kind.group == group], work) for group in GROUPS
    ]
    lines = [line for line in lines if line.bytes_moved or line.seconds_at_best]
    lines.sort(key=lambda line: -line.seconds_at_best)
    return [*lines, _line("all", KINDS, work)]


def _line(name: str, of: Sequence[Kind], work: HostWork) -> Line:
    """``elements``: the most of the kinds that count elements, else what the first one counts."""
    elements = [work.elements[kind] for kind in of if kind.per == "element"]
    shown = max(elements) if elements else work.elements[of[0]]
    return Line(
        name,
        0 if name == "all" else shown,
        sum((kind.operations + kind.scalar_cycles) * work.elements[kind] for kind in of),
        sum((kind.bytes_read + kind.bytes_written) * work.elements[kind] for kind in of),
        sum(processor.seconds_at_best(kind, work.elements[kind]) for kind in of),
        sum(processor.seconds_as_written(kind, work.elements[kind]) for kind in of),
        sum(work.numpy_calls(kind) for kind in of),
    )


def _cells(lines: Sequence[Line]) -> Iterator[list[str]]:
    best = SECONDS.scale(line.seconds_at_best for line in lines)
    written = SECONDS.scale(line.seconds_as_written for line in lines)
    for number, line in enumerate(lines, 1):
        left = sum(later.seconds_at_best for later in lines[number:-1])
        yield [
            line.name,
            COUNTS.text(line.elements) if line.elements else "",
            COUNTS.text(line.operations),
            BYTES.text(line.bytes_moved),
            best.text(line.seconds_at_best),
            "" if line is lines[-1] else best.text(left),
            written.text(line.seconds_as_written),
            f"{line.numpy_calls:,.0f}",
        ]


def _beside(case: HostCase, lines: Sequence[Line], array: float) -> str:
    best, written = lines[-1].seconds_at_best, lines[-1].seconds_as_written
    return (
        f"array, {case.memory}: {SECONDS.text(array)} (modelled); the host takes "
        f"{best / array:,.0f} times as long at best, {written / array:,.0f} times as written"
    )


# -- files -----------------------------------------------------------------------------------------

UNITS = {
    "elements": "counted, of what `per` of the kind says",
    "operations": "counted, by the formula of each kind",
    "bytes": "counted, from and to memory: of the formula, and of all NumPy calls (as_written)",
    "seconds_at_best, seconds_as_written": "modelled, of the processor",
    "array_seconds": "modelled, of the array; convolutions only",
}


def _document(
    case: HostCase, work: HostWork, lines: Sequence[Line], array: float
) -> dict[str, Any]:
    return {
        "network": case.network.name,
        "batch": case.batch,
        "blocks": [str(each) for each in case.blocks],
        "gates": case.gates,
        "memory": case.memory,
        "array_seconds": array,
        "seconds_at_best": lines[-1].seconds_at_best,
        "seconds_as_written": lines[-1].seconds_as_written,
        "kinds": {kind.name: _kind_document(kind, work) for kind in KINDS if work.elements[kind]},
    }


def _kind_document(kind: Kind, work: HostWork) -> dict[str, Any]:
    elements = work.elements[kind]
    return {
        "group": kind.group,
        "per": kind.per,
        "elements": elements,
        "operations": kind.operations * elements,
        "scalar_cycles": kind.scalar_cycles * elements,
        "bytes_read": kind.bytes_read * elements,
        "bytes_written": kind.bytes_written * elements,
        "bytes_as_written": kind.bytes_as_written * elements,
        "numpy_calls": work.numpy_calls(kind),
        "seconds_at_best": processor.seconds_at_best(kind, elements),
        "seconds_as_written": processor.seconds_as_written(kind, elements),
    }


def _markdown(args: argparse.Namespace, cases: Sequence[str]) -> str:
    options = [f"--config {args.config}"]
    for name in ("networks", "batch", "memory", "precisions"):
        options.append(f"--{name} {' '.join(map(str, getattr(args, name)))}")
    if args.gates:
        options.append("--gates")
    rows = [
        [
            kind.name,
            kind.per,
            kind.formula.replace("|", "\\|"),
            f"{kind.operations:g}"
            + (f" + {kind.scalar_cycles:g} cycles" if kind.scalar_cycles else ""),
            f"{kind.bytes_read:g}, {kind.bytes_written:g}",
            " ".join(f"`{call}`" for call in kind.calls),
        ]
        for kind in KINDS
    ]
    return "\n".join(
        [
            "# The host's work in a training step",
            "",
            f"{REMARK} Made by",
            "",
            f"    fractrain cost --host {' '.join(options)} --out {args.out}",
            "",
            *cases,
            "## Kinds of work",
            "",
            "As written: a NumPy call each, `reads>writes` in bytes of the elements (`b`: a bit).",
            "",
            *_markdown_table(KIND_HEADS, rows),
            "",
        ]
    )


def _markdown_case(case: HostCase, lines: Sequence[Line], array: float) -> str:
    rows = list(_cells(lines))
    text = [f"## {case.title}", "", *_markdown_table(HEADS, rows), "", _beside(case, lines, array)]
    return "\n".join([*text, ""])


def _markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
