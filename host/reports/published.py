"""The FracTrain paper's results for the same task, for comparison.

Fu et al., "FracTrain: Fractionally Squeezing Bit Savings Both Temporally and Spatially for
Efficient DNN Training", NeurIPS 2020: CIFAR, networks of 38 and 74 layers. Energy and latency there
are simulated by the authors with Bit Fusion. The MACs imply trainings of different lengths, so
their ratios mean more than their values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fractrain.host.reports.quantities import Source, percent, saving
from fractrain.host.reports.run import Run
from fractrain.host.reports.tables import Row, Table
from fractrain.host.reports.units import COUNTS, JOULES, SECONDS, Units


@dataclass(frozen=True)
class Published:
    """Percent, effective MACs, kJ, minutes."""

    method: str
    accuracy: float
    macs: float
    kilojoules: float
    minutes: float


STATIC, DFQ, FRACTRAIN = "static FW8/BW8 (SBM)", "DFQ, cp 3", "FracTrain, cp 1.5/2/2.5/3"

# By (data set, model); the static row first.
RESULTS = {
    ("cifar10", "resnet38"): (
        Published(STATIC, 92.66, 1.18e14, 33.55, 310.47),
        Published(DFQ, 92.49, 4.96e13, 23.97, 230.32),
        Published(FRACTRAIN, 92.54, 3.97e13, 22.93, 221.13),
    ),
    ("cifar100", "resnet38"): (
        Published(STATIC, 69.78, 6.88e13, 19.55, 180.93),
        Published(DFQ, 69.81, 3.23e13, 16.22, 155.91),
        Published(FRACTRAIN, 69.82, 2.66e13, 15.74, 151.87),
    ),
    ("cifar10", "resnet74"): (
        Published(STATIC, 93.04, 2.62e14, 75.01, 692.29),
        Published(DFQ, 93.09, 7.33e13, 35.88, 343.76),
        Published(FRACTRAIN, 92.97, 5.85e13, 33.40, 321.98),
    ),
    ("cifar100", "resnet74"): (
        Published(STATIC, 71.01, 1.40e14, 40.08, 369.94),
        Published(DFQ, 70.58, 6.72e13, 32.89, 315.11),
        Published(FRACTRAIN, 71.03, 5.46e13, 32.23, 310.67),
    ),
}

# The authors' own accelerator on the same FPGA, from their answer to the reviewers: FracTrain
# against FW8/BW8, saving of latency and of energy.
ON_ZC706 = {
    ("cifar100", "resnet38"): (0.349, 0.303),
    ("cifar100", "resnet74"): (0.366, 0.249),
}


def published_tables(runs: Sequence[Run]) -> list[Table]:
    """One table for each task of ``runs`` that the paper has results for."""
    tasks = dict.fromkeys(run.task for run in runs)
    return [_table(task, RESULTS[task]) for task in tasks if task in RESULTS]


def _table(task: tuple[str, str], results: Sequence[Published]) -> Table:
    static = results[0]

    def shown(units: Units, values: Sequence[float]) -> list[str]:
        scale = units.scale(values)
        return [scale.text(value) for value in values]

    def savings(name: str) -> list[str]:
        return [percent(saving(getattr(each, name), getattr(static, name))) for each in results]

    contents = {
        "best test accuracy": [f"{each.accuracy:.2f} %" for each in results],
        "effective MACs": shown(COUNTS, [each.macs for each in results]),
        "saving of effective MACs": savings("macs"),
        "Bit Fusion time": shown(SECONDS, [60 * each.minutes for each in results]),
        "saving of Bit Fusion time": savings("minutes"),
        "Bit Fusion energy": shown(JOULES, [1e3 * each.kilojoules for each in results]),
        "saving of Bit Fusion energy": savings("kilojoules"),
    }
    rows = [
        Row(name, Source.QUOTED, cells, marked=name.startswith("saving"))
        for name, cells in contents.items()
    ]
    remarks = [
        "FracTrain, NeurIPS 2020; energy and time simulated by its authors with Bit Fusion. "
        "The rows imply trainings of different lengths: compare ratios."
    ]
    if task in ON_ZC706:
        time, energy = map(percent, ON_ZC706[task])
        remarks.append(
            f"The authors' own ZC706 accelerator saved {time} of time, {energy} of energy."
        )
    dataset, model = task
    return Table(
        f"Published for {dataset}, {model}", [each.method for each in results], rows, remarks
    )
