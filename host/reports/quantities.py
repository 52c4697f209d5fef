"""Costs of a run: the quantities, their sources, and how they are shown.

Every figure has its source, because a modelled second is not a measured one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from fractrain.host.reports.records import Record, mapping, number
from fractrain.host.reports.units import COUNTS, JOULES, MISSING, SECONDS, Units


class Source(Enum):
    """How a figure came about."""

    MEASURED = "measured"
    MODELLED = "modelled"
    COMPUTED = "computed"
    RECORDED = "recorded"
    QUOTED = "quoted"


MEANINGS = {
    Source.MEASURED: "counted or timed while the run ran",
    Source.COMPUTED: "a formula over what the run did; effective MACs: a/32 · w/32 per product",
    Source.MODELLED: "what the cycle and energy model of the machine predicts for it",
    Source.RECORDED: "written down by the run, a setting or an identity",
    Source.QUOTED: "taken from a publication",
}


@dataclass(frozen=True)
class Quantity:
    """One kind of cost.

    key : its name in a run's files, where ``key + "_fw8bw8"`` is the same steps at 8 bits
    name : for people
    source : how it came about
    """

    key: str
    name: str
    source: Source

    @property
    def identifier(self) -> str:
        """Its name in our own documents: unique, unlike ``key``."""
        return self.key if self.source is Source.COMPUTED else f"{self.source.value}_{self.key}"

    @property
    def units(self) -> Units:
        """What its values are shown in."""
        return UNITS[self.key]

    def text(self, value: float | None) -> str:
        """``value`` in the unit in which it reads well: ``122 µs``."""
        return self.units.text(value)

    def texts(self, values: Iterable[float | None]) -> list[str]:
        """``values`` side by side, in the unit of the largest where that is not too large."""
        values = list(values)
        scale = self.units.scale(values)
        return [scale.text(value) for value in values]


UNITS = {"effective_macs": COUNTS, "seconds": SECONDS, "joules": JOULES}

EFFECTIVE_MACS = Quantity("effective_macs", "effective MACs", Source.COMPUTED)
MODELLED_TIME = Quantity("seconds", "FPGA time", Source.MODELLED)
MODELLED_ENERGY = Quantity("joules", "FPGA energy", Source.MODELLED)
MEASURED_TIME = Quantity("seconds", "accelerator time", Source.MEASURED)
MEASURED_ENERGY = Quantity("joules", "board energy", Source.MEASURED)

ALWAYS_SHOWN = (EFFECTIVE_MACS, MODELLED_TIME, MODELLED_ENERGY)
QUANTITIES = (*ALWAYS_SHOWN, MEASURED_TIME, MEASURED_ENERGY)


@dataclass(frozen=True)
class Cost:
    """What something took, and what the same steps take with all operands at 8 bits."""

    value: float
    baseline: float | None

    @property
    def saving(self) -> float | None:
        """``1 - value / baseline``."""
        return None if self.baseline is None else saving(self.value, self.baseline)


Costs = Mapping[Quantity, Cost]


def read_costs(record: Record, where: str, *, modelled: str | None = None) -> dict[Quantity, Cost]:
    """The quantities that ``record`` holds.

    modelled : the key of the object with modelled time and energy; None: they are in ``record``
    """
    blocks = {
        Source.COMPUTED: record,
        Source.MODELLED: record if modelled is None else mapping(record, modelled, where),
        Source.MEASURED: _measured(record, where),
    }
    costs = {}
    for quantity in QUANTITIES:
        block = blocks[quantity.source]
        value = number(block, quantity.key, where)
        if value is not None:
            costs[quantity] = Cost(value, number(block, f"{quantity.key}_fw8bw8", where))
    return costs


def _measured(record: Record, where: str) -> Record:
    """Time by the machine's counters, energy by its power monitor; of all steps or none."""
    found = dict(_of_all_steps(record, "measured", where))
    energy = _of_all_steps(record, "measured_energy", where)
    return found | {name: energy[name] for name in ("joules",) if name in energy}


def _of_all_steps(record: Record, key: str, where: str) -> Record:
    """The object under ``key``; empty if it says that it is of some of the record's steps only."""
    block = mapping(record, key, where)
    return block if block.get("steps") in (None, record.get("steps")) else {}


def shown_quantities(costs: Iterable[Costs]) -> list[Quantity]:
    """Those of the model always, so that a gap is seen; measured ones if any of ``costs`` has."""
    found = {quantity for each in costs for quantity in each}
    return [each for each in QUANTITIES if each in ALWAYS_SHOWN or each in found]


def saving(value: float, reference: float) -> float | None:
    """``1 - value / reference``; None without a reference to divide by."""
    return 1 - value / reference if reference else None


def percent(fraction: float | None) -> str:
    """A fraction as a percentage with one decimal."""
    return MISSING if fraction is None else f"{round(100 * fraction, 1) + 0.0:.1f} %"
