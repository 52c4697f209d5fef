"""Claims about effective MACs: the formula, its savings, deeper networks."""

from __future__ import annotations

from fractrain.host.machines import mixes
from fractrain.host.machines.comparison import BIT_FUSION, EYERISS, RECURSIVE
from fractrain.host.machines.mixes import cost_in_percent, mix_trace
from fractrain.host.machines.network_layers import layers_of
from fractrain.host.machines.trace import CIFAR, EIGHT, Trace
from fractrain.host.rebuttal.claim import (
    Claim,
    Figure,
    Status,
    Unit,
    largest_difference,
    span,
)
from fractrain.host.rebuttal.inputs import Inputs
from fractrain.host.rebuttal.models import (
    BACKWARD_8_CANDIDATES,
    Models,
    fixed_trace,
    published_trace,
)
from fractrain.host.rebuttal.published import (
    BACKWARD_8,
    BATCH,
    DEEPER,
    FORWARD_MACS,
    FRACTRAIN,
    FW8BW8_MACS,
    SETTINGS,
    STATIC,
    STEPS,
    Setting,
)
from fractrain.host.reports.quantities import Source
from fractrain.hw.contract.precision import Precision

DEPTHS = ("resnet38", "resnet74", "resnet110", "resnet164")
DEEP = ("resnet74", "resnet110", "resnet152", "resnet164")

DERIVED = "claimed: at equal length, from the mean cp of the run"


def effective_macs(inputs: Inputs) -> Claim:
    """The formula, sizes, and savings at the published mean costs."""
    figures = [*_sizes(), *_formula()]
    savings = [_saving(each) for each in SETTINGS]
    figures += savings
    for key, deeper in DEEPER.items():
        figures.append(_deeper(Setting(*key), deeper.saved))
    ours = inputs.dynamic
    if ours is not None:
        figures.append(
            Figure(
                f"saved, our run {ours.name} ({ours.model}, {ours.steps:,.0f} steps)",
                Unit.PERCENT,
                saved(ours),
                command=ours.command,
                about=f"from the bits that its log recorded; mean cp {ours.cp:.3g} %",
                main=True,
            )
        )
    exact = largest_difference(savings)
    return Claim(
        "effective-macs",
        "Effective MACs",
        "A multiply-accumulate of a and b bits costs a/32 · b/32; FracTrain saves about two thirds "
        "of those of FW8/BW8 at equal training length, also in networks of 110 and 164 layers.",
        Status.CHECKED,
        "The formula over the layers of the networks gives "
        f"{span([each.value or 0 for each in savings])} "
        f"saved in a step at the published mean costs, within {100 * exact:.2f} points of them. "
        "For 110 and 164 layers no mean cost is published: at that of ResNet-74 a step saves the "
        "same, and the claimed totals imply runs of other lengths, which are in the table.",
        figures,
        [
            "The published totals are of runs that end at different steps (probably at the best "
            "accuracy): savings of totals mix the cost of a step with the number of steps.",
            "The first layer has no error pass here, and its convolution counts at 8 bits; "
            "shortcuts have the bits of their block, as in the published code on CIFAR.",
            "CIFAR-10 and CIFAR-100 have the same convolutions. The classifier, 10 or 100 classes, "
            "is in floating point in the paper and on the host here, and counts in neither.",
        ],
        ["mean cp of ResNet-110 and ResNet-164: taken from ResNet-74"],
    )


def saved(trace: Trace) -> float:
    """Part of the effective MACs of the same steps at FW8/BW8."""
    return 1 - trace.effective_macs / trace.at(EIGHT).effective_macs


def _sizes() -> list[Figure]:
    found = []
    for model in DEPTHS:
        trace = fixed_trace(model)
        name = f"ResNet-{model.removeprefix('resnet')}"
        macs = float(sum(each.geometry.macs for each in layers_of(model, CIFAR)))
        found += [
            Figure(
                f"forward MACs of an image, {name}",
                Unit.COUNT,
                macs,
                FORWARD_MACS.get(model),
                command=f"fractrain trace {model}:8,8,8",
            ),
            Figure(
                f"effective MACs of {STEPS:,} steps of {BATCH} images at FW8/BW8, {name}",
                Unit.COUNT,
                STEPS * trace.effective_macs,
                FW8BW8_MACS.get(model),
                command=trace.command,
            ),
        ]
    return found


def _formula() -> list[Figure]:
    return [
        Figure(
            f"cost of FW8/BW{bits}",
            Unit.COST,
            cost_in_percent(Precision(8, 8, bits)),
            claimed,
            command=f"fractrain trace resnet8:8,8,{bits}",
        )
        for bits, claimed in ((8, 6.25), (16, 10.42))
    ]


