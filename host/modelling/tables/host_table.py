"""What the host does in steps, beside what the array does: a table for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.compiler.whole_step import DoesNotFit, compile_whole_step
from fractrain.host.graph.step import StepGraph
from fractrain.host.modelling import processor
from fractrain.host.modelling.host_kinds import HostWork, Kind
from fractrain.host.modelling.host_work import count_host_work, gates_of
from fractrain.host.modelling.integer_kinds import WIDE
from fractrain.host.modelling.step_model import StepModel
from fractrain.host.modelling.tables.case import Case
from fractrain.host.modelling.whole_step_work import count_whole_step_work
from fractrain.host.reports.units import BYTES, COUNTS, SECONDS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.tables import markdown_table, terminal_table

HEADS = ("work", "elements", "operations", "moved", "at best", "left", "as written", "NumPy calls")
KIND_HEADS = ("kind", "per", "formula", "operations", "bytes read, written", "as written")
REMARK = (
    "Elements, operations and bytes of the formulas are counted (of float mode's random numbers, "
    "cycles); "
    f"times are modelled, on {processor.NAME}. At best: both cores with NEON, each tensor read "
    "and written as often as its formula needs. Left: of all that, once this row and those above "
    "it are done in hardware. As written: one core, NumPy call by call; what Python adds to each "
    "call is not in it."
)

UNITS = {
    "elements": "counted, of what `per` of the kind says",
    "operations": "counted, by the formula of each kind",
    "bytes": "counted, from and to memory: of the formula, and of all NumPy calls (as_written)",
    "seconds_at_best, seconds_as_written": "modelled, of the processor",
    "array_seconds": "modelled, of the array; convolutions only",
}


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


@dataclass(frozen=True)
class HostStep:
    """One step: ``work`` counted, and the seconds that the ``array`` takes for it (modelled).
    ``whole``: the machine takes it as one program."""

    case: Case
    work: HostWork
    array: float
    whole: bool = False

    @property
    def title(self) -> str:
        """As shown above its table."""
        return f"{self.case.title}, whole step" if self.whole else self.case.title

    @property
    def lines(self) -> list[Line]:
        """Groups that do anything, the longest at best first, and their sum."""
        return group_lines(self.work)

    def text(self) -> str:
        """Title, table and what it says."""
        table = terminal_table(HEADS, list(_cells(self.lines)))
        return f"{self.title}\n{table}\n{self._beside()}"

    def markdown(self) -> str:
        """The same for a page."""
        table = markdown_table(HEADS, list(_cells(self.lines)))
        return f"## {self.title}\n\n{table}\n\n{self._beside()}"

    def _beside(self) -> str:
        whole = self.lines[-1]
        best, written = whole.seconds_at_best, whole.seconds_as_written
        times, as_written = (_times(each / self.array) for each in (best, written))
        return (
            f"array, {self.case.memory}: {SECONDS.text(self.array)} (modelled); the host takes "
            f"{times} times as long at best, {as_written} times as written"
        )

    def document(self) -> dict[str, Any]:
        """The same for a file, kind by kind."""
        case, whole = self.case, self.lines[-1]
        return {
            "network": case.network.name,
            "batch": case.step.batch,
            "blocks": [str(each) for each in case.precisions],
            "gates": case.gates,
            "mode": case.mode,
            "memory": case.memory,
            "whole_step": self.whole,
            "array_seconds": self.array,
            "seconds_at_best": whole.seconds_at_best,
            "seconds_as_written": whole.seconds_as_written,
            "kinds": {kind.name: _kind_document(kind, self.work) for kind in self.work.kinds},
        }


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 1 else f"{ratio:.2g}"


def host_step(case: Case, parameters: Parameters) -> HostStep:
    """Count and model ``case`` on the machine ``parameters``: around a whole step, if it has a
    vector unit and room for one."""
    gates = gates_of(case.step, case.step.options.precisions) if case.gates else None
    whole = case.mode == "hardware" and _takes_whole(parameters, case.step)
    if whole:
        work = count_whole_step_work(case.step, case.choices, gates)
    else:
        work = count_host_work(case.step, case.choices, parameters, gates)
    model = StepModel(parameters, case.step, case.memory)
    return HostStep(case, work, model.cost(case.choices).seconds, whole)


def _takes_whole(parameters: Parameters, step: StepGraph) -> bool:
    try:
        compile_whole_step(parameters, step)
    except DoesNotFit:
        return False
    return True


def host_document(steps: Sequence[HostStep]) -> dict[str, Any]:
    """All ``steps``, for a file."""
    documents = [step.document() for step in steps]
    return {"processor": processor.NAME, "steps": documents, "units": UNITS}


def kinds_section(steps: Sequence[HostStep]) -> str:
    """What an element of each kind of work of ``steps`` takes, for a page."""
    kinds = dict.fromkeys(kind for step in steps for kind in step.work.kinds)
    return "\n\n".join(
        [
            "## Kinds of work",
            "As written: NumPy calls, `reads>writes` in bytes of the elements (`b`: a bit; `c`: a "
            "number of a part of the tensor that stays in the cache).",
            markdown_table(KIND_HEADS, [_kind_row(kind) for kind in kinds]),
        ]
    )


def _kind_row(kind: Kind) -> list[str]:
    cycles = f" + {kind.scalar_cycles:g} cycles" if kind.scalar_cycles else ""
    return [
        kind.name,
        kind.per,
        kind.formula,
        f"{kind.operations:g}{cycles}",
        f"{kind.bytes_read:g}, {kind.bytes_written:g}",
        " ".join(
            f"`{call}`" if count == 1 else f"{count} × `{call}`"
            for call, count in Counter(kind.calls).items()
        ),
    ]


def group_lines(work: HostWork) -> list[Line]:
    """Groups that do anything, the longest at best first, and their sum."""
    groups: dict[str, list[Kind]] = {}
    for kind in work.kinds:
        groups.setdefault(kind.group, []).append(kind)
    lines = [_line(group, kinds, work) for group, kinds in groups.items()]
    lines.sort(key=lambda line: -line.seconds_at_best)
    return [*lines, _line("all", work.kinds, work)]


def _line(name: str, of: Sequence[Kind], work: HostWork) -> Line:
    """``elements``: the most of the kinds that count elements, in all their widths, else what the
    first one counts."""
    elements: dict[str, float] = {}
    for kind in of:
        if kind.per == "element":
            usual, _, _ = kind.name.partition(WIDE)
            elements[usual] = elements.get(usual, 0) + work.elements[kind]
    shown = max(elements.values()) if elements else work.elements[of[0]]
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
