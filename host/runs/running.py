"""A run from its beginning, or its checkpoint, to its end: what `fractrain train` does."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.datasets import Dataset, load_dataset
from fractrain.host.datasets.wording import shown
from fractrain.host.process.blas import single_threaded_blas
from fractrain.host.process.stopping import StopSignals
from fractrain.host.reports.page_file import as_seen_from_here, write_page
from fractrain.host.runs.checks import check_options
from fractrain.host.runs.display import open_progress
from fractrain.host.runs.naming import run_name
from fractrain.host.runs.options import RunOptions
from fractrain.host.runs.results import results, savings
from fractrain.host.runs.resuming import compare, restore
from fractrain.host.runs.setup import (
    Work,
    build_recipe,
    build_trainer,
    prepare,
    recipe_fields,
    record,
    unused_fields,
    with_config,
)
from fractrain.host.runs.whole_steps import whole_steps
from fractrain.host.training.meter import Meter
from fractrain.host.training.run import Run
from fractrain.host.training.run_directory import CONFIG, SUMMARY, RunDirectory
from fractrain.host.training.run_record import describe
from fractrain.hw.contract.errors import FractrainError
from fractrain.sim.progress import work as work_line

__all__ = ["begin", "go_on"]


def begin(given: RunOptions, stop: StopSignals) -> None:
    """Train; show the results, keep them."""
    check_options(given)
    given = with_config(given)
    fields = recipe_fields(given)
    recipe = build_recipe(given, fields)
    if unused := unused_fields(given, fields):
        _note(f"--method {given.method} does not read {', '.join(unused)} of recipe {given.recipe}")
    work = prepare(given, recipe, _load(given.dataset))
    with contextlib.closing(_reserve(work)) as directory:
        _train(work, directory, stop)


def go_on(given: RunOptions, said: Mapping[str, Any], stop: StopSignals) -> None:
    """Resume the run ``given.resume``; ``said`` as in `restore`."""
    assert given.resume is not None
    with contextlib.closing(RunDirectory.reopen(given.resume, given.out)) as directory:
        config = directory.read_config()
        given, recipe = restore(given, said, config, directory.path / CONFIG)
        check_options(given)
        if directory.finished:
            print(f"{directory.path} is finished: nothing is left to do")
            return
        if (directory.path / SUMMARY).exists():
            _note(f"{directory.path / SUMMARY} is damaged: it is written anew")
        work = prepare(given, recipe, _load(given.dataset))
        _train(work, directory, stop, config)


def _train(
    work: Work, directory: RunDirectory, stop: StopSignals, recorded: dict[str, Any] | None = None
) -> None:
    """Train from the beginning, or resume the run ``recorded`` in the directory."""
    given, plan = work.given, work.plan
    with open_accelerator(given.backend, config=given.config, device=given.device) as accelerator:
        trainer = build_trainer(work, accelerator, _note)
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
            log_programs=given.log_programs,
            meter=_meter(given, accelerator),
        )
        if recorded is not None:
            training.resume(_note)
            print(f"going on after {trainer.step} of {plan.steps} steps", flush=True)
        with single_threaded_blas(), open_progress(plan.steps, trainer.step) as display:
            summary = training.execute(display)
    print(f"\n{results(summary)}\n\n{savings(summary)}\n\n{directory.path / SUMMARY}")
    if page := _report(directory.path):
        print(as_seen_from_here(page), flush=True)
    # last, as it may take a minute: whoever stops here has everything else
    if table := whole_steps(directory.path, given.mode, plan.steps):
        print(f"\n{table}")


def _meter(given: RunOptions, accelerator: Accelerator) -> Meter | None:
    """The power meter, if requested."""
    if given.power is None:
        return None
    from fractrain.host.backends.board import BoardAccelerator
    from fractrain.host.board.power.log import PowerLog
    from fractrain.host.board.power.record import what_is_known
    from fractrain.host.board.power.sampler import PowerSampler

    assert isinstance(accelerator, BoardAccelerator), "check_options has seen to it"
    sampler = PowerSampler(accelerator.device.system, given.power)
    if not sampler.rails:
        _note(f"power: {what_is_known(sampler.channels, sampler.rails)}")
    return PowerLog(sampler)


def _load(name: str) -> Dataset:
    say = work_line()
    say(f"reading {shown(name)}")
    try:
        dataset = load_dataset(name)
    finally:
        say("")
    for each in dataset.notes:
        _note(f"{shown(name)}: {each}")
    return dataset


def _reserve(work: Work) -> RunDirectory:
    given = work.given
    if given.name is not None:
        return RunDirectory.reserve(given.out, given.name, overwrite=given.overwrite)
    return RunDirectory.reserve_similar(given.out, run_name(given, work.recipe, work.dataset.name))


def _note(text: str) -> None:
    print(f"fractrain: note: {text}", file=sys.stderr)


def _report(folder: Path) -> Path | None:
    """Write the run's HTML page; if it fails, None and a line with the reason: the results are
    already in the folder."""
    try:
        # by its path: a folder of the same name may be here
        return write_page([str(folder.absolute())], folder.parent)
    except FractrainError as error:
        _note(f"no HTML report: {error}")
        return None
