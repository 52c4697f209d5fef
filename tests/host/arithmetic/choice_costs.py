"""What the choices of docs/numerics.md cost, measured on a network in training.

    python -m tests.host.arithmetic.choice_costs --dataset cifar10-jpeg.tar.xz

trains a ResNet-20 in hardware mode, 400 steps of 64 images at 8/8/8, all options the defaults of
`fractrain train`; after the steps ``--at`` it looks at the mini-batch that comes next, and at the
end it prints the tables of the section "What each choice costs": seven minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fractrain.host.accelerator import open_accelerator
from fractrain.host.arithmetic import IntegerStep
from fractrain.host.arithmetic.step_values import Errors, Kept, Narrowed
from fractrain.host.datasets import load_dataset
from fractrain.host.execution import Executor, Run
from fractrain.host.graph import operations as ops
from fractrain.host.graph.operations import Operation
from fractrain.host.process.blas import single_threaded_blas
from fractrain.host.runs.options import RunOptions
from fractrain.host.runs.setup import build_arithmetic, build_recipe, prepare
from fractrain.host.training.trainer import StepReport, Trainer
from fractrain.hw.contract.normalized import WIDE, Format, inner_format, outer_format
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.tables import markdown_table
from fractrain.sim import progress
from tests.host.arithmetic.norm_costs import Norm, reach

SEED = 0
"""Of the bits that errors are rounded with; the run has its own."""

FORMED = (
    *((8, inner_format(8)), (8, inner_format(8, 3)), (8, inner_format(11)), (8, WIDE)),
    *((4, inner_format(7)), (4, inner_format(7, 3)), (4, WIDE)),
)
"""Bits of activations, and the form of x̂ that they are made from."""
KEPT = (
    *(inner_format(11), inner_format(8), inner_format(7)),
    *(outer_format(8), outer_format(6), outer_format(4), inner_format(4)),
)
"""Forms of x̂ for the way back."""
ROUNDED = (12, 8, 6)
"""Bits of errors."""
QUANTILES = (0.5, 0.9, 0.99, 1.0)

RANGES: dict[type[Operation], str] = {
    ops.Narrow: "sums",
    ops.Form: "z",
    ops.Join: "Σ parts",
    ops.Apply: "W",
}
"""What the range of an operation is the greatest magnitude of."""


@dataclass
class Growth:
    """Ratios of the greatest magnitudes of a step and of the step before, by what they are of."""

    kinds: dict[str, str]
    """Of each range, by its name."""
    ratios: dict[str, list[float]] = field(default_factory=dict)
    _before: dict[str, float] = field(default_factory=dict)

    def add(self, now: dict[str, float]) -> None:
        """The ranges after a step."""
        for name, before in self._before.items():
            if before and name in now:  # 0: no range yet
                self.ratios.setdefault(self.kinds[name], []).append(now[name] / before)
        self._before = dict(now)


class Observed:
    """Collects the batch norms of a step while it is carried out."""

    def __init__(self) -> None:
        self.norms: list[Norm] = []
        self._narrowed: dict[str, Narrowed] = {}
        self._betas: dict[str, np.ndarray] = {}

    def __call__(self, operation: Operation, run: Run) -> None:
        if isinstance(operation, ops.Form):
            for y, beta, kept in zip(operation.ys, operation.betas, operation.kept, strict=True):
                self._narrowed[kept.name] = run.value(y)
                self._betas[kept.name] = run.value(beta)
        if isinstance(operation, ops.Apply):
            self.norms.append(self._norm(operation, run))

    def _norm(self, apply: ops.Apply, run: Run) -> Norm:
        arithmetic = run.arithmetic
        assert isinstance(arithmetic, IntegerStep)
        kept: Kept = run.value(apply.kept)
        errors: Errors = run.value(apply.e)
        narrowed = self._narrowed.pop(apply.kept.name)
        extent = arithmetic.history.extent(apply.range_name)
        errors_bits = run.bits(apply.q)
        assert extent is not None and errors_bits is not None
        images, _, height, width = apply.e.shape
        to_host = arithmetic.math.to_host
        return Norm(
            apply.name.removesuffix(".back"),
            np.asarray(to_host(narrowed.y), np.int64),
            arithmetic.integers.chunk(images, height, width),
            kept.by,
            narrowed.step,
            kept.form,
            np.ravel(run.value(apply.gamma)).copy(),
            np.ravel(self._betas.pop(apply.kept.name)).copy(),
            np.asarray(to_host(errors.e), np.int64),
            2.0**errors.exponent,
            extent * arithmetic.integers.error_range[errors_bits - 1],
        )


def observe(given: RunOptions, trainer: Trainer, observed: Observed) -> list[Norm]:
    """The batch norms of the step that comes next, which leaves no trace in the run."""
    running, plan, dataset = trainer.arithmetic, trainer.plan, trainer.dataset
    arithmetic = build_arithmetic(given, trainer.accelerator, dataset)
    arithmetic.load(running.state())
    selector = trainer.method.selector
    executor = Executor(trainer.step_graph, trainer.network, arithmetic, selector, observed)
    epoch, first = divmod(trainer.step, dataset.steps_per_epoch(plan.batch))
    batches = dataset.epoch(
        plan.batch, seed=plan.seed, epoch=epoch, first=first, numbers=arithmetic.numbers
    )
    images, labels = (trainer.accelerator.elementwise.from_host(each) for each in next(batches))
    run = executor.forward(
        {"images": images, "labels": labels}, arithmetic.rounding(plan.seed, trainer.step)
    )
    executor.backward(run)
    return observed.norms


# -- tables --------------------------------------------------------------------------------


def _text(form: Format) -> str:
    return f"{form.bits} bits, ±{reach(form)}σ"


def _mean_and_worst(found: Iterable[float], digits: int) -> str:
    values = list(found)
    return f"{np.mean(values):.{digits}f}, {max(values):.{digits}f}"


def outliers(norms: Sequence[Norm]) -> str:
    """Shares of x̂, exact, beyond 4σ and 8σ, by the part of the network."""
    rows = []
    for stage in dict.fromkeys(each.stage for each in norms[::-1]):
        found = np.concatenate([each.deviations().ravel() for each in norms if each.stage == stage])
        shares = (f"{100 * np.mean(found > limit):.4f} %" for limit in (4, 8))
        rows.append([stage, *shares, f"{found.max():.1f}σ"])
    return markdown_table(["", "beyond 4σ", "beyond 8σ", "greatest"], rows)


def formed(norms: Sequence[Norm]) -> str:
    """Errors of rectified activations, by the form of x̂."""
    rows = [
        [
            str(bits),
            _text(form),
            _mean_and_worst((each.activations_error(form, bits) for each in norms), 3),
        ]
        for bits, form in FORMED
    ]
    return markdown_table(["a", "x̂", "mean, worst"], rows)


def kept(norms: Sequence[Norm]) -> str:
    """Errors of dx before rounding, by the form of x̂."""
    rows = [
        [_text(form), _mean_and_worst((each.error_error(form) for each in norms), 4)]
        for form in KEPT
    ]
    return markdown_table(["x̂", "mean, worst"], rows)


def rounded(norms: Sequence[Norm]) -> str:
    """What rounding errors at random adds, by their bits."""
    rows = []
    for bits in ROUNDED:
        found = [each.rounding_error(bits, SEED) for each in norms]
        rows.append([str(bits), _mean_and_worst(found, 3)])
    return markdown_table(["e", "mean, worst"], rows)


def saturation(step: int, norms: Sequence[Norm], bits: int) -> list[str]:
    """The greatest A and B̄ of all batch norms, as shares of what saturates."""
    found = [each.saturation(bits) for each in norms]
    return [str(step), *(f"{max(column):.3f}" for column in zip(*found, strict=True))]


def growth(found: Growth) -> str:
    """Quantiles of the growth from a step to the next."""
    rows = [
        [kind, *(f"{each:.2f}" for each in np.quantile(found.ratios[kind], QUANTILES))]
        for kind in RANGES.values()
    ]
    heads = [f"{100 * each:g} %" for each in QUANTILES[:-1]]
    return markdown_table(["", *heads, "all"], rows)


# -- the run -------------------------------------------------------------------------------


def report(given: RunOptions, at: Sequence[int]) -> str:
    """Train, and look after the steps ``at`` and at the end: the tables, in Markdown."""
    dataset = load_dataset(given.dataset)
    work = prepare(given, build_recipe(given, {}), dataset)
    precision: Precision = given.method_options["precision"]
    say = progress.work()
    with open_accelerator(given.backend) as accelerator, single_threaded_blas():
        arithmetic = build_arithmetic(given, accelerator, work.dataset)
        trainer = Trainer(
            work.network, work.dataset, accelerator, work.method, work.plan, arithmetic
        )
        kinds = {
            each.range_name: RANGES[type(each)]
            for each in trainer.step_graph.operations
            if isinstance(each, ops.Narrow | ops.Form | ops.Join | ops.Apply)
        }
        grown, shares, stages = Growth(kinds), [], []
        norms: list[Norm] = []

        def follow(step: StepReport) -> None:
            grown.add(arithmetic.state())
            say(f"step {step.step} of {work.plan.steps}, loss {step.loss:.3f}")

        for until in sorted({*at, work.plan.steps}):
            trainer.train(follow, until=until)
            norms = observe(given, trainer, Observed())
            shares.append(saturation(until, norms, precision.error))
            stages.append(f"Shares of x̂ after step {until}:\n\n{outliers(norms)}")
    say("")
    return "\n\n".join(
        [
            f"{given.model} at {precision}, {work.plan.steps} steps of {work.plan.batch} images, "
            f"seed {work.plan.seed}, {len(norms)} batch norms",
            *stages,
            f"Rectified activations, after step {work.plan.steps}:\n\n{formed(norms)}",
            f"dx before rounding, after step {work.plan.steps}:\n\n{kept(norms)}",
            f"Rounding it at random, after step {work.plan.steps}:\n\n{rounded(norms)}",
            "The greatest A and B̄, as shares of what saturates:\n\n"
            + markdown_table(["after step", "A", "B̄"], shares),
            f"The greatest magnitudes over those of the step before:\n\n{growth(grown)}",
        ]
    )


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--at", type=int, nargs="*", default=[30, 100, 200])
    parser.add_argument("--precision", type=Precision.parse, default=Precision(8, 8, 8))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not all(1 <= each <= args.steps for each in args.at):
        parser.error(f"--at: steps 1..{args.steps}")
    given = RunOptions(
        dataset=args.dataset,
        model=args.model,
        backend=args.backend,
        batch=args.batch,
        steps=args.steps,
        seed=args.seed,
        method="static",
        method_options={"precision": args.precision},
    )
    print(report(given, args.at))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
