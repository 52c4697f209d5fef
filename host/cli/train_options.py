"""The options of `fractrain train`: what they mean, and their defaults."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fractrain.host.accelerator import BACKENDS
from fractrain.host.board.power.sampler import RATE
from fractrain.host.cli.command_line import CommandLineParser
from fractrain.host.cli.options import BATCH, config_option
from fractrain.host.datasets import BUNDLED
from fractrain.host.numerics.quantization import WeightLevels
from fractrain.host.training.optimizer import LEARNING_RATES, MOMENTUM, WEIGHT_DECAY
from fractrain.host.training.recipe import Recipe, recipe_names
from fractrain.host.training.recipe_rules import DECIDE, METHODS, RULES, SEED, STEPS
from fractrain.host.training.run_names import RunName
from fractrain.hw.contract.precision import MAX_BITS
from fractrain.hw.contract.values import Real, Rule, Whole

DEFAULT_EPOCHS = 30
DEFAULT_METHOD = "fractrain"
DEFAULT_PRECISION = (8, 8, 8)
DEFAULT_LEVELS = WeightLevels.CLIP
COSIM_TEST_IMAGES = 20
POWER_RATE_HZ = 20.0

PIXELS = Whole(0, 4096)
"""What cameras have in a row; the images set the limit that counts."""

TEST_IMAGES = Whole(1, 10_000_000)
EPOCHS = Whole(1, 1_000_000)
LEARNING_RATE = Real(0, 1000, above=True)
"""Weights are a fraction of one: a step of a thousand times the gradient leaves nothing of them."""

DESCRIPTION = """\
Train a residual network through the accelerator: every convolution, forward and backward, is
an exact integer product of operands with a few bits, as the hardware computes it. With no
options, a ResNet-8 learns handwritten digits by FracTrain in about a minute."""

EPILOG = """\
examples:
  fractrain train                                      digits, FracTrain, the golden model
  fractrain train --method static --precision 8,8,8    the FW8/BW8 baseline
  fractrain train --epsilon 0.05 --alpha 0.3           wait longer before each stage
  fractrain train --model resnet20 --epochs 40 --seed 1 --name deep
  fractrain train --backend cosim --steps 2 --batch 2  every product computed by the RTL
  fractrain train --resume deep                        go on with the run of that name

OUT/NAME holds the run: config.json, log.jsonl (every step), measured.jsonl (the time of every step,
and what the machine counted in it), evaluations.jsonl, checkpoints and, at the end, summary.json.
In it, test_accuracy is in percent; saving is the fraction of the effective MACs that was saved
against the same steps at FW8/BW8. OUT/latest points at the run that began or ended last. The same
options and seed give the same weights_sha256, interrupted or not.

