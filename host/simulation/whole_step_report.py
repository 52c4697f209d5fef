"""What a simulated whole step took, by stage and cause, beside the cycle model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fractrain.host.machine.vector_machine import Counts
from fractrain.host.reports.units import BYTES, SECONDS
from fractrain.host.simulation.whole_step import Simulated
from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import (
    BYTES_READ,
    BYTES_WRITTEN,
    CYCLE_COUNTERS,
    STASH_READ,
    STASH_WRITTEN,
    VECTOR_CYCLE_COUNTERS,
)
from fractrain.hw.contract.tables import terminal_table
from fractrain.sim.cycles import Prediction, predict
from fractrain.sim.memory_model import MemoryModel

ARRAY = [each.name for each in CYCLE_COUNTERS]
UNIT = [each.name for each in VECTOR_CYCLE_COUNTERS]
TRAFFIC = [each.name for each in (BYTES_READ, BYTES_WRITTEN, STASH_READ, STASH_WRITTEN)]
ARRAY_BUSY, UNIT_BUSY = ("BUSY",), ("VECTOR_BUSY", "VECTOR_CHANNEL")
MODELLED, MEASURED = "cycle model", "measured in RTL"


def model(simulated: Simulated, memory: MemoryModel) -> Prediction:
    """The cycle model's prediction of the step, of a host that takes no time."""
    step = simulated.step
    return predict(
        step.parameters,
        step.commands,
        dict(enumerate(simulated.precisions)),
        memory,
        program_address=step.program_address,
        kept=dict(enumerate(simulated.kept)),
    )


@dataclass(frozen=True)
class WholeStepReport:
    """``prediction``: the cycle model's, always; the machine's own counters where it has some."""

    simulated: Simulated
    prediction: Prediction

    @property
    def counts(self) -> Counts:
        return self.simulated.counts or self.prediction.counters

    @property
    def source(self) -> str:
        """Of `counts`."""
        return MODELLED if self.simulated.counts is None else MEASURED

    def tables(self) -> str:
        """Cycles of the array and of the vector unit by cause, and bytes, for each pass."""
        array, unit, traffic = (
            self._table(title, names)
            for title, names in (("array", ARRAY), ("vector unit", UNIT), ("bytes", TRAFFIC))
        )
        return f"{array}\n\n{unit}\n\n{traffic}"

    def _table(self, title: str, names: list[str]) -> str:
        rows = []
        for name in names:
            cells = [self.counts.get(tag, {}).get(name, 0) for tag in Tag]
            rows.append([_words(name), *(f"{each:,}" for each in (*cells, sum(cells)))])
        heads = [f"{title} ({self.source})", *(tag.name.lower() for tag in Tag), "all"]
        return terminal_table(heads, rows)

    @property
    def cycles(self) -> int:
        """Of the whole step, without the host."""
        if self.simulated.counts is None:
            return self.prediction.cycles
        return sum(each[name] for each in self.counts.values() for name in ARRAY)

    def busy(self, names: Sequence[str]) -> float:
        """Cycles that the counters ``names`` have, over all of the step."""
        counted = sum(each.get(name, 0) for each in self.counts.values() for name in names)
        return counted / self.cycles

    def summary(self, parameters: Parameters) -> str:
        """In words."""
        simulated, step, times = self.simulated, self.simulated.step, self.simulated.times
        during = sum(times.during)
        residency, cycles = step.residency, self.cycles
        found = (
            f"{len(step.commands):,} commands leave what the golden model leaves: "
            f"{simulated.stash_bytes:,} bytes of stash and {simulated.numbers:,} numbers (weights; "
            "momenta, which were 0, so gradients; ranges, statistics, classifier, logits) are "
            f"equal.\nWhole step ({self.source}): {cycles:,} cycles, "
            f"{SECONDS.text(cycles / (parameters.clock_mhz * 1e6))} at {parameters.clock_mhz} MHz, "
            f"array busy {100 * self.busy(ARRAY_BUSY):.1f} %, vector unit "
            f"{100 * self.busy(UNIT_BUSY):.1f} %; {BYTES.text(step.memory_bytes)} of memory\n"
            f"chunks in flight: {residency.in_flight}; beside the last gradient: "
            f"{_beside(residency.next_chunk, residency.next_segment)}\n"
            f"host, on this computer: {SECONDS.text(times.before)} before the step, "
            f"{SECONDS.text(during)} during it in {len(times.during)} turns, "
            f"{SECONDS.text(times.after)} after it; the machine, simulated: "
            f"{SECONDS.text(times.machine)}"
        )
        if simulated.counts is not None:
            error = self.prediction.cycles / cycles - 1
            found += f", {cycles / times.machine:,.0f} cycles/s"
            found += f"\ncycle model: {self.prediction.cycles:,} cycles ({100 * error:+.2f} %)"
        return found

    def document(self) -> dict[str, Any]:
        """All figures, for the JSON file."""
        simulated, step = self.simulated, self.simulated.step
        return {
            "source": self.source,
            "clock_mhz": step.parameters.clock_mhz,
            "commands": len(step.commands),
            "memory_bytes": step.memory_bytes,
            "residency": asdict(step.residency),
            "stash_bytes": simulated.stash_bytes,
            "numbers": simulated.numbers,
            "loss": simulated.loss,
            "cycles": self.cycles,
            "passes": _by_pass(self.counts),
            "busy": {"array": self.busy(ARRAY_BUSY), "vector_unit": self.busy(UNIT_BUSY)},
            "model_cycles": self.prediction.cycles,
            "model_passes": _by_pass(self.prediction.counters),
            "host_seconds": asdict(simulated.times),
        }


def _by_pass(counts: Counts) -> dict[str, dict[str, int]]:
    return {tag.name.lower(): dict(each) for tag, each in counts.items()}


def _words(name: str) -> str:
    return name.removeprefix("VECTOR_").replace("_", " ").lower()


def _beside(next_chunk: bool, next_segment: bool) -> str:
    both = [("the next chunk", next_chunk), ("the next segment", next_segment)]
    return " and ".join(name for name, there in both if there) or "nothing"
