"""`fractrain train`: a network trained through the accelerator, and what came of it."""

from __future__ import annotations

import argparse
import time
from typing import Any

from host.accelerator import open_accelerator
from host.cli.blas import single_threaded_blas
from host.cli.output import progress
from host.cli.train_options import (
    DEFAULT_EPOCHS,
    DESCRIPTION,
    EPILOG,
    add_options,
    build_arithmetic,
    build_recipe,
    check_numbers,
    evaluation_limit,
)
from host.cli.train_progress import open_progress
from host.datasets import Dataset, load_dataset
from host.networks.resnet import build_network
from host.random_streams import Stream, generator
from host.training.run_directory import RunDirectory
from host.training.summary import summarize
from host.training.trainer import Plan, Trainer


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``train`` and its options."""
    parser = subparsers.add_parser(
        "train",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train, show the results, keep them."""
    check_numbers(args)
    recipe = build_recipe(args)
    say = progress()
    say(f"reading {args.dataset}")
    try:
        dataset = load_dataset(args.dataset)
    finally:
        say("")
    network = build_network(
        args.model,
        channels=dataset.channels,
        classes=dataset.classes,
        rng=generator(args.seed, Stream.WEIGHTS),
        group=args.bn_group,
    )
    plan = _plan(args, dataset)
    size = dataset.train_images.shape[2:]
    method = recipe.build(
        steps_per_epoch=dataset.steps_per_epoch(args.batch),
        widths=[block.channels for block in network.blocks],
        macs=network.block_macs((size[0], size[1])),
        per_sample=args.mode == "reference",
        rng=generator(args.seed, Stream.GATES),
    )
    directory = _reserve(args, dataset.name)
    try:
        with open_accelerator(args.backend, config=args.config) as accelerator:
            arithmetic = build_arithmetic(args, accelerator)
            trainer = Trainer(network, dataset, accelerator, method, plan, arithmetic)
            summary = _train(args, trainer)
        path = directory.finish(summary)
    except BaseException:  # an interruption too: nothing is left behind
        directory.discard()
        raise
    _print_table(summary)
    print(f"\n{path}")
    return 0


def _plan(args: argparse.Namespace, dataset: Dataset) -> Plan:
    per_epoch = dataset.steps_per_epoch(args.batch)
    return Plan(
        steps=args.steps or per_epoch * (args.epochs or DEFAULT_EPOCHS),
        batch=args.batch,
        seed=args.seed,
        learning_rate=args.lr,
        learning_rate_schedule=args.lr_schedule,
        momentum=args.momentum,
        weight_decay=args.weight_decay,
        bn_group=args.bn_group,
    )


def _reserve(args: argparse.Namespace, dataset: str) -> RunDirectory:
    if args.name is not None:
        return RunDirectory.reserve(args.out, args.name, overwrite=args.overwrite)
    name = f"{dataset}-{args.model}-{args.method}-{args.backend}-seed{args.seed}"
    return RunDirectory.reserve_similar(args.out, name)


def _train(args: argparse.Namespace, trainer: Trainer) -> dict[str, Any]:
    """Train and evaluate; returns the summary."""
    started = time.monotonic()
    limit = evaluation_limit(args)
    with single_threaded_blas():
        with open_progress(trainer.plan.steps) as shown:
            trainer.train(shown.update)
        trained = time.monotonic()
        accuracy = trainer.evaluate(limit)
    summary = summarize(
        trainer,
        backend=args.backend,
        config=args.config,
        test_accuracy=accuracy,
        test_images=len(trainer.dataset.test_images[:limit]),
    )
    summary["seconds"] = {
        "training": round(trained - started, 3),
        "evaluation": round(time.monotonic() - trained, 3),
    }
    return summary


def _print_table(summary: dict[str, Any]) -> None:
    """The results, one per line."""
    stages = [_describe_stage(stage) for stage in summary["stages"]]
    rows = {
        "test accuracy": f"{summary['test_accuracy']:.2f} % of {summary['test_images']} images",
        "stages visited": f"{len(stages)} of {summary['stages_planned']}:",
        "": "\n".join(stages),
        "effective MACs": f"{summary['effective_macs']:.4g}",
        "at FW8/BW8": f"{summary['effective_macs_fw8bw8']:.4g}",
        "saving": f"{100 * summary['saving']:.1f} %",
        "time": f"{summary['seconds']['training']:.1f} s for {summary['steps']} steps",
        "weights SHA-256": f"{summary['weights_sha256'][:16]}…",
    }
    if cycles := summary["counters"]["cycles"]:
        busy = 100 * summary["counters"]["busy_cycles"] / cycles
        rows["RTL cycles"] = f"{cycles:,} (measured), array busy in {busy:.1f} %"
    print()
    for name, value in rows.items():
        for line in value.split("\n"):
            print(f"  {name:<16}  {line}")


def _describe_stage(stage: dict[str, Any]) -> str:
    if "target_cp" in stage:
        what = f"cp {stage['target_cp']:g} % aimed at"
    else:
        what = f"{stage['activation']}/{stage['weight']}/{stage['error']} bits a/w/e"
    return f"{what} from step {stage['first_step']}, after {stage['first_epoch']} epochs"
