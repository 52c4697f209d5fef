"""The convolutions of one training step, with the operands that training gives them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Integers, open_accelerator
from fractrain.host.arithmetic import Arithmetic, IntegerArithmetic, IntegerStep
from fractrain.host.execution import Executor, Run, step_options
from fractrain.host.graph.choice import UNQUANTIZED
from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.operations import Convolve, Operation
from fractrain.host.graph.step import StepGraph, build_outline, build_step
from fractrain.host.networks.registry import build_network
from fractrain.host.networks.selection import FixedSelector
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.host.simulation.images import RANDOM_SHAPE
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass, Precision

CLASSES = 10

MOST_CONVOLUTIONS = 39 * 128
"""Forward convolutions x images of a step: gigabytes of operands, hours of RTL."""


@dataclass(frozen=True)
class Executed:
    """One executed convolution: ``operation`` of the step, the values of its operands (row, column)
    and its exact ``result``."""

    operation: Convolve
    convolution: Convolution
    precision: Precision
    rows: Integers
    columns: Integers
    result: NDArray[np.int64]

    @property
    def layer(self) -> str:
        return self.operation.layer

    @property
    def name(self) -> str:
        """Layer and pass."""
        return f"{self.layer} {self.pass_.label}"

    @property
    def pass_(self) -> Pass:
        return self.convolution.pass_

    @property
    def bits(self) -> tuple[int, int]:
        """Bits of the operands."""
        return self.convolution.bits

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those with padding included."""
        return self.convolution.macs

    @property
    def bit_products(self) -> int:
        """One-bit multiply-adds of the convolution: MACs x bits x bits."""
        return self.macs * self.bits[0] * self.bits[1]

    @property
    def geometry_text(self) -> str:
        return self.convolution.geometry.text


@dataclass(frozen=True)
class TrainingStep:
    """``convolutions`` in their order."""

    convolutions: list[Executed]

    @cached_property
    def slots(self) -> dict[Precision, int]:
        """Slots for the precisions that occur, for the table of a program."""
        known = dict.fromkeys(each.precision for each in self.convolutions)
        return {precision: slot for slot, precision in enumerate(known)}

    @property
    def table(self) -> dict[int, Precision]:
        """The precision of each of `slots`."""
        return {slot: precision for precision, slot in self.slots.items()}


def record_training_step(
    model: str,
    images: NDArray[np.uint8],
    parameters: Parameters,
    precision: Precision,
    *,
    seed: int,
    mode: str = "hardware",
    blocks: range | None = None,
    uniform: bool = False,
) -> TrainingStep:
    """Train ``model`` for one golden step on ``images[N,C,H,W]`` and keep its convolutions.

    ``precision``: of the blocks. ``mode``: ``hardware`` or ``float``, what is around them.
    ``blocks``: keep only the convolutions of these blocks (0 is the network's first). ``uniform``:
    the layers that FracTrain leaves unquantized have the same precision.

    Raises `ParameterError` for an unknown model, for blocks that it lacks, and for a precision that
    the mode does not take.
    """
    check_step(model, len(images), blocks)
    numbers = counter_numbers if mode == "hardware" else generator
    network = build_network(
        model,
        channels=images.shape[1],
        classes=CLASSES,
        rng=numbers(seed, Stream.WEIGHTS),
    )
    labels = generator(seed, Stream.DATA, 1).integers(0, CLASSES, len(images))
    selector = FixedSelector(precision)
    found: list[Executed] = []
    with open_accelerator("golden", parameters) as accelerator:
        arithmetic: Arithmetic = IntegerArithmetic(accelerator)
        if mode == "hardware":
            arithmetic = IntegerStep(accelerator)
        options = step_options(selector, arithmetic, precision if uniform else UNQUANTIZED)
        count, channels, height, width = images.shape
        graph = build_step(network, (count, channels, height, width), options)
        wanted = _layers_of(graph, blocks)

        def observe(operation: Operation, run: Run) -> None:
            if isinstance(operation, Convolve) and operation.layer in wanted:
                found.append(_executed(operation, run))

        arithmetic.adopt(network)
        executor = Executor(graph, network, arithmetic, selector, observe)
        given, rounding = {"images": images, "labels": labels}, arithmetic.rounding(seed, 0)
        run = executor.forward(given, rounding)  # without a range, a tensor has that of the step
        executor.backward(run)
    return TrainingStep(found)


def _executed(operation: Convolve, run: Run) -> Executed:
    assert operation.slot is not None
    return Executed(
        operation,
        operation.convolution(run.table),
        run.table[operation.slot],
        run.value(operation.row).integers,
        run.value(operation.column).integers,
        run.value(operation.result),
    )


def _layers_of(graph: StepGraph, blocks: range | None) -> set[str]:
    """Names of the layers with a convolution in ``blocks``."""
    return {
        each.layer
        for each in graph.convolutions
        if blocks is None or graph.members.get(each) in blocks
    }


def check_step(model: str, images: int, blocks: range | None = None) -> None:
    """Raise `ParameterError` for an unknown model, for blocks that it lacks, and for a step that is
    too large to simulate."""
    network = build_network(
        model, channels=RANDOM_SHAPE[0], classes=CLASSES, rng=generator(0, Stream.WEIGHTS)
    )
    outline = build_outline(network, RANDOM_SHAPE)
    most = MOST_CONVOLUTIONS // len(list(outline.convolutions))
    if images > most:
        raise ParameterError(
            "--batch", images, f"at most {most} images of {model}: more take days and gigabytes"
        )
    count = len(outline.blocks)
    if blocks is not None and blocks.stop > count:
        allowed = f"0..{count - 1}, {model} has no more" if count else f"none, {model} has no block"
        raise ParameterError("--blocks", blocks.stop - 1, allowed)


def parse_blocks(text: str) -> range:
    """``2`` or ``0..2`` (both included)."""
    match = re.fullmatch(r"([0-9]{1,4})(?:\.\.([0-9]{1,4}))?", text)
    if not match or (match[2] and int(match[2]) < int(match[1])):
        allowed = "the number of a residual block, or 0..2 for 0, 1, 2"
        raise ParameterError("--blocks", text, allowed)
    return range(int(match[1]), int(match[2] or match[1]) + 1)
