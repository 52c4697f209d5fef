"""The options of `fractrain train`: what they mean, their defaults, and which go together."""

from __future__ import annotations

import argparse
from pathlib import Path

from host.accelerator import BACKENDS
from host.cli.options import add_config
from host.datasets import BUNDLED
from host.training.methods import (
    ALPHA,
    BACKWARD_SCHEDULE,
    EPSILON,
    FORWARD_SCHEDULE,
    Method,
    ProgressiveMethod,
    StaticMethod,
)
from host.training.optimizer import LEARNING_RATES, MOMENTUM, WEIGHT_DECAY
from hw.contract.errors import ParameterError
from hw.contract.precision import MAX_BITS, Precision

METHODS = ("pfq", "static")
DEFAULT_EPOCHS = 30
DEFAULT_PRECISION = "8,8,8"
COSIM_TEST_IMAGES = 20

DESCRIPTION = """\
Train a residual network through the accelerator: every convolution, forward and backward, is
an exact integer product of operands with a few bits, as the hardware computes it. With no
options, a ResNet-8 learns handwritten digits by progressive quantization in about a minute."""

EPILOG = """\
examples:
  fractrain train                                      digits, PFQ, the golden model
  fractrain train --method static --precision 8,8,8    the FW8/BW8 baseline
  fractrain train --epsilon 0.05 --alpha 0.3           PFQ that waits longer before each stage
  fractrain train --model resnet20 --epochs 40 --seed 1 --name deep
  fractrain train --backend cosim --steps 2 --batch 2  every product computed by the RTL

The run is summarized in OUT/NAME/summary.json, and OUT/latest points at the newest run. In
it, test_accuracy is in percent; saving is the fraction of the effective MACs that was saved
against the same steps at FW8/BW8. The same options and seed give the same weights_sha256."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options, in groups."""
    _add_task(parser.add_argument_group("what to train, and on what"))
    _add_length(parser.add_argument_group("how long, how fast"))
    _add_precision(parser.add_argument_group("precision"))
    _add_output(parser.add_argument_group("output"))


def _add_task(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--dataset",
        default="digits",
        metavar="NAME|PATH",
        help=f"images: {', '.join(BUNDLED)} (default: 1,797 handwritten digits that come with "
        "scikit-learn), or a folder or tar archive of CIFAR-10 or CIFAR-100 as published, or of "
        "JPEG or PNG images in train/<class>/ and test/<class>/",
    )
    group.add_argument(
        "--model",
        default="resnet8",
        metavar="resnetN",
        help="network: resnet8, resnet14, resnet20, … of 6n+2 layers (default: %(default)s)",
    )
    group.add_argument(
        "--backend",
        choices=tuple(BACKENDS),
        default="golden",
        help="golden: exact model, fast; cosim: the generated RTL, slow, same weights "
        "(default: %(default)s)",
    )
    add_config(group, default="tiny")
    group.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of weights, shuffling, augmentation and rounding (default: %(default)s)",
    )


def _add_length(group: argparse._ArgumentGroup) -> None:
    length = group.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help="batches to train on")
    length.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help=f"passes over the training images (default: {DEFAULT_EPOCHS})",
    )
    group.add_argument(
        "--batch", type=int, default=64, metavar="N", help="images per step (default: %(default)s)"
    )
    group.add_argument(
        "--lr", type=float, default=0.1, metavar="RATE", help="learning rate (default: %(default)s)"
    )
    group.add_argument(
        "--lr-schedule",
        choices=tuple(LEARNING_RATES),
        default="cosine",
        help="how the rate falls: cosine to zero; step, to a tenth at 1/2 and 3/4 of the run; "
        "constant (default: %(default)s)",
    )
    group.add_argument(
        "--momentum", type=float, default=MOMENTUM, metavar="M", help="(default: %(default)s)"
    )
    group.add_argument(
        "--weight-decay",
        type=float,
        default=WEIGHT_DECAY,
        metavar="D",
        help="(default: %(default)s)",
    )


