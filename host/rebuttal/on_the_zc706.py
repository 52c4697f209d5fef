"""Claims about the ZC706: the authors' design, ours beside it, and the rivals of both."""

from __future__ import annotations

from fractrain.host.machines.comparison import (
    DOUBLE_PUMPED,
    OURS_DDR,
    OURS_PORT,
    PACKED,
    RECURSIVE,
    Contender,
)
from fractrain.host.machines.trace import Trace
from fractrain.host.rebuttal.against_eyeriss import LENGTH
from fractrain.host.rebuttal.claim import Claim, Figure, Status, Unit, span
from fractrain.host.rebuttal.inputs import Inputs
from fractrain.host.rebuttal.macs import saved
from fractrain.host.rebuttal.models import Models, command, fixed_trace, published_trace
from fractrain.host.rebuttal.published import FRACTRAIN, Setting
from fractrain.host.reports.published import ON_ZC706
from fractrain.host.reports.quantities import Source, percent
from fractrain.sim.machines import QUOTED

MACHINES = (RECURSIVE, PACKED, OURS_PORT, OURS_DDR)

ZC706_SETTINGS = tuple(Setting(model, data) for data, model in ON_ZC706)

RIVALS = (RECURSIVE, PACKED, DOUBLE_PUMPED, OURS_PORT, OURS_DDR)


def savings(models: Models, inputs: Inputs) -> Claim:
    """FracTrain against FW8/BW8 on the same design."""
    figures = []
    for setting in ZC706_SETTINGS:
        for contender in MACHINES:
            figures += _saved(models, setting, contender)
    for setting in ZC706_SETTINGS:
        figures += _kept(models, setting)
    ours = inputs.dynamic
    if ours is not None:
        figures += [each for contender in MACHINES for each in _of_run(models, contender, ours)]
    heads = [f"latency saved, {each.label}, ResNet" for each in (RECURSIVE, OURS_PORT)]
    theirs, own = (
        [each.value or 0 for each in figures if each.name.startswith(head)] for head in heads
    )
    return Claim(
        "zc706",
        "The authors' design on the ZC706",
        "On their own accelerator for the ZC706, one computation unit reused at all precisions, "
        "FracTrain saves 34.9 and 36.6 % of the latency and 30.3 and 24.9 % of the energy of "
        "FW8/BW8 "
        "(ResNet-38 and ResNet-74, CIFAR-100).",
        Status.PARTLY,
        "A hypothetical design after EDD, whose DSPs pack 4, 3 or 2 products, saves "
        f"{span(theirs)} "
        f"of the latency in a step; ours, on the same board, saves {span(own)} of its array time "
        "with the same mix. Nothing was measured on a board by us, and the authors' design is not "
        "public.",
        figures,
        [
            "What a bit-parallel design gains from few bits is how many products it packs into a "
            "multiplier, and that is not published: with 4, 2, 2 products it is less than half.",
            "If steps are equal, the claims are .52 and .54 of the MACs saved; if FracTrain's run "
            "is 1.2 times as long, as in the published table, .68 and .70: both are in the table.",
            "Our energy is a model with constants from the literature (a DSP's 62 pJ from Qiu et "
            "al., FPGA 2016), and watts take a board: absolute joules may be off by half.",
            "With the board's DDR our machine waits for memory more often at few bits, so it keeps "
            "less of the saving than its array does.",
        ],
        [
            "packing of the recursive design: a hypothesis that fits the claims",
            "all 900 DSPs busy at 200 MHz, memory that keeps up",
            "the mix of candidates: the two neighbours of the mean cp",
        ],
    )


