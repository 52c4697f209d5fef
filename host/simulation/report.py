"""The report of a simulated step: measured cycles beside predicted ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fractrain.host.machine.counters import Counters
from fractrain.host.reports.units import BYTES, SECONDS
from fractrain.host.simulation.measuring import STALLS, Measured
from fractrain.host.simulation.model_errors import model_errors_text
from fractrain.host.simulation.roofline import Point, roofline, roofs_of
from fractrain.host.simulation.step import Executed
from fractrain.hw.contract.bursts import BEAT_BYTES
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass
from fractrain.hw.contract.tables import terminal_table
from fractrain.sim.memory_model import MemoryModel


@dataclass(frozen=True)
class Report:
    """``rows``: every convolution alone; ``total``: all of them in one command stream."""

    parameters: Parameters
    rows: Sequence[tuple[Executed, Measured]]
    total: Measured

    def _figures(self, convolutions: Sequence[Executed], measured: Measured) -> dict[str, float]:
        """Utilization and GOPS (two operations a MAC) at the configured clock."""
        cycles = measured.counters.cycles
        useful = sum(executed.bit_products for executed in convolutions)
        seconds = cycles / (self.parameters.clock_mhz * 1e6)
        return {
            "utilization": useful / (cycles * self.parameters.bit_products_per_cycle),
            "gops": 2 * sum(executed.macs for executed in convolutions) / seconds / 1e9,
        }

    @property
    def convolutions(self) -> list[Executed]:
        return [executed for executed, _ in self.rows]

    def table(self) -> str:
        """One line for each convolution."""
        lines = []
        for executed, measured in self.rows:
            figures = self._figures([executed], measured)
            lines.append(
                [
                    executed.layer,
                    executed.pass_.label,
                    executed.geometry_text,
                    f"{executed.bits[0]}x{executed.bits[1]}",
                    *self._cells(measured, figures),
                ]
            )
        heads = ["layer", "pass", "geometry", "bits", "cycles", "utilization", "GOPS"]
        heads += ["KiB in", "KiB out", *(f"{name} stalls" for name in STALLS)]
        return terminal_table([*heads, "model", "error"], lines)

    def geometries(self) -> list[dict[str, Any]]:
        """Convolutions of one geometry together: all passes, then each; the costliest first.

        utilization : useful bit-products over those of all cycles, each convolution run alone
        useful : the same over the cycles in which the array was busy: lost are windows, lanes
            and tiles that are not full
        share : of all busy cycles
        """
        groups: dict[str, list[tuple[Executed, Measured]]] = {}
        for row in self.rows:
            groups.setdefault(row[0].geometry_text, []).append(row)
        found = []
        for geometry, rows in sorted(groups.items(), key=lambda group: -_busy(group[1])):
            found.append({"geometry": geometry, "pass": "all", **self._together(rows)})
            for pass_ in Pass:
                some = [row for row in rows if row[0].pass_ is pass_]
                if some:
                    each = self._together(some)
                    found.append({"geometry": geometry, "pass": pass_.label, **each})
        return found

    def _together(self, rows: Sequence[tuple[Executed, Measured]]) -> dict[str, Any]:
        useful = sum(executed.bit_products for executed, _ in rows)
        cycles, busy = sum(measured.counters.cycles for _, measured in rows), _busy(rows)
        per_cycle = self.parameters.bit_products_per_cycle
        return {
            "convolutions": len(rows),
            "cycles": cycles,
            "busy_cycles": busy,
            "utilization": useful / (cycles * per_cycle),
            "useful": useful / (busy * per_cycle),
            "share": busy / _busy(self.rows),
        }

    def geometry_table(self) -> str:
        """`geometries` as a table."""
        lines = [
            [
                each["geometry"],
                each["pass"],
                str(each["convolutions"]),
                f"{each['cycles']:,}",
                *(f"{100 * each[name]:.1f} %" for name in ("utilization", "useful", "share")),
            ]
            for each in self.geometries()
        ]
        heads = ["geometry", "pass", "convolutions", "cycles", "utilization"]
        return terminal_table([*heads, "useful of busy", "of all busy"], lines)

    def _cells(self, measured: Measured, figures: dict[str, float]) -> list[str]:
        counters = measured.counters
        return [
            f"{counters.cycles:,}",
            f"{100 * figures['utilization']:.1f} %",
            f"{figures['gops']:,.0f}",
            f"{counters.bytes_in / 1024:,.0f}",
            f"{counters.bytes_out / 1024:,.0f}",
            *(f"{getattr(counters, f'stall_{name}'):,}" for name in STALLS),
            f"{measured.predicted.cycles:,}",
            f"{100 * measured.model_error:+.1f} %",
        ]

    def summary(self, config: str, seconds: float) -> str:
        """The whole step, in words."""
        counters, clock = self.total.counters, self.parameters.clock_mhz
        figures = self._figures(self.convolutions, self.total)
        stalls = ", ".join(f"{getattr(counters, f'stall_{name}'):,} {name}" for name in STALLS)
        return (
            f"\n{len(self.rows)} convolutions on {config} equal the golden model bit for bit, "
            "alone and in one command stream.\n"
            f"Whole step, one stream (measured in RTL): {counters.cycles:,} cycles, "
            f"{SECONDS.text(counters.cycles / (clock * 1e6))} at {clock} MHz; "
            f"utilization {100 * figures['utilization']:.1f} %, array busy "
            f"{100 * counters.busy_cycles / counters.cycles:.1f} %, {figures['gops']:,.0f} GOPS\n"
            f"stalls: {stalls}; {BYTES.text(counters.bytes_in)} in, "
            f"{BYTES.text(counters.bytes_out)} out\n"
            f"cycle model: {self.total.predicted.cycles:,} cycles "
            f"({100 * self.total.model_error:+.2f} %); simulated in {SECONDS.text(seconds)}\n"
            f"{self.model_errors()}"
        )

    def model_errors(self) -> str:
        """How to read the column of errors in `table`."""
        layers = {executed.name: each.model_error for executed, each in self.rows}
        return model_errors_text(
            layers, self.total.model_error, "the whole step in one stream, for which it is made,"
        )

    def points(self) -> list[Point]:
        """The convolutions as points of the roofline."""
        return [
            _point(
                executed.name,
                f"{executed.geometry_text}, {executed.bits[0]} x {executed.bits[1]} bits",
                executed.pass_,
                [executed],
                measured.counters,
            )
            for executed, measured in self.rows
        ]

    def step_point(self) -> Point:
        """All convolutions as one command stream, as a point of the roofline."""
        about = f"{len(self.rows)} convolutions in one command stream"
        return _point("whole step", about, None, self.convolutions, self.total.counters)

    def bytes_per_cycle(self, memory: MemoryModel) -> float:
        """Bytes that the memory can move in a cycle, both directions together."""
        ports = 2 * BEAT_BYTES * self.parameters.memory.ports
        if memory.bytes_per_cycle is None:
            return float(ports)
        return min(ports, memory.bytes_per_cycle * memory.mixed_efficiency)

    def picture(self, title: str, memory: MemoryModel) -> str:
        """The roofline of a machine with ``memory``, as an SVG file."""
        limited = memory.bytes_per_cycle is not None
        name = "DDR3, modelled" if limited else "ports, ideal memory"
        roofs = roofs_of(self.parameters, self.bytes_per_cycle(memory), name)
        return roofline(self.points(), self.step_point(), roofs, title)

    def document(self) -> dict[str, Any]:
        """All figures, for the JSON file."""
        return {
            "source": "cycles and bytes measured in RTL co-simulation; model: cycle model",
            "clock_mhz": self.parameters.clock_mhz,
            "step": self._entry(self.convolutions, self.total),
            "convolutions": [
                {
                    "layer": executed.layer,
                    "pass": executed.pass_.label,
                    "geometry": executed.geometry_text,
                    "bits": list(executed.bits),
                    **self._entry([executed], measured),
                }
                for executed, measured in self.rows
            ],
            "geometries": self.geometries(),
        }

    def _entry(self, convolutions: Sequence[Executed], measured: Measured) -> dict[str, Any]:
        predicted = measured.predicted
        return {
            "macs": sum(executed.macs for executed in convolutions),
            "bit_products": sum(executed.bit_products for executed in convolutions),
            **asdict(measured.counters),
            **self._figures(convolutions, measured),
            "model": {
                "cycles": predicted.cycles,
                "busy_cycles": predicted.total("BUSY"),
                **{f"stall_{name}": predicted.total(f"STALL_{name.upper()}") for name in STALLS},
                "bytes_in": predicted.total("BYTES_READ"),
                "bytes_out": predicted.total("BYTES_WRITTEN"),
            },
        }


def _point(
    name: str, about: str, pass_: Pass | None, convolutions: Sequence[Executed], counters: Counters
) -> Point:
    useful = sum(executed.bit_products for executed in convolutions)
    return Point(
        name, about, pass_, useful, counters.bytes_in + counters.bytes_out, counters.cycles
    )


def _busy(rows: Sequence[tuple[Executed, Measured]]) -> int:
    return sum(measured.counters.busy_cycles for _, measured in rows)
