"""Claims about the method: its settings, its blocks, its gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fractrain.host.machines.comparison import BIT_FUSION, PACKED, RECURSIVE
from fractrain.host.machines.mixes import cost_in_percent
from fractrain.host.machines.trace import Stretch, Trace
from fractrain.host.rebuttal.claim import Claim, Figure, Status, Unit
from fractrain.host.rebuttal.inputs import Inputs, accuracy, run_command
from fractrain.host.rebuttal.macs import saved
from fractrain.host.rebuttal.models import Models
from fractrain.host.reports.quantities import Source

SWEEP_COMMAND = "fractrain sweep configs/sweeps/rebuttal.yaml"


def sensitivity(inputs: Inputs) -> Claim:
    """PFQ under other ε, α and schedules."""
    points = sweep_points(inputs.sweep)
    figures = [
        figure
        for name, (accuracies, savings) in points.items()
        for figure in (
            Figure(
                f"test accuracy, {name}",
                Unit.ACCURACY,
                sum(accuracies) / len(accuracies),
                source=Source.MEASURED,
                command=SWEEP_COMMAND,
                about=f"mean of {len(accuracies)} seeds: "
                + ", ".join(f"{each:.2f}" for each in accuracies),
                main=True,
            ),
            Figure(
                f"effective MACs saved, {name}",
                Unit.PERCENT,
                sum(savings) / len(savings),
                command=SWEEP_COMMAND,
            ),
        )
    ]
    progressive = {name: each for name, each in points.items() if name.startswith("PFQ")}
    finding = "The sweep has not been run: docs/results/rebuttal/sweep.json is missing."
    if progressive:
        means = [sum(each) / len(each) for each, _ in progressive.values()]
        apart = max(max(each) - min(each) for each, _ in points.values())
        finding = (
            f"Over {len(progressive)} settings the mean accuracy goes from {min(means):.2f} to "
            f"{max(means):.2f} %, where two seeds of one setting are up to {apart:.2f} points "
            "apart. What is saved does depend on the settings, as they decide when precision rises."
        )
    return Claim(
        "sensitivity",
        "PFQ under other ε, α and schedules",
        "The accuracy of progressive quantization does not depend on the indicator's ε and α nor "
        "on "
        "the schedule of precisions.",
        Status.PARTLY if progressive else Status.QUOTED,
        finding,
        figures,
        [
            "ResNet-8 on 1,797 handwritten digits, 220 steps: small enough for anyone to run, and "
            "no stand-in for CIFAR. configs/sweeps/ablation.yaml is the large one."
        ],
        ["network, data and length of the sweep"],
    )


def sweep_points(sweep: Mapping[str, Any]) -> dict[str, tuple[list[float], list[float]]]:
    """Accuracies in percent and savings of the seeds of each setting."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for point in sweep.get("points", ()):
        saving = point["costs"].get("effective_macs", {}).get("saving")
        if point["test_accuracy"] is None or saving is None:
            continue
        accuracies, savings = found.setdefault(_point_name(point["settings"]), ([], []))
        accuracies.append(float(point["test_accuracy"]))
        savings.append(float(saving))
    return found


def _point_name(settings: Mapping[str, Any]) -> str:
    if settings["method"] == "static":
        return "static " + "/".join(map(str, settings["precision"]))
    forward, backward = (
        "-".join(map(str, settings[f"schedule_{each}"])) for each in ("forward", "backward")
    )
    return f"PFQ, ε {settings['epsilon']:g}, α {settings['alpha']:g}, {forward} / {backward}"


