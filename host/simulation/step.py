"""The convolutions of one training step, with the operands that training gives them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import open_accelerator
from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.backends.recording import RecordedCall, RecordingAccelerator
from fractrain.host.execution.loss import softmax_cross_entropy
from fractrain.host.graph.choice import UNQUANTIZED
from fractrain.host.graph.effective_macs import EffectiveMacs
from fractrain.host.networks.execution import Execution, Training
from fractrain.host.networks.resnet import ResNet, build_network, depth_of
from fractrain.host.networks.selection import FixedSelector
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Precision

CLASSES = 10

MOST_CONVOLUTIONS = 38 * 128
"""Layers x images of a step: ResNet-38 with 128 images, gigabytes of operands, hours of RTL."""


@dataclass(frozen=True)
class TrainingStep:
    """``calls`` in their order, and the ``precisions`` that their layers have.

    ``slots[name]`` is the number of the precision of layer ``name``.
    """

    calls: list[RecordedCall]
    precisions: list[Precision]
    slots: dict[str, int]


def record_training_step(
    model: str,
    images: NDArray[np.uint8],
    parameters: Parameters,
    precision: Precision,
    *,
    seed: int,
    blocks: range | None = None,
    uniform: bool = False,
) -> TrainingStep:
    """Train ``model`` for one step on ``images[N,C,H,W]``, golden, and keep its convolutions.

    ``precision`` is that of the residual blocks. With ``blocks``, only the convolutions of those
    residual blocks are kept (0 is the first of the network). ``uniform``: the layers that
    FracTrain leaves unquantized (first convolution, shortcuts) have the same precision.

    Raises `ParameterError` for an unknown model and for blocks that it does not have.
    """
    check_step(model, len(images), blocks)
    network = build_network(
        model,
        channels=images.shape[1],
        classes=CLASSES,
        rng=generator(seed, Stream.WEIGHTS),
    )
    names = [
        each.name.removesuffix(".weight")
        for each in network.parameters()
        if each.name.endswith(".weight") and each.value.ndim == 4
    ]
    wanted = _layers_of(network, blocks, names)
    labels = generator(seed, Stream.DATA, 1).integers(0, CLASSES, len(images))
    reference = open_accelerator("golden", parameters)
    accelerator = RecordingAccelerator(reference, names)
    with accelerator:
        training = Training(accelerator.elementwise.rounding(seed, 0), EffectiveMacs())
        others = precision if uniform else UNQUANTIZED
        arithmetic = IntegerArithmetic(accelerator)
        execution = Execution(arithmetic, FixedSelector(precision), training, others)
        logits = network.forward(images, execution)
        _, error = softmax_cross_entropy(execution.xp, logits, labels)
        network.backward(error, execution)
    calls = [call for call in accelerator.calls if call.name in wanted]
    return _with_slots(calls)


def check_step(model: str, images: int, blocks: range | None = None) -> None:
    """Raise `ParameterError` for an unknown model, for blocks that it does not have, and for a step
    that is too large to simulate."""
    depth = depth_of(model)
    most, count = MOST_CONVOLUTIONS // depth, (depth - 2) // 2
    if images > most:
        raise ParameterError(
            "--batch", images, f"at most {most} images of {model}: more take days and gigabytes"
        )
    if blocks is not None and blocks.stop > count:
        raise ParameterError("--blocks", blocks.stop - 1, f"0..{count - 1}, {model} has no more")


def parse_blocks(text: str) -> range:
    """``2`` or ``0..2`` (both included)."""
    match = re.fullmatch(r"([0-9]{1,4})(?:\.\.([0-9]{1,4}))?", text)
    if not match or (match[2] and int(match[2]) < int(match[1])):
        allowed = "the number of a residual block, or 0..2 for 0, 1, 2"
        raise ParameterError("--blocks", text, allowed)
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def _layers_of(network: ResNet, blocks: range | None, names: list[str]) -> set[str]:
    if blocks is None:
        return set(names)
    kept = (network.blocks[number].parameters() for number in blocks)
    return {each.name.removesuffix(".weight") for block in kept for each in block}


def _with_slots(calls: Iterable[RecordedCall]) -> TrainingStep:
    """Find each layer's precision from the bits of its calls; equal ones share a slot."""
    bits: dict[str, dict[Operand, int]] = {}
    calls = list(calls)
    for call in calls:
        known = bits.setdefault(call.name, {})
        known[call.pass_.row], known[call.pass_.column] = call.bits
    precisions: list[Precision] = []
    slots: dict[str, int] = {}
    for name, known in bits.items():
        each = Precision(*(known.get(operand, 1) for operand in Operand))
        if each not in precisions:
            precisions.append(each)
        slots[name] = precisions.index(each)
    return TrainingStep(calls, precisions, slots)


def geometry_text(call: RecordedCall) -> str:
    """For example ``16 -> 32, 3x3/2, 32x32``."""
    filters, channels, height, width = call.kernels
    rows, columns = call.size
    return f"{channels} -> {filters}, {height}x{width}/{call.stride}, {rows}x{columns}"


def useful_bit_products(call: RecordedCall) -> int:
    """One-bit multiply-adds that the convolution is made of: MACs x bits x bits."""
    return call.macs * call.bits[0] * call.bits[1]
