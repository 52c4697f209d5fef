"""The options of a run: one dataclass with a field for each option of `fractrain train`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fractrain.host.accelerator import BACKENDS
from fractrain.host.board.power.sampler import RATE
from fractrain.host.datasets.kinds import bundled, formats
from fractrain.host.graph.integer_options import (
    ACTIVATION_RANGE,
    ERROR_RANGE,
    INNER,
    OUTER,
    RESIDUAL_BITS,
    SHARES,
)
from fractrain.host.methods.recipe import DEFAULT_METHOD, recipe_names
from fractrain.host.methods.registry import METHODS, method_options, methods_that_read
from fractrain.host.methods.rules import STEPS
from fractrain.host.networks.registry import NETWORKS
from fractrain.host.numerics.quantization import WeightLevels
from fractrain.host.numerics.random_streams import SEED
from fractrain.host.plugins.option import Form, Option, as_text, option, options_of
from fractrain.host.training.optimizer import LEARNING_RATES, MOMENTUM, WEIGHT_DECAY
from fractrain.host.training.run_names import RunName
from fractrain.hw.contract.numerics import (
    CHUNK_ROWS,
    MAX_INNER_BITS,
    MAX_OUTER_BITS,
    MIN_NORMALIZED_BITS,
)
from fractrain.hw.contract.parameters import preset_names
from fractrain.hw.contract.values import OneWord, Optional, Real, Rule, Several, Whole

__all__ = ["BATCH", "DEFAULT_EPOCHS", "DEFAULT_LEVELS", "RunOptions", "option_rules", "run_options"]

DEFAULT_EPOCHS = 30
DEFAULT_LEVELS = WeightLevels.CLIP
RTL_TEST_IMAGES = 20
POWER_RATE_HZ = 20.0

PIXELS = Whole(0, 4096)
"""Pixels in a row of a camera; the images set the actual limit."""

BATCH = Whole(1, 65_536)
"""Twice the largest published batches."""

TEST_IMAGES = Whole(1, 10_000_000)
EPOCHS = Whole(1, 1_000_000)
LEARNING_RATE = Real(0, 1000, above=True)
"""Weights are fractions of one: a step of a thousand times the gradient destroys them."""


def _by_bits(rule: Rule, allowed: str, usual: tuple[float, ...]) -> Rule:
    """As many numbers as ``usual``, for tensors of 1, 2, … bits."""
    count = len(usual)
    return Several(rule, count, count, f"{count} numbers {allowed}", as_text(usual))


def _normalized_bits(most: int, usual: tuple[int, ...]) -> Rule:
    bits = Whole(MIN_NORMALIZED_BITS, most)
    return _by_bits(bits, f"{bits.low}..{bits.high}", usual)


PRECISION = "precision"
_task = partial(option, group="what to train, and on what")
_length = partial(option, group="how long, how fast")
_precision = partial(option, group=PRECISION)
_integers = partial(option, group="hardware mode's integers (docs/numerics.md)")
_output = partial(option, group="output")
_count = partial(_output, metavar="N")


@dataclass(frozen=True)
class RunOptions:
    """A run's options, with defaults."""

    dataset: str = _task(None, "digits", "", metavar="NAME|PATH")
    crop: int | None = _task(
        PIXELS,
        None,
        "shift training images by up to N pixels each way, 0 for none",
        metavar="N",
        shown="1 for digits, else 4",
    )
    flip: bool | None = _task(
        None,
        None,
        "mirror every second training image, by chance",
        form=Form.EITHER,
        shown="all but digits",
    )
    model: str = _task(None, "resnet8", "", metavar="NAME")
    backend: str = _task(
        OneWord(tuple(BACKENDS)),
        "golden",
        "golden: exact model in NumPy; torch: the same integers in PyTorch, fast, in hardware mode "
        "the same weights; cosim: the generated RTL, slow, same weights as golden; board: an FPGA, "
        "same weights, too; functional: the machine's programs, command by command in NumPy",
    )
    config: str | None = _task(
        None,
        None,
        f"the machine: a preset ({', '.join(preset_names())}) or a YAML file",
        metavar="NAME|FILE",
        shown="tiny; in hardware mode on cosim, functional and a simulated board tiny-vector; on a "
        "board the installed bitstream's",
    )
    device: str | None = _task(
        OneWord(("cpu", "cuda", "local", "simulated")),
        None,
        "torch: cpu or cuda (default: cpu); board: local, this computer, or simulated, the board's "
        "driver on the RTL (default: local)",
    )
    seed: int = _task(SEED, 0, "of weights, shuffling, augmentation and rounding", metavar="N")

    steps: int | None = _length(STEPS, None, "batches to train on", metavar="N")
    epochs: int | None = _length(
        EPOCHS, None, "passes over the training images", metavar="N", shown=f"{DEFAULT_EPOCHS}"
    )
    batch: int = _length(BATCH, 64, "images per step", metavar="N")
    bn_group: int | None = _length(
        BATCH,
        None,
        "float, reference: images that batch norm takes its statistics over, a divisor of the "
        "batch",
        metavar="N",
        shown="the batch",
    )
    lr: float = _length(LEARNING_RATE, 0.1, "learning rate", metavar="RATE")
    lr_schedule: str = _length(
        OneWord(tuple(LEARNING_RATES)),
        "cosine",
        "how the rate falls: cosine to zero; step, to a tenth at 1/2 and 3/4 of the run; constant",
    )
    momentum: float = _length(Real(0, 1, below=True), MOMENTUM, "", metavar="M")
    weight_decay: float = _length(Real(0, 1), WEIGHT_DECAY, "", metavar="D")

    method: str = _precision(None, DEFAULT_METHOD, "")
    mode: str = _precision(
        OneWord(("hardware", "float", "reference")),
        "hardware",
        "hardware: a step in integers, the same bits everywhere; gates decide per mini-batch, only "
        "what they chose is computed; float: convolutions in integers, float32 around them; "
        "reference: the published numerics, emulated in float32, gates decide per image and all "
        "candidates are computed",
    )
    recipe: str | None = _precision(
        None,
        None,
        f"values of the options below: {', '.join(recipe_names())}, or a YAML file that has them "
        "under their names with _ for -; options given here win",
        metavar="NAME|FILE",
    )
    weight_levels: str | None = _precision(
        OneWord(tuple(each.value for each in WeightLevels)),
        None,
        "hardware, float: levels of weights of 2 to 4 bits: over the greatest magnitude, clipped, "
        "or, float only, odd",
        shown=DEFAULT_LEVELS.value,
    )

    chunk: int | None = _integers(
        Whole(0, 65_536),
        None,
        "images that batch norm takes its statistics over, at the pictures' own size, rounded down "
        "to a power of two; of smaller pictures inside the network as many more; 0: the batch",
        metavar="N",
        shown=f"those of {CHUNK_ROWS} rows of pixels",
    )
    running_share: float = _integers(
        Real(0, 1, below=True),
        0.0,
        "share of the running statistics in those of a chunk",
        metavar="F",
    )
    inner_bits: tuple[int, ...] | None = _integers(
        _normalized_bits(MAX_INNER_BITS, INNER),
        None,
        "bits of normalized values inside a block, for activations of 1, 2, … 8 bits",
        metavar="B,B,…",
        shown=as_text(INNER),
    )
    outer_bits: tuple[int, ...] | None = _integers(
        _normalized_bits(MAX_OUTER_BITS, OUTER),
        None,
        "the same at the end of a block",
        metavar="B,B,…",
        shown=as_text(OUTER),
    )
    residual_bits: int = _integers(
        RESIDUAL_BITS, 8, "bits of what goes around a block", metavar="B"
    )
    activation_range: tuple[float, ...] | None = _integers(
        _by_bits(SHARES, "above 0, at most 1", ACTIVATION_RANGE),
        None,
        "share of their greatest magnitude that activations of 1, 2, … 8 bits reach",
        metavar="F,F,…",
        shown=as_text(ACTIVATION_RANGE),
    )
    error_range: tuple[float, ...] | None = _integers(
        _by_bits(SHARES, "above 0, at most 1", ERROR_RANGE),
        None,
        "the same of errors of 1, 2, … 12 bits",
        metavar="F,F,…",
        shown=as_text(ERROR_RANGE),
    )

    name: str | None = _output(
        RunName(),
        None,
        "of the run",
        metavar="NAME",
        shown="made from the options, with a number if it is taken",
    )
    out: Path = _output(Path, Path("runs"), "where runs are kept", metavar="FOLDER")
    overwrite: bool = _output(None, False, "replace the run of that NAME", form=Form.FLAG)
    test_images: int | None = _count(
        TEST_IMAGES,
        None,
        "evaluate on the first N test images only",
        shown=f"all; on the RTL {RTL_TEST_IMAGES}, because it is slow",
    )
    evaluate_every: int | None = _count(
        STEPS,
        None,
        "steps between evaluations (default: a tenth of the run); one is at the end anyway",
    )
    checkpoint_every: int | None = _count(
        STEPS,
        None,
        "steps between checkpoints (default: those of 10 seconds); there is one before each "
        "evaluation, too",
    )
    log_programs: bool = _output(
        None,
        False,
        "log each program that the machine runs (cosim, board): shapes, bits, cycles, stalls, "
        "bytes and seconds, to programs.jsonl",
        form=Form.FLAG,
    )
    power: float | None = _output(
        RATE,
        None,
        f"with --backend board: read the board's sensors so often (default: {POWER_RATE_HZ:g} "
        "times a second), log them to power.jsonl, and sum up joules per step",
        form=Form.BARE,
        bare=POWER_RATE_HZ,
        metavar="HZ",
    )
    resume: str | None = _output(
        None,
        None,
        "go on with the unfinished run in the folder RUN or OUT/RUN, or with the one that was "
        "interrupted last; its options are those that it was started with, and the weights become "
        "those of a run without interruption, bit for bit",
        form=Form.BARE,
        bare="",
        metavar="RUN",
    )

    method_options: Mapping[str, Any] = field(default_factory=dict)
    """Options of methods that were given, by name."""

    command: tuple[str, ...] = ()
    """The arguments of `fractrain` that gave these options."""

    @classmethod
    def of(cls, values: Mapping[str, Any], command: Sequence[str] = ()) -> RunOptions:
        """From ``values`` of `run_options` by name; options of methods are None by default."""
        own = {each.name: values[each.name] for each in options_of(cls)}
        given = {name: values[name] for name in method_options() if values[name] is not None}
        return cls(**own, method_options=given, command=tuple(command))


