"""`fractrain train`: a network trained through the accelerator, and what came of it."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.cli.report import as_seen_from_here, write_report
from fractrain.host.cli.run_name import run_name
from fractrain.host.cli.train_checks import check_options
from fractrain.host.cli.train_options import DESCRIPTION, EPILOG, add_options
from fractrain.host.cli.train_progress import open_progress
from fractrain.host.cli.train_results import results, savings
from fractrain.host.cli.train_resume import compare, restore
from fractrain.host.cli.train_setup import (
    Work,
    build_arithmetic,
    build_recipe,
    choose_config,
    prepare,
    recipe_fields,
    record,
    unused_fields,
)
from fractrain.host.datasets import Dataset, load_dataset
from fractrain.host.datasets.wording import shown
from fractrain.host.files.outputs import progress
from fractrain.host.process.blas import single_threaded_blas
from fractrain.host.process.stopping import StopSignals
from fractrain.host.training.meter import Meter
from fractrain.host.training.run import Run
from fractrain.host.training.run_directory import CONFIG, SUMMARY, RunDirectory
from fractrain.host.training.run_record import describe
from fractrain.host.training.trainer import Trainer
from fractrain.hw.contract.errors import FractrainError


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
    """Train, or go on training; show the results, keep them."""
    with StopSignals() as stop:
        return _begin(args, stop) if args.resume is None else _resume(args, stop)


def _begin(args: argparse.Namespace, stop: StopSignals) -> int:
    check_options(args)
    choose_config(args)
    given = recipe_fields(args)
    recipe = build_recipe(args, given)
    if unused := unused_fields(args, given):
        _note(f"--method {args.method} does not read {', '.join(unused)} of recipe {args.recipe}")
    work = prepare(args, recipe, _load(args.dataset))
    with contextlib.closing(_reserve(work)) as directory:
        return _train(work, directory, stop)


def _resume(args: argparse.Namespace, stop: StopSignals) -> int:
    with contextlib.closing(RunDirectory.reopen(args.resume, args.out)) as directory:
        config = directory.read_config()
        recipe = restore(args, config, directory.path / CONFIG)
        check_options(args)
        if directory.finished:
            print(f"{directory.path} is finished: nothing is left to do")
            return 0
        if (directory.path / SUMMARY).exists():
            _note(f"{directory.path / SUMMARY} is damaged: it is written anew")
        work = prepare(args, recipe, _load(args.dataset))
        return _train(work, directory, stop, config)


def _train(
    work: Work, directory: RunDirectory, stop: StopSignals, recorded: dict[str, Any] | None = None
) -> int:
    """Train from the beginning, or where the run ``recorded`` in the directory was left."""
    args, plan = work.args, work.plan
    with open_accelerator(args.backend, config=args.config, device=args.device) as accelerator:
        arithmetic = build_arithmetic(args, accelerator)
        trainer = Trainer(
            work.network, work.dataset, accelerator, work.method, plan, arithmetic, work.cost_model
        )
        config = describe(trainer, record(work))
        if recorded is not None:
            for note in compare(recorded, config, directory.path / CONFIG):
                _note(note)
        training = Run(
            trainer,
            directory,
            recorded or config,
            work.cadence,
            stop,
            log_programs=args.log_programs,
            meter=_meter(args, accelerator),
        )
        if recorded is not None:
            training.resume(_note)
            print(f"going on after {trainer.step} of {plan.steps} steps", flush=True)
        with single_threaded_blas(), open_progress(plan.steps, trainer.step) as shown:
            summary = training.execute(shown)
    print(f"\n{results(summary)}\n\n{savings(summary)}\n\n{directory.path / SUMMARY}")
    if page := _report(directory.path):
        print(as_seen_from_here(page))
    return 0


def _meter(args: argparse.Namespace, accelerator: Accelerator) -> Meter | None:
    """What measures power, if that was asked for."""
    if args.power is None:
        return None
    from fractrain.host.backends.board import BoardAccelerator
    from fractrain.host.board.power.log import PowerLog
    from fractrain.host.board.power.record import what_is_known
    from fractrain.host.board.power.sampler import PowerSampler

    assert isinstance(accelerator, BoardAccelerator), "train_checks.check_options has seen to it"
    sampler = PowerSampler(accelerator.device.system, args.power)
    if not sampler.rails:
        _note(f"power: {what_is_known(sampler.channels, sampler.rails)}")
    return PowerLog(sampler)


def _load(name: str) -> Dataset:
    say = progress()
    say(f"reading {shown(name)}")
    try:
        dataset = load_dataset(name)
    finally:
        say("")
    for each in dataset.notes:
        _note(f"{shown(name)}: {each}")
    return dataset


def _reserve(work: Work) -> RunDirectory:
    args = work.args
    if args.name is not None:
        return RunDirectory.reserve(args.out, args.name, overwrite=args.overwrite)
    return RunDirectory.reserve_similar(args.out, run_name(args, work.recipe, work.dataset.name))


def _note(text: str) -> None:
    print(f"fractrain: note: {text}", file=sys.stderr)


def _report(folder: Path) -> Path | None:
    """Write the run's HTML page; None, and a line that says why, if that cannot be: the results
    are in the folder already."""
    try:
        # by its path: a folder of the same name may be here
        return write_report([str(folder.absolute())], folder.parent)
    except FractrainError as error:
        _note(f"no HTML report: {error}")
        return None