def _saving(setting: Setting) -> Figure:
    trace = published_trace(setting, FRACTRAIN)
    return Figure(
        f"saved in a step, FracTrain, {setting.text}",
        Unit.PERCENT,
        saved(trace),
        1 - setting.cp(FRACTRAIN) / setting.cp(STATIC),
        command=trace.command,
        about=f"{DERIVED}; its own length is {setting.length(FRACTRAIN):.2f} of the static run's",
        main=True,
    )


def _deeper(setting: Setting, claimed: float) -> Figure:
    shallower = Setting("resnet74", setting.data)
    mix = mixes.narrow_mix(mixes.PUBLISHED_CANDIDATES, shallower.cp(FRACTRAIN))
    trace = mix_trace(setting.model, mix)
    ours = saved(trace)
    return Figure(
        f"saved in a step, FracTrain, {setting.text}",
        Unit.PERCENT,
        ours,
        claimed,
        command=trace.command,
        about="claimed: of totals, which implies a run "
        f"{(1 - claimed) / (1 - ours):.2f} times as long as the static one",
    )


def backward_8(inputs: Inputs) -> Claim:
    """DFQ with at most 8 bits backward."""
    figures = []
    for key, claimed in BACKWARD_8.items():
        setting = Setting(*key)
        mix = mixes.narrow_mix(BACKWARD_8_CANDIDATES, 3.0)
        trace = mix_trace(setting.model, mix)
        part = saved(trace)
        figures.append(
            Figure(
                f"saved in a step, DFQ at its target of cp 3 %, {setting.text}",
                Unit.PERCENT,
                part,
                claimed.saved,
                command=trace.command,
                about="claimed: of totals, which implies a run "
                f"{(1 - claimed.saved) / (1 - part):.2f} times as long",
                main=True,
            )
        )
        figures.append(
            Figure(
                f"test accuracy gained over FW8/BW8, {setting.text}",
                Unit.POINTS,
                None,
                claimed.ours - claimed.eight,
                Source.QUOTED,
                about="64,000 steps: not run here",
            )
        )
    ours = inputs.fractrain
    if ours is not None:
        figures.append(
            Figure(
                f"most bits of errors in any block and step, our run {ours.name}",
                Unit.COUNT,
                float(max(bits.error for each in ours.stretches for bits in each.bits)),
                8.0,
                Source.MEASURED,
                ours.command,
                about="hardware mode has no candidate above 8 bits backward",
                main=True,
            )
        )
    return Claim(
        "backward-8",
        "At most 8 bits backward",
        "Without candidates above 8 bits for errors, DFQ on ResNet-74 keeps its accuracy and still "
        "saves 37.3 and 43.7 % of the effective MACs of FW8/BW8.",
        Status.PARTLY,
        f"With the candidates (3,6), (4,6), (4,8), (6,8) a target of cp 3 % can be met, and a step "
        f"then saves {Unit.PERCENT.text(figures[0].value)}. "
        "The accuracy takes runs of 64,000 steps and is quoted.",
        figures,
        [
            "The claimed savings are of totals; that they are smaller than a step's means that "
            "those runs were longer than the static ones.",
            "Our runs in integers have these limits from the start: candidates 4/4/6, 5/5/6, 6/6/6 "
            "and 8/8/8.",
        ],
        ["the mean cost of the run: its target, cp 3 %"],
    )


def deep(models: Models) -> Claim:
    """Networks of 74 to 164 layers on the machines."""
    figures = []
    for model in DEEP:
        mix = mixes.narrow_mix(
            mixes.PUBLISHED_CANDIDATES, Setting("resnet74", "cifar100").cp(FRACTRAIN)
        )
        trace = mix_trace(model, mix)
        for contender in (BIT_FUSION, EYERISS[0], RECURSIVE):
            result = models.of(contender, trace)
            figures.append(
                Figure(
                    f"a step of {BATCH} images, ResNet-{model.removeprefix('resnet')}, "
                    f"{contender.label}",
                    Unit.SECONDS,
                    result.cost.total.seconds,
                    command=trace.command,
                )
            )
    return Claim(
        "deep",
        "Networks of up to 164 layers, 100 classes",
        "The method holds for ResNet-110 and ResNet-164, on CIFAR-10 and CIFAR-100.",
        Status.PARTLY,
        "ResNet-74, 110, 152 and 164 train here for a few steps with 100 classes (in a test), "
        "and are "
        "modelled on every machine in seconds; whether they keep their accuracy takes 64,000 "
        "steps.",
        figures,
    )