def run_options() -> list[Option | tuple[Option, ...]]:
    """All options of a run, with those of methods; a tuple holds options that exclude each
    other."""
    options: list[Option | tuple[Option, ...]] = []
    for each in options_of(RunOptions):
        if each.name == "method":
            about = "; ".join(f"{kind.name}: {kind.about}" for kind in METHODS)
            options.append(dataclasses.replace(each, rule=OneWord(METHODS.names), about=about))
        elif each.name == "model":
            about = f"network: {' or '.join(family.models for family in NETWORKS)}"
            options.append(dataclasses.replace(each, about=about))
        elif each.name == "dataset":
            options.append(dataclasses.replace(each, about=_about_datasets()))
        elif each.name == "epochs":
            options.append((options.pop(), each))  # type: ignore[arg-type]  # with steps
        else:
            options.append(each)
        if each.name == "recipe":
            options += map(_of_methods, method_options().values())
    return options


def _about_datasets() -> str:
    named = ", ".join(f"{each.name} ({each.about})" for each in bundled().values())
    in_files = ", or of ".join(each.about for each in formats())
    return f"images: {named}, or a folder or tar archive of {in_files}"


def _of_methods(given: Option) -> Option:
    """As an option of a run, without a default, as a recipe may have a value."""
    rule = given.rule.rule if isinstance(given.rule, Optional) else given.rule
    return dataclasses.replace(
        given,
        rule=rule,
        about=f"{', '.join(methods_that_read(given.name))}: {given.about}",
        shown=given.default_text,
        default=None,
        group=PRECISION,
    )


def single_options() -> list[Option]:
    """`run_options`, one after the other."""
    alternatives = (each if isinstance(each, tuple) else (each,) for each in run_options())
    return [each for several in alternatives for each in several]


def option_rules() -> dict[str, Rule]:
    """Rules of options, by name; options that take any text are left out."""
    return {each.name: each.rule for each in single_options() if isinstance(each.rule, Rule)}
