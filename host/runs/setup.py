"""From the options of a run to a trainer, and to its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fractrain.host.accelerator import Accelerator, find_backend
from fractrain.host.arithmetic import (
    Arithmetic,
    IntegerArithmetic,
    IntegerStep,
    PublishedArithmetic,
)
from fractrain.host.arithmetic.published import FRACTRAIN_RANGE_KEPT, RANGE_KEPT
from fractrain.host.datasets import Dataset, bundled
from fractrain.host.graph.integer_options import (
    ACTIVATION_RANGE,
    ERROR_RANGE,
    INNER,
    OUTER,
    IntegerOptions,
    mixing,
)
from fractrain.host.graph.step import build_outline
from fractrain.host.machine_step import CompiledMachine
from fractrain.host.methods.method import Method, Task
from fractrain.host.methods.recipe import Recipe, make_recipe, read_recipe
from fractrain.host.methods.registry import methods_that_read
from fractrain.host.methods.rules import MOST_STEPS
from fractrain.host.modelling.run_costs import RunCosts
from fractrain.host.networks.network import Network
from fractrain.host.networks.registry import build_network
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.quantization import WeightLevels
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.host.plugins.option import as_text, option_name
from fractrain.host.runs.options import DEFAULT_EPOCHS, DEFAULT_LEVELS, RTL_TEST_IMAGES, RunOptions
from fractrain.host.training.machine_trainer import MachineTrainer
from fractrain.host.training.run import Cadence
from fractrain.host.training.trainer import CostModel, Plan, Trainer
from fractrain.host.usual_machines import usual_config
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.numerics import CHUNK_ROWS
from fractrain.hw.contract.parameters import preset_names

EVALUATIONS = 10
"""Evaluations of a run by default."""

LARGEST_MODELLED = 64
"""Largest rows and columns of images with modelled steps: the cycle model takes 8 seconds for the
passes of resnet20 at this size, 33 at 96 (measured), before the first step."""

RECORDED = (
    *("dataset", "model", "backend", "config", "device", "seed", "steps", "epochs", "batch"),
    *("bn_group", "lr", "lr_schedule", "momentum", "weight_decay", "method", "mode"),
    *("weight_levels", "test_images", "checkpoint_every", "evaluate_every", "crop", "flip"),
    *("chunk", "running_share", "inner_bits", "outer_bits", "residual_bits"),
    *("activation_range", "error_range"),
)
"""Options that a resumed run keeps; its recipe has those of its method."""


def with_config(given: RunOptions) -> RunOptions:
    """``given`` with the backend's configuration if none is given.

    Raises `DataError` if that is the board and no bitstream is installed.
    """
    if given.config is not None:
        return given
    usual = usual_config(given.backend, given.mode)
    return replace(given, config=find_backend(given.backend).usual_config(given.device, usual))


def recipe_fields(given: RunOptions) -> dict[str, Any]:
    """The content of the file ``--recipe``: read once, as it may be a pipe."""
    return {} if given.recipe is None else read_recipe(given.recipe)


def build_recipe(given: RunOptions, fields: Mapping[str, Any]) -> Recipe:
    """The recipe of the ``fields`` of a file and of options, with the defaults of the mode.

    Raises `ParameterError` for options of other methods.
    """
    said = fields.get("method", given.method)
    if said != given.method:
        raise ParameterError(
            f"method in {given.recipe}",
            said,
            f"{given.method}, as --method says",
            hint=f"or add --method {said}",
        )
    for name, value in given.method_options.items():
        methods = methods_that_read(name)
        if given.method not in methods:
            allowed = f"with --method {' or '.join(methods)} only"
            raise ParameterError(option_name(name), as_text(value), allowed)
    unused = unused_fields(given, fields)
    used = {name: each for name, each in fields.items() if name not in ("method", *unused)}
    try:
        return make_recipe(given.method, **used | dict(given.method_options)).for_mode(given.mode)
    except ParameterError as error:  # of values that are right one by one
        shown = option_name(error.name) if error.name in given.method_options else error.name
        where = f"{given.recipe} is the recipe" if given.recipe else ""
        raise ParameterError(shown, as_text(error.given), error.allowed, where=where) from None


def unused_fields(given: RunOptions, fields: Mapping[str, Any]) -> list[str]:
    """Those ``fields`` of a file that the method does not read."""
    return [
        name for name in fields if name != "method" and given.method not in methods_that_read(name)
    ]


def build_arithmetic(given: RunOptions, accelerator: Accelerator, dataset: Dataset) -> Arithmetic:
    """The arithmetic, by ``--mode``."""
    if given.mode == "reference":
        kept = FRACTRAIN_RANGE_KEPT if given.method == "fractrain" else RANGE_KEPT
        return PublishedArithmetic(accelerator, dataset.moments(), kept)
    levels = WeightLevels(given.weight_levels or DEFAULT_LEVELS)
    if given.mode == "float":
        return IntegerArithmetic(accelerator, levels)
    return IntegerStep(accelerator, levels, _integer_options(given, dataset))


def _integer_options(given: RunOptions, dataset: Dataset) -> IntegerOptions:
    """Of hardware mode."""
    rows: int | None = CHUNK_ROWS
    if given.chunk is not None:
        rows = given.chunk * max(dataset.train_images.shape[2:]) or None
    return IntegerOptions(
        chunk_rows=rows,
        inner=given.inner_bits or INNER,
        outer=given.outer_bits or OUTER,
        residual_bits=given.residual_bits,
        mixing=mixing(given.running_share),
        activation_range=given.activation_range or ACTIVATION_RANGE,
        error_range=given.error_range or ERROR_RANGE,
    )


@dataclass(frozen=True)
class Work:
    """All parts of a run except the accelerator, from the options ``given``."""

    given: RunOptions
    recipe: Recipe
    dataset: Dataset
    network: Network
    method: Method
    plan: Plan
    cadence: Cadence
    cost_model: CostModel | None


def prepare(given: RunOptions, recipe: Recipe, dataset: Dataset) -> Work:
    """Make network, method, plan and cadence; `ParameterError` if they do not fit."""
    dataset = _augmented(dataset, given)
    numbers = counter_numbers if given.mode == "hardware" else generator
    network = build_network(
        given.model,
        channels=dataset.channels,
        classes=dataset.classes,
        rng=numbers(given.seed, Stream.WEIGHTS),
        group=given.bn_group,
    )
    per_epoch = dataset.steps_per_epoch(given.batch)
    _, *image = dataset.train_images.shape
    outline = build_outline(network, (image[0], image[1], image[2]))
    steps = given.steps or _steps_of(given.epochs or DEFAULT_EPOCHS, per_epoch)
    task = Task(
        steps=steps,
        steps_per_epoch=per_epoch,
        widths=[block.channels for block in outline.blocks],
        macs=[outline.block_macs(block.number) for block in outline.blocks],
        mode=given.mode,
        rng=numbers(given.seed, Stream.GATES),
    )
    method = recipe.build(task)
    plan = Plan(
        steps=steps,
        batch=given.batch,
        seed=given.seed,
        learning_rate=given.lr,
        learning_rate_schedule=given.lr_schedule,
        momentum=given.momentum,
        weight_decay=given.weight_decay,
        bn_group=given.bn_group,
    )
    return Work(
        given,
        recipe,
        dataset,
        network,
        method,
        plan,
        _cadence(given, plan.steps),
        _cost_model(image[1], image[2]),
    )


def _steps_of(epochs: int, per_epoch: int) -> int:
    if epochs * per_epoch > MOST_STEPS:
        allowed = f"at most {MOST_STEPS // per_epoch}: an epoch has {per_epoch} steps"
        raise ParameterError("--epochs", epochs, allowed)
    return epochs * per_epoch


def _cost_model(height: int, width: int) -> CostModel | None:
    """The step model of the default machine; None for images so large that it would take
    minutes."""
    return RunCosts() if max(height, width) <= LARGEST_MODELLED else None


def _augmented(dataset: Dataset, given: RunOptions) -> Dataset:
    """Cropped and flipped by the options, or by the data set's defaults; published crops pad images
    that are normalized already, with the mean."""
    height, width = dataset.train_images.shape[2:]
    if given.crop is not None and given.crop >= min(height, width):
        raise ParameterError(
            "--crop", given.crop, f"less than {min(height, width)}, the size of the images"
        )
    return replace(
        dataset,
        crop_padding=dataset.crop_padding if given.crop is None else given.crop,
        fill=dataset.moments().mean if given.mode == "reference" else None,
        flip=dataset.flip if given.flip is None else given.flip,
    )


def _cadence(given: RunOptions, steps: int) -> Cadence:
    """When to save and to evaluate; a run of few steps is evaluated at its end only."""
    limit = given.test_images
    slow = given.backend in ("cosim", "functional") or given.device == "simulated"
    if limit is None and slow:
        limit = RTL_TEST_IMAGES
    every = given.evaluate_every or steps // EVALUATIONS or steps
    return Cadence(given.checkpoint_every, every, limit)


def build_trainer(work: Work, accelerator: Accelerator, note: Callable[[str], None]) -> Trainer:
    """A trainer of ``work``; in hardware mode a machine with a vector unit does whole steps, unless
    it refuses them: then, as on all others, they go layer by layer, and ``note`` is told."""
    arithmetic = build_arithmetic(work.given, accelerator, work.dataset)
    network, method, plan = work.network, work.method, work.plan
    parts: Any = network, work.dataset, accelerator, method, plan, arithmetic, work.cost_model
    machine = accelerator.vector_machine
    if machine is None or not isinstance(arithmetic, IntegerStep):
        if accelerator.parameters.vector is not None and accelerator.reads_planes:
            note(
                "steps go layer by layer: whole ones need hardware mode and a machine that has them"
            )
        return Trainer(*parts)
    trainer = MachineTrainer(*parts, machine=CompiledMachine(machine))
    trainer.note = note
    return trainer


def record(work: Work) -> dict[str, Any]:
    """The options in ``config.json``, from which `restore` makes them again."""
    given, cadence = work.given, work.cadence
    levels = given.weight_levels or (None if given.mode == "reference" else DEFAULT_LEVELS.value)
    options = {name: normal(name, getattr(given, name)) for name in RECORDED}
    options |= {
        "steps": work.plan.steps,
        "epochs": given.epochs or (None if given.steps else DEFAULT_EPOCHS),
        "weight_levels": levels,
        "test_images": cadence.test_images,
        "evaluate_every": cadence.evaluate_every,
    }
    return {
        "command": ["fractrain", *given.command],
        "backend": given.backend,
        "config": normal("config", given.config),
        "device": given.device,
        "method_options": work.recipe.record,
        "weight_levels": levels,
        "test_images": cadence.test_images,
        "options": options,
    }


def normal(name: str, value: Any) -> Any:
    """The value of an option, independent of the current folder."""
    if name == "dataset" and value not in bundled():
        return str(Path(value).absolute())
    if name == "config" and value not in preset_names():
        return str(Path(value).absolute())
    return value
