"""The claim about Bit Fusion: the published table, and the law that it obeys."""

from __future__ import annotations

from fractrain.host.machines.comparison import BIT_FUSION
from fractrain.host.rebuttal.claim import (
    Claim,
    Figure,
    Status,
    Unit,
    largest_difference,
)
from fractrain.host.rebuttal.models import (
    Models,
    fixed_trace,
    published_trace,
    relative_cost,
)
from fractrain.host.rebuttal.published import (
    ABSOLUTES,
    DFQ,
    FRACTRAIN,
    LAW,
    SETTINGS,
    STATIC,
    Setting,
)
from fractrain.hw.contract.precision import Precision

LAW_POINTS = (Precision(4, 4, 6), Precision(4, 4, 8))
"""r = .33 and .42."""

LAW_LIMITS = {"time": 0.03, "energy": 0.10}


def published_table(models: Models) -> Claim:
    """FW8/BW8, DFQ and FracTrain on Bit Fusion."""
    parts = [
        each
        for setting in SETTINGS
        for method in (DFQ, FRACTRAIN)
        for each in _parts(models, setting, method)
    ]
    law = [each for precision in LAW_POINTS for each in _law(models, precision)]
    absolutes = _absolutes(models)
    off = {
        what: largest_difference([each for each in law if each.name.startswith(what)])
        for what in LAW
    }
    inside = all(off[what] <= LAW_LIMITS[what] for what in LAW)
    speed, energy = (each.value or 0 for each in absolutes)
    return Claim(
        "bit-fusion",
        "FracTrain on Bit Fusion",
        "The published table: time and energy of FW8/BW8, DFQ and FracTrain, simulated by the "
        "authors with Bit Fusion.",
        Status.CHECKED,
        f"At r = .33 and .42 our ratios are within {off['time']:.3f} of the table's law in time "
        "and "
        f"within {off['energy']:.3f} in energy ({'inside' if inside else 'outside'} the aims of "
        ".03 "
        f"and .10). The absolutes are not: FW8/BW8 runs at {speed:.3g} GMAC/s and "
        f"{energy:.3g} pJ/MAC here, {speed / ABSOLUTES['GMAC/s']:.2f} times the table's speed and "
        f"{energy / ABSOLUTES['pJ/MAC']:.2f} of its energy.",
        [*law, *absolutes, *parts],
        [
            "Why the published absolutes are slower and dearer is not known: configuration, batch "
            "and reading of the gradient pass are not published. Ratios hide it.",
            "On Bit Fusion 3 bits cost what 4 do, and 5 to 7 what 8 do, so mixes with the same "
            "mean "
            "cp cost different times: narrow and wide ones are given.",
        ],
        [
            "configuration bf_e",
            "the gradient pass as a 1×1 convolution: of several readings the one that fits best",
            "the mix of candidates with the mean cp of a run (no trace is published): the two "
            "neighbours of the mean; beside it the two extremes",
            "a batch of 128 images",
        ],
    )


def _law(models: Models, precision: Precision) -> list[Figure]:
    trace = fixed_trace("resnet38", precision)
    result, r = models.of(BIT_FUSION, trace), relative_cost(precision)
    values = {"time": 1 - result.seconds_saved, "energy": 1 - result.joules_saved}
    return [
        Figure(
            f"{what}, part of FW8/BW8, ResNet-38 at {precision} (r = {r:.3f})",
            Unit.RATIO,
            values[what],
            constant + slope * r,
            command=trace.command,
            about=f"claimed: the table's law, {constant} + {slope} r",
            main=True,
        )
        for what, (constant, slope) in LAW.items()
    ]


def _absolutes(models: Models) -> list[Figure]:
    trace = fixed_trace("resnet38")
    result = models.of(BIT_FUSION, trace)
    return [
        Figure(
            f"FW8/BW8, ResNet-38: {unit.value}",
            unit,
            value,
            ABSOLUTES[unit.value],
            command=trace.command,
            about="claimed: derived from the table",
            main=True,
        )
        for unit, value in (
            (Unit.RATE, result.macs_per_second / 1e9),
            (Unit.ENERGY, result.joules_per_mac * 1e12),
        )
    ]


def _parts(models: Models, setting: Setting, method: str) -> list[Figure]:
    """Of FW8/BW8 at equal length."""
    row, static, length = setting.row(method), setting.row(STATIC), setting.length(method)
    claims = {
        "time": row.minutes / static.minutes / length,
        "energy": row.kilojoules / static.kilojoules / length,
    }
    trace = published_trace(setting, method)
    narrow = models.of(BIT_FUSION, trace)
    wide = models.of(BIT_FUSION, published_trace(setting, method, wide=True))
    name = method.partition(",")[0]
    return [
        Figure(
            f"{what}, part of FW8/BW8 at equal length, {name}, {setting.text}",
            Unit.RATIO,
            1 - saved[0],
            claims[what],
            command=trace.command,
            about=f"mean cp {setting.cp(method):g} %; {1 - saved[1]:.3f} with the widest mix",
        )
        for what, saved in (
            ("time", (narrow.seconds_saved, wide.seconds_saved)),
            ("energy", (narrow.joules_saved, wide.joules_saved)),
        )
    ]