def _saved(models: Models, setting: Setting, contender: Contender) -> list[Figure]:
    trace = published_trace(setting, FRACTRAIN)
    result = models.of(contender, trace)
    latency, energy = ON_ZC706[setting.data, setting.model]
    found = []
    for what, value, claimed in (
        ("latency", result.seconds_saved, latency),
        ("energy", result.joules_saved, energy),
    ):
        longer = 1 - LENGTH * (1 - value)
        found.append(
            Figure(
                f"{what} saved, {contender.label}, {setting.text}",
                Unit.PERCENT,
                value,
                claimed,
                command=trace.command,
                about=f"{percent(longer)} if the run is {LENGTH} times as long",
                main=contender in (RECURSIVE, OURS_PORT, OURS_DDR),
            )
        )
    return found


def _kept(models: Models, setting: Setting) -> list[Figure]:
    """How much of the MACs saved is saved in time."""
    trace = published_trace(setting, FRACTRAIN)
    macs = saved(trace)
    latency, _ = ON_ZC706[setting.data, setting.model]
    return [
        Figure(
            f"latency saved over MACs saved, {contender.label}, {setting.text}",
            Unit.RATIO,
            models.of(contender, trace).seconds_saved / macs,
            latency / macs,
            command=trace.command,
            about=f"claimed at equal steps; {(1 - (1 - latency) / LENGTH) / macs:.2f} "
            f"if the run was {LENGTH} times as long",
        )
        for contender in (RECURSIVE, OURS_PORT, OURS_DDR)
    ]


def _of_run(models: Models, contender: Contender, trace: Trace) -> list[Figure]:
    result = models.of(contender, trace)
    return [
        Figure(
            f"{what} saved, {contender.label}, our run {trace.name}",
            Unit.PERCENT,
            value,
            command=trace.command,
            about=f"the bits that its log recorded, {trace.steps:,.0f} steps",
        )
        for what, value in (("latency", result.seconds_saved), ("energy", result.joules_saved))
    ]


def rivals(models: Models) -> Claim:
    """Speed on the same part, so that no saving looks good because FW8/BW8 is slow."""
    setting = ZC706_SETTINGS[0]
    eight, few = fixed_trace(setting.model), published_trace(setting, FRACTRAIN)
    figures, speeds = [], {}
    for contender in RIVALS:
        result = models.of(contender, few)
        values = {"FW8/BW8": result.eight, "FracTrain": result.cost}
        for name, cost in values.items():
            rate = cost.total.macs / cost.total.seconds / 1e9
            speeds[contender, name] = rate
            figures.append(
                Figure(
                    f"{name} on {contender.label}, ResNet-38",
                    Unit.RATE,
                    rate,
                    command=command(eight, few),
                    about=contender.about,
                    main=contender in (OURS_PORT, OURS_DDR),
                )
            )
    figures += [
        Figure(
            f"{each.machine}: {each.what}",
            Unit.SPEED,
            each.value,
            source=Source.QUOTED,
            about=f"{each.value / 2:.0f} GMAC/s, if two operations are one; {each.source}",
        )
        for each in QUOTED
        if each.unit == "GOPS"
    ]
    best = max((RECURSIVE, PACKED, DOUBLE_PUMPED), key=lambda each: speeds[each, "FW8/BW8"])
    ours, ddr = speeds[OURS_PORT, "FracTrain"], speeds[OURS_DDR, "FracTrain"]
    return Claim(
        "rivals",
        "What a user would weigh",
        "(No claim of the rebuttal: savings alone do not say how fast a machine is.)",
        Status.CHECKED,
        f"At 8 bits every array of packed DSPs is faster than ours, as that is what DSPs are made "
        f"for: {best.label} reaches {speeds[best, 'FW8/BW8']:.0f} GMAC/s at FW8/BW8, ours "
        f"{speeds[OURS_PORT, 'FW8/BW8']:.0f}. With FracTrain's bits ours reaches {ours:.0f} "
        f"({ddr:.0f} through the board's DDR), {best.label} {speeds[best, 'FracTrain']:.0f}.",
        figures,
        [
            "The DSP arrays are upper bounds: every DSP busy in every cycle, whatever the layer, "
            "and memory that keeps up. Ours is the cycle model, within half a percent of its RTL.",
        ],
        ["number and clock of DSPs", "products packed into a DSP"],
    )