def _add_precision(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--method",
        choices=METHODS,
        default="pfq",
        help="static: one precision throughout; pfq: progressive, a stage up each time the "
        "training loss has settled (default: %(default)s)",
    )
    group.add_argument(
        "--precision",
        metavar="A,W,E",
        help=f"static: bits of activations, weights and errors, 1..{MAX_BITS} each "
        f"(default: {DEFAULT_PRECISION})",
    )
    group.add_argument(
        "--schedule-forward",
        metavar="B,B,…",
        help="pfq: bits of activations and weights in each stage "
        f"(default: {_joined(FORWARD_SCHEDULE)})",
    )
    group.add_argument(
        "--schedule-backward",
        metavar="B,B,…",
        help=f"pfq: bits of errors in each stage (default: {_joined(BACKWARD_SCHEDULE)})",
    )
    group.add_argument(
        "--epsilon",
        "--eps",
        type=float,
        metavar="E",
        help="pfq: the loss has settled when the last five epochs differ by at most E of its "
        f"scale (default: {EPSILON})",
    )
    group.add_argument(
        "--alpha",
        type=float,
        metavar="A",
        help=f"pfq: factor on E after each stage (default: {ALPHA})",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--name",
        metavar="NAME",
        help="of the run (default: made from the options, with a number if it is taken)",
    )
    group.add_argument(
        "--out",
        type=Path,
        default=Path("runs"),
        metavar="FOLDER",
        help="where runs are kept (default: %(default)s)",
    )
    group.add_argument("--overwrite", action="store_true", help="replace the run of that NAME")
    group.add_argument(
        "--test-images",
        type=int,
        metavar="N",
        help="evaluate on the first N test images only "
        f"(default: all; with --backend cosim {COSIM_TEST_IMAGES}, because the RTL is slow)",
    )


def check_numbers(args: argparse.Namespace) -> None:
    """Raise `ParameterError` for a number outside its range."""
    for name, low in (("seed", 0), ("steps", 1), ("epochs", 1), ("batch", 1), ("test_images", 1)):
        value = getattr(args, name)
        if value is not None and value < low:
            raise ParameterError(_option(name), value, f"a whole number, at least {low}")
    for name, fits, allowed in (
        ("lr", args.lr > 0, "greater than 0"),
        ("momentum", 0 <= args.momentum < 1, "at least 0, less than 1"),
        ("weight_decay", args.weight_decay >= 0, "at least 0"),
    ):
        if not fits:
            raise ParameterError(_option(name), getattr(args, name), allowed)
    if args.overwrite and args.name is None:
        raise ParameterError("--overwrite", True, "together with --name only")


def build_method(args: argparse.Namespace) -> Method:
    """The method that the options describe; `ParameterError` for one of another method."""
    own = {
        "static": ("precision",),
        "pfq": ("schedule_forward", "schedule_backward", "epsilon", "alpha"),
    }
    for method, names in own.items():
        for name in names:
            if method != args.method and getattr(args, name) is not None:
                raise ParameterError(
                    _option(name), getattr(args, name), f"with --method {method} only"
                )
    if args.method == "static":
        return StaticMethod(Precision.parse(args.precision or DEFAULT_PRECISION))
    return ProgressiveMethod(
        _bit_list("schedule_forward", args.schedule_forward, FORWARD_SCHEDULE),
        _bit_list("schedule_backward", args.schedule_backward, BACKWARD_SCHEDULE),
        epsilon=EPSILON if args.epsilon is None else args.epsilon,
        alpha=ALPHA if args.alpha is None else args.alpha,
    )


def evaluation_limit(args: argparse.Namespace) -> int | None:
    """Images to evaluate on; None for all."""
    if args.test_images is None and args.backend == "cosim":
        return COSIM_TEST_IMAGES
    limit: int | None = args.test_images
    return limit


def _bit_list(name: str, text: str | None, default: tuple[int, ...]) -> tuple[int, ...]:
    """Widths separated by commas; ``default`` if the option was not given."""
    if text is None:
        return default
    try:
        bits = tuple(int(part) for part in text.split(","))
    except ValueError:
        bits = ()
    if not bits or not all(1 <= each <= MAX_BITS for each in bits):
        raise ParameterError(
            _option(name), text, f"whole numbers 1..{MAX_BITS} with commas, for example 3,4,6,8"
        )
    return bits


def _joined(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
