"""From the options of `fractrain train` to a trainer, and to what is recorded of them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fractrain.host.accelerator import Accelerator, find_backend
from fractrain.host.arithmetic import Arithmetic, IntegerArithmetic, PublishedArithmetic
from fractrain.host.cli.train_checks import option
from fractrain.host.cli.train_options import COSIM_TEST_IMAGES, DEFAULT_EPOCHS, DEFAULT_LEVELS
from fractrain.host.datasets import BUNDLED, Dataset
from fractrain.host.graph.step import build_outline
from fractrain.host.modelling.run_costs import RunCosts
from fractrain.host.networks.network import Network
from fractrain.host.networks.registry import build_network
from fractrain.host.numerics.quantization import WeightLevels
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.host.training.methods import Method
from fractrain.host.training.recipe import OF_METHODS, Recipe, plain, read_recipe
from fractrain.host.training.recipe_rules import METHODS, MOST_STEPS, RULES
from fractrain.host.training.run import Cadence
from fractrain.host.training.trainer import CostModel, Plan
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import preset_names

EVALUATIONS = 10
"""Of a run, where no distance is given."""

LARGEST_MODELLED = 64
"""Rows and columns of images whose steps are modelled: the cycle model takes 8 seconds for the
passes of a ResNet at this size, 33 at 96 (measured), before the first step."""

RECORDED = (
    *("dataset", "model", "backend", "config", "device", "seed", "steps", "epochs", "batch"),
    *("bn_group", "lr", "lr_schedule", "momentum", "weight_decay", "method", "mode"),
    *("weight_levels", "published_range", "test_images", "checkpoint_every", "evaluate_every"),
    *("crop", "flip"),
)
"""Options that a run goes on with when it is resumed; those of its method are in its recipe."""


def choose_config(args: argparse.Namespace) -> None:
    """Set ``--config``, where it is not given, to what the backend has then.

    Raises `DataError` if that is the board and no bitstream is installed.
    """
    if args.config is None:
        args.config = find_backend(args.backend).usual_config(args.device)


def recipe_fields(args: argparse.Namespace) -> dict[str, Any]:
    """What the file ``--recipe`` says: read once, as it may be a pipe."""
    return {} if args.recipe is None else read_recipe(args.recipe)


def build_recipe(args: argparse.Namespace, given: Mapping[str, Any]) -> Recipe:
    """The recipe that the fields ``given`` by a file and options describe.

    Raises `ParameterError` for what is of other methods.
    """
    read, fields = OF_METHODS[args.method], dict(given)
    if fields.setdefault("method", args.method) != args.method:
        raise ParameterError(
            f"method in {args.recipe}",
            fields["method"],
            f"{args.method}, as --method says",
            hint=f"or add --method {fields['method']}",
        )
    for name in RULES:
        value = None if name == "method" else getattr(args, name)
        if value is None:
            continue
        if name not in read:
            methods = " or ".join(each for each in METHODS if name in OF_METHODS[each])
            raise ParameterError(option(name), as_text(value), f"with --method {methods} only")
        fields[name] = value
    try:
        return Recipe(**fields)
    except ParameterError as error:  # of values that are right one by one
        name = error.name if error.name in RULES else ""
        shown = option(name) if name and getattr(args, name) is not None else error.name
        where = f"{args.recipe} is the recipe" if args.recipe else ""
        raise ParameterError(shown, as_text(error.given), error.allowed, where=where) from None


def unused_fields(args: argparse.Namespace, given: Mapping[str, Any]) -> list[str]:
    """Those ``given`` by a file that the method does not read."""
    return [name for name in given if name not in ("method", *OF_METHODS[args.method])]


def build_arithmetic(args: argparse.Namespace, accelerator: Accelerator) -> Arithmetic:
    """What multiplies, by ``--mode``."""
    if args.mode == "reference":
        return PublishedArithmetic(accelerator, published_range=args.published_range)
    return IntegerArithmetic(accelerator, WeightLevels(args.weight_levels or DEFAULT_LEVELS))


@dataclass(frozen=True)
class Work:
    """Everything of a run but the accelerator, from the options ``args``."""

    args: argparse.Namespace
    recipe: Recipe
    dataset: Dataset
    network: Network
    method: Method
    plan: Plan
    cadence: Cadence
    cost_model: CostModel | None


def prepare(args: argparse.Namespace, recipe: Recipe, dataset: Dataset) -> Work:
    """Make network, method, plan and cadence; `ParameterError` for what does not fit."""
    dataset = _augmented(dataset, args)
    network = build_network(
        args.model,
        channels=dataset.channels,
        classes=dataset.classes,
        rng=generator(args.seed, Stream.WEIGHTS),
        group=args.bn_group,
    )
    per_epoch = dataset.steps_per_epoch(args.batch)
    height, width = dataset.train_images.shape[2:]
    outline = build_outline(network, (dataset.channels, height, width))
    method = recipe.build(
        steps_per_epoch=per_epoch,
        widths=[block.channels for block in outline.blocks],
        macs=[outline.block_macs(block.number) for block in outline.blocks],
        per_sample=args.mode == "reference",
        rng=generator(args.seed, Stream.GATES),
    )
    plan = Plan(
        steps=args.steps or _steps_of(args.epochs or DEFAULT_EPOCHS, per_epoch),
        batch=args.batch,
        seed=args.seed,
        learning_rate=args.lr,
        learning_rate_schedule=args.lr_schedule,
        momentum=args.momentum,
        weight_decay=args.weight_decay,
        bn_group=args.bn_group,
    )
    return Work(
        args,
        recipe,
        dataset,
        network,
        method,
        plan,
        _cadence(args, plan.steps),
        _cost_model(height, width),
    )


def _steps_of(epochs: int, per_epoch: int) -> int:
    if epochs * per_epoch > MOST_STEPS:
        allowed = f"at most {MOST_STEPS // per_epoch}: an epoch has {per_epoch} steps"
        raise ParameterError("--epochs", epochs, allowed)
    return epochs * per_epoch


def _cost_model(height: int, width: int) -> CostModel | None:
    """Of the usual machine; None for images so large that evaluating it would take minutes."""
    return RunCosts() if max(height, width) <= LARGEST_MODELLED else None


def _augmented(dataset: Dataset, args: argparse.Namespace) -> Dataset:
    """Cropped and flipped as the options say, or as is usual for it."""
    height, width = dataset.train_images.shape[2:]
    if args.crop is not None and args.crop >= min(height, width):
        raise ParameterError(
            "--crop", args.crop, f"less than {min(height, width)}, the size of the images"
        )
    return replace(
        dataset,
        crop_padding=dataset.crop_padding if args.crop is None else args.crop,
        flip=dataset.flip if args.flip is None else args.flip,
    )


def _cadence(args: argparse.Namespace, steps: int) -> Cadence:
    """When to save and to evaluate; a run of few steps is evaluated at its end only."""
    limit = args.test_images
    if limit is None and (args.backend == "cosim" or args.device == "simulated"):
        limit = COSIM_TEST_IMAGES
    every = args.evaluate_every or steps // EVALUATIONS or steps
    return Cadence(args.checkpoint_every, every, limit)


def record(work: Work) -> dict[str, Any]:
    """What ``config.json`` says of the options, and what `restore` makes them of again."""
    args, cadence = work.args, work.cadence
    levels = args.weight_levels or (None if args.mode == "reference" else DEFAULT_LEVELS.value)
    options = {name: normal(name, getattr(args, name)) for name in RECORDED}
    options |= {
        "steps": work.plan.steps,
        "epochs": args.epochs or (None if args.steps else DEFAULT_EPOCHS),
        "weight_levels": levels,
        "test_images": cadence.test_images,
        "evaluate_every": cadence.evaluate_every,
    }
    return {
        "command": ["fractrain", *args.arguments],
        "backend": args.backend,
        "config": normal("config", args.config),
        "device": args.device,
        "method_options": work.recipe.options,
        "weight_levels": levels,
        "published_range": args.published_range,
        "test_images": cadence.test_images,
        "options": options,
    }


def normal(name: str, value: Any) -> Any:
    """The value of an option such that it means the same in any folder."""
    if name == "dataset" and value not in BUNDLED:
        return str(Path(value).absolute())
    if name == "config" and value not in preset_names():
        return str(Path(value).absolute())
    return value


def as_text(value: Any) -> Any:
    """The value of an option as it is written on the command line; numbers as they are."""
    value = plain(value)
    if not isinstance(value, list):
        return value
    return ",".join("/".join(map(str, _list(each))) for each in value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
