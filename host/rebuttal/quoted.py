"""Claims about data and accuracy, and those that take a board or chips: most of it quoted."""

from __future__ import annotations

from fractrain.host.rebuttal.claim import Claim, Figure, Status, Unit
from fractrain.host.rebuttal.inputs import Inputs, accuracy, run_command
from fractrain.host.rebuttal.macs import saved
from fractrain.host.rebuttal.published import BACKWARD_8, DEEPER, Setting
from fractrain.host.reports.published import ON_ZC706
from fractrain.host.reports.quantities import Source, percent
from fractrain.sim.machines import QUOTED

CIFAR_TRAIN, CIFAR_TEST = 50_000, 10_000


def standard_split(inputs: Inputs) -> Claim:
    """50,000 images to train, 10,000 to test."""
    figures = []
    for trace in inputs.traces.values():
        source = trace.source
        if source.get("epochs"):
            figures.append(
                Figure(
                    f"training images of an epoch, our run {trace.name}",
                    Unit.COUNT,
                    trace.steps * trace.batch / float(source["epochs"]),
                    float(CIFAR_TRAIN // trace.batch * trace.batch),
                    Source.MEASURED,
                    run_command(trace),
                    "whole batches of 50,000 images",
                )
            )
        if source.get("test_images"):
            figures.append(
                Figure(
                    f"test images, our run {trace.name}",
                    Unit.COUNT,
                    float(source["test_images"]),
                    float(CIFAR_TEST),
                    Source.MEASURED,
                    run_command(trace),
                )
            )
    met = figures and all(each.difference == 0 for each in figures)
    return Claim(
        "split",
        "The standard split",
        "Training is on the 50,000 training images of CIFAR, accuracy on the 10,000 test images.",
        Status.CHECKED if figures else Status.QUOTED,
        f"{'All' if met else 'Not all'} of {len(inputs.traces)} runs here have it."
        if figures
        else "No run is in docs/results.",
        figures,
        ["The published accuracy is the best over a run; our tables have the last and the best."],
    )


def accuracies(inputs: Inputs) -> Claim:
    """Accuracy after 64,000 steps: quoted, with our shorter runs beside it."""
    figures = []
    for table in (DEEPER, BACKWARD_8):
        for key, each in table.items():
            what = "FracTrain" if table is DEEPER else "DFQ, 8 bits backward"
            figures.append(
                Figure(
                    f"{what} over FW8/BW8, {Setting(*key).text}",
                    Unit.POINTS,
                    None,
                    each.ours - each.eight,
                    Source.QUOTED,
                    about=f"{each.eight:.2f} → {each.ours:.2f} %",
                )
            )
    figures += [
        Figure(
            f"test accuracy, our run {trace.name}: {trace.model}, {trace.steps:,.0f} steps",
            Unit.ACCURACY,
            accuracy(trace),
            source=Source.MEASURED,
            command=run_command(trace),
            about=f"effective MACs saved {100 * saved(trace):.1f} %",
            main=True,
        )
        for trace in inputs.traces.values()
        if accuracy(trace) is not None
    ]
    longest = max((each.steps for each in inputs.traces.values()), default=0)
    said = "".join(
        f" In ours, {ours.name} ends at {here:.2f} % and {static.name}, the same at 8 bits, at "
        f"{eight:.2f} %, with {percent(saved(ours))} of the effective MACs saved."
        for ours, static in inputs.pairs
        if (here := accuracy(ours)) is not None and (eight := accuracy(static)) is not None
    )
    return Claim(
        "accuracy",
        "Accuracy of deeper networks",
        "FracTrain keeps or raises the accuracy of FW8/BW8 on ResNet-110 and ResNet-164.",
        Status.QUOTED,
        "A run of 64,000 steps of ResNet-110 takes weeks on the computers that this project has; "
        "the claim is quoted. Beside it are our own runs, of a smaller network, and shorter."
        + said,
        figures,
        [f"Ours have {longest:,.0f} steps at most: differences below a point are noise."],
    )


def watts() -> Claim:
    """Measured energy: not here."""
    return Claim(
        "watts",
        "Measured energy",
        "The rebuttal gives the energy that the authors' ZC706 design saves, on a real board.",
        Status.QUOTED,
        "Nothing here has seen a board, so joules are modelled. With one, `fractrain board "
        "power` measures "
        "them. Whether the published ones are measured is not said.",
        [
            Figure(
                f"energy saved, {Setting('resnet38', 'cifar100').text}",
                Unit.PERCENT,
                None,
                ON_ZC706["cifar100", "resnet38"][1],
                Source.QUOTED,
                about="modelled figures: the section on the ZC706",
            )
        ],
    )


def asics() -> Claim:
    """Chips that train at several precisions: quoted."""
    return Claim(
        "asics",
        "Training chips",
        "(No claim of the rebuttal: published chips that train at several precisions.)",
        Status.QUOTED,
        "Their figures are those of their authors, each under conditions of its own.",
        [
            Figure(
                f"{each.machine}: {each.what}{', at least' if each.least else ''}",
                Unit(each.unit),
                each.value,
                source=Source.QUOTED,
                about=each.source,
            )
            for each in QUOTED
            if each.unit != "GOPS"
        ],
    )