def one_precision(models: Models, inputs: Inputs) -> Claim:
    """One precision for a whole block, on machines that are bit-parallel."""
    trace, figures = inputs.dynamic, []
    finding = "No run with gates and its trace is in docs/results."
    if trace is not None:
        whole = replace(trace, name=f"{trace.name}, one precision a step", stretches=widest(trace))
        for contender in (RECURSIVE, PACKED, BIT_FUSION):
            for name, each in (("block by block", trace), ("the widest of each step", whole)):
                figures.append(
                    Figure(
                        f"latency saved, {contender.label}, {name}",
                        Unit.PERCENT,
                        models.of(contender, each).seconds_saved,
                        command=trace.command,
                        about=f"our run {trace.name}",
                        main=contender is RECURSIVE,
                    )
                )
        changes = sum(
            each.steps * sum(a != b for a, b in zip(each.bits, each.bits[1:], strict=False))
            for each in trace.stretches
        )
        figures.append(
            Figure(
                "changes of precision from block to block, in a forward pass",
                Unit.COUNT,
                changes / trace.steps,
                source=Source.MEASURED,
                command=trace.command,
                about=f"mean over {trace.steps:,.0f} steps, of {trace.blocks - 1} possible",
            )
        )
        by_block, by_step = (figures[each].value or 0 for each in (0, 1))
        finding = (
            f"On our run {trace.name} a bit-parallel array of DSPs saves "
            f"{100 * by_block:.1f} % of the time with a precision for each block, and "
            f"{100 * by_step:.1f} % if a step must have one precision for the whole network. In a "
            f"pass through {trace.blocks} blocks the precision changes {changes / trace.steps:.1f} "
            "times."
        )
    return Claim(
        "one-precision",
        "One precision for a block",
        "Precision is chosen for a block, several layers, so machines with bit-parallel "
        "multipliers "
        "gain, too, and rarely have to change.",
        Status.CHECKED if trace is not None else Status.QUOTED,
        finding,
        figures,
        [
            "What such a machine gains depends on how its multipliers split: 5 and 6 bits cost as "
            "much as 8 on a DSP and on Bit Fusion, so part of what our candidates 5/5/6 and 6/6/6 "
            "save is lost on them."
        ],
    )


def widest(trace: Trace) -> tuple[Stretch, ...]:
    """Every block of a step at the precision of the dearest of them."""
    return tuple(
        Stretch(each.steps, (max(each.bits, key=cost_in_percent),) * len(each.bits))
        for each in trace.stretches
    )


def mini_batch_gates(inputs: Inputs) -> Claim:
    """Gates that decide once for a mini-batch."""
    trace, figures = inputs.fractrain, []
    finding = "No run with gates and its trace is in docs/results."
    if trace is not None:
        chosen = {bits for each in trace.stretches for bits in each.bits}
        vectors = {each.bits for each in trace.stretches}
        figures = [
            Figure(
                f"choices of a precision, each for a whole batch, our run {trace.name}",
                Unit.COUNT,
                trace.blocks * trace.steps,
                source=Source.MEASURED,
                command=trace.command,
                about=f"among {len(chosen)} precisions, {len(vectors)} different rows of them; a "
                "trace refuses runs whose images have choices of their own",
            ),
            Figure(
                f"test accuracy with gates for each batch, our run {trace.name}",
                Unit.ACCURACY,
                accuracy(trace),
                source=Source.MEASURED,
                command=run_command(trace),
                about="gates decide per mini-batch in this evaluation, too",
                main=True,
            ),
            Figure(
                f"effective MACs saved, our run {trace.name}",
                Unit.PERCENT,
                saved(trace),
                command=trace.command,
                main=True,
            ),
        ]
        static = inputs.static
        if static is not None:
            figures.insert(
                2,
                Figure(
                    f"test accuracy of FW8/BW8, our run {static.name}",
                    Unit.ACCURACY,
                    accuracy(static),
                    source=Source.MEASURED,
                    command=run_command(static),
                    about=f"{static.steps:,.0f} steps",
                ),
            )
        finding = (
            f"So every run in integers works here: in {trace.name} each of "
            f"{trace.blocks * trace.steps:,.0f} choices holds for its whole batch, only what was "
            "chosen is computed, and the test batches have one choice each, too."
        )
    return Claim(
        "mini-batch-gates",
        "Gates for each mini-batch",
        "Gates decide once for a mini-batch instead of for each image, in training and in "
        "inference, "
        "which suits hardware and costs no accuracy.",
        Status.PARTLY if trace is not None else Status.QUOTED,
        finding,
        figures,
        ["That it costs no accuracy takes full-length runs of both kinds, and is quoted."],
    )