SIGINT and SIGTERM end a run after its current step, with a checkpoint (exit codes 130, 143); a
second signal ends it at once."""


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
        "images in train/<class>/ and test/<class>/",
    )
    group.add_argument(
        "--crop",
        type=PIXELS,
        metavar="N",
        help="shift training images by up to N pixels each way, 0 for none (default: 1 for "
        "digits, else 4)",
    )
    group.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        help="mirror every second training image, by chance (default: all but digits)",
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
        help="golden: exact model in NumPy; torch: the same integers in PyTorch, fast; cosim: the "
        "generated RTL, slow, same weights as golden; board: a ZC706, same weights, too "
        "(default: %(default)s)",
    )
    config = config_option(None, shown="tiny; with --backend board that of the installed bitstream")
    group.add_argument("--config", metavar=config.metavar, help=config.help)
    group.add_argument(
        "--device",
        choices=("cpu", "cuda", "zc706", "simulated"),
        help="torch: cpu or cuda (default: cpu); board: zc706, this computer, or simulated, the "
        "board's driver on the RTL (default: zc706)",
    )
    group.add_argument(
        "--seed",
        type=SEED,
        default=0,
        metavar="N",
        help="of weights, shuffling, augmentation and rounding (default: %(default)s)",
    )


def _add_length(group: argparse._ArgumentGroup) -> None:
    length = group.add_mutually_exclusive_group()
    length.add_argument("--steps", type=STEPS, metavar="N", help="batches to train on")
    length.add_argument(
        "--epochs",
        type=EPOCHS,
        metavar="N",
        help=f"passes over the training images (default: {DEFAULT_EPOCHS})",
    )
    group.add_argument(
        "--batch",
        type=BATCH,
        default=64,
        metavar="N",
        help="images per step (default: %(default)s)",
    )
    group.add_argument(
        "--bn-group",
        type=BATCH,
        metavar="N",
        help="images that batch norm takes its statistics over, a divisor of the batch (default: "
        "the batch)",
    )
    group.add_argument(
        "--lr",
        type=LEARNING_RATE,
        default=0.1,
        metavar="RATE",
        help="learning rate (default: %(default)s)",
    )
    group.add_argument(
        "--lr-schedule",
        choices=tuple(LEARNING_RATES),
        default="cosine",
        help="how the rate falls: cosine to zero; step, to a tenth at 1/2 and 3/4 of the run; "
        "constant (default: %(default)s)",
    )
    group.add_argument(
        "--momentum",
        type=Real(0, 1, below=True),
        default=MOMENTUM,
        metavar="M",
        help="(default: %(default)s)",
    )
    group.add_argument(
        "--weight-decay",
        type=Real(0, 1),
        default=WEIGHT_DECAY,
        metavar="D",
        help="(default: %(default)s)",
    )


def _add_precision(group: argparse._ArgumentGroup) -> None:
    defaults = Recipe()
    group.add_argument(
        "--method",
        choices=METHODS,
        default=DEFAULT_METHOD,
        help="static: one precision throughout; pfq: progressive, a stage up each time the "
        "training loss has settled; dfq: gates choose for each block and mini-batch; fractrain: "
        "gates whose target cost is raised progressively (default: %(default)s)",
    )
    group.add_argument(
        "--mode",
        choices=("hardware", "reference"),
        default="hardware",
        help="hardware: symmetric integers, gates decide per mini-batch, only what they chose is "
        "computed; reference: the published numerics, emulated in float32, gates decide per image "
        "and all candidates are computed (default: %(default)s)",
    )
    group.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help=f"values of the options below: {', '.join(recipe_names())}, or a YAML file that has "
        "them under their names with _ for -; options given here win",
    )
    group.add_argument(
        "--precision",
        type=RULES["precision"],
        metavar="A,W,E",
        help=f"static: bits of activations, weights and errors, 1..{MAX_BITS} each "
        f"(default: {_joined(DEFAULT_PRECISION)})",
    )
    group.add_argument(
        "--schedule-forward",
        type=RULES["schedule_forward"],
        metavar="B,B,…",
        help="pfq: bits of activations and weights in each stage, 0 to skip the blocks "
        f"(default: {_joined(defaults.schedule_forward)})",
    )
    group.add_argument(
        "--schedule-backward",
        type=RULES["schedule_backward"],
        metavar="B,B,…",
        help=f"pfq: bits of errors in each stage (default: {_joined(defaults.schedule_backward)})",
    )
    group.add_argument(
        "--epsilon",
        "--eps",
        type=RULES["epsilon"],
        metavar="E",
        help="pfq, fractrain: the loss has settled when its last five means differ by at most E "
        f"of its scale (default: {defaults.epsilon})",
    )
    group.add_argument(
        "--alpha",
        type=RULES["alpha"],
        metavar="A",
        help=f"pfq, fractrain: factor on E after each stage (default: {defaults.alpha})",
    )
    group.add_argument(
        "--interval",
        type=STEPS,
        metavar="N",
        help="pfq, fractrain: steps that each of those means is over (default: an epoch)",
    )
    group.add_argument(
        "--candidates",
        type=RULES["candidates"],
        metavar="F/B,F/B,…",
        help="dfq, fractrain: forward and backward bits that the gates choose from, 0/0 to skip "
        f"the block (default: {','.join(f'{f}/{b}' for f, b in defaults.candidates)})",
    )
    group.add_argument(
        "--weight-bits",
        type=RULES["weight_bits"],
        metavar="B",
        help=f"dfq, fractrain: bits of weights (default: {defaults.weight_bits})",
    )
    group.add_argument(
        "--target",
        type=RULES["target"],
        metavar="CP",
        help="dfq: cost of the blocks to aim at, in percent of 32-bit arithmetic; FW8/BW8 is 6.25 "
        f"(default: {defaults.target:g})",
    )
    group.add_argument(
        "--targets",
        type=RULES["targets"],
        metavar="CP,CP,…",
        help="fractrain: the same for each stage "
        f"(default: {','.join(f'{each:g}' for each in defaults.targets)})",
    )
    group.add_argument(
        "--beta",
        type=RULES["beta"],
        metavar="B",
        help=f"dfq, fractrain: weight of the cost in the loss (default: {defaults.beta:g})",
    )
    group.add_argument(
        "--dead-band",
        type=RULES["dead_band"],
        metavar="CP",
        help="dfq, fractrain: leave the cost alone when it is so close to its target (default: 0)",
    )
    group.add_argument(
        "--decide",
        choices=DECIDE,
        help="dfq, fractrain: late, after the activations are stored, of which the top planes are "
        "read; early, before they are quantized (default: late in hardware mode, else early)",
    )
    group.add_argument(
        "--weight-levels",
        choices=[each.value for each in WeightLevels],
        help="hardware: levels of weights of 2 to 4 bits: over the greatest magnitude, clipped, "
        f"or odd (default: {DEFAULT_LEVELS.value})",
    )
    group.add_argument(
        "--published-range",
        action="store_true",
        help="reference: reduce activation ranges as the authors' code does",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--name",
        type=RunName(),
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
        type=TEST_IMAGES,
        metavar="N",
        help="evaluate on the first N test images only "
        f"(default: all; on the RTL {COSIM_TEST_IMAGES}, because it is slow)",
    )
    group.add_argument(
        "--evaluate-every",
        type=STEPS,
        metavar="N",
        help="steps between evaluations (default: a tenth of the run); one is at the end anyway",
    )
    group.add_argument(
        "--checkpoint-every",
        type=STEPS,
        metavar="N",
        help="steps between checkpoints (default: those of 10 seconds); there is one before each "
        "evaluation, too",
    )
    group.add_argument(
        "--log-programs",
        action="store_true",
        help="log each program that the machine runs (cosim, board): shapes, bits, cycles, stalls, "
        "bytes and seconds, to programs.jsonl",
    )
    group.add_argument(
        "--power",
        nargs="?",
        type=RATE,
        const=POWER_RATE_HZ,
        metavar="HZ",
        help="with --backend board: read the board's sensors so often (default: "
        f"{POWER_RATE_HZ:g} times a second), log them to power.jsonl, and sum up joules per step",
    )
    group.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="RUN",
        help="go on with the unfinished run in the folder RUN or OUT/RUN, or with the one that was "
        "interrupted last; its options are those that it was started with, and the weights become "
        "those of a run without interruption, bit for bit",
    )


def given_options(arguments: Sequence[str]) -> dict[str, Any]:
    """What ``arguments`` say themselves, without what is default, by the options' names."""
    parser = option_parser()
    parser.set_defaults(**dict.fromkeys(vars(parser.parse_args([]))))
    given = vars(parser.parse_args(arguments))
    return {name: value for name, value in given.items() if value is not None}


def option_rules() -> Mapping[str, Rule]:
    """What each option may be, by its name; those that take any text are left out."""
    return option_parser().rules()


def option_parser() -> CommandLineParser:
    """Of the options of `fractrain train` alone."""
    parser = CommandLineParser(prog="fractrain train", add_help=False)
    add_options(parser)
    return parser


def _joined(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))
