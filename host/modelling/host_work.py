"""What the host does in a training step, counted: elements of each kind of work (`host_kinds`).

A step is trained by the golden model on a few images, and everything around the convolutions is
recorded as it is called. What every image needs is proportional to the batch, what weights need
does not depend on it: two small batches give any other. Tensors that go to the machine and come
back are counted from the layouts of the very programs that it would run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Accelerator, Integers
from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.backends.golden import GoldenAccelerator
from fractrain.host.compiler import Geometry, Step, compile_program
from fractrain.host.execution.loss import softmax_cross_entropy
from fractrain.host.graph.choice import Choice, Path
from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.effective_macs import EffectiveMacs
from fractrain.host.modelling import host_kinds as kinds
from fractrain.host.modelling.host_kinds import KINDS, Kind
from fractrain.host.networks.execution import Execution, Training
from fractrain.host.networks.gates import GateRules, Gates
from fractrain.host.networks.resnet import ResNet
from fractrain.host.networks.selection import Selector
from fractrain.host.numerics.elementwise import Elementwise, Normalized
from fractrain.host.numerics.quantization import Array, Quantized, WeightLevels
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.host.training.optimizer import MomentumSgd
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass, Precision

FEW_IMAGES = (2, 4)
"""Batches that are recorded; others lie on the straight line through them."""

STORED_BITS = 8
"""Of activations that gates decide about later."""

Program = tuple[Pass, Geometry, tuple[int, int]]


@dataclass
class HostWork:
    """Elements of each kind of work, and how often it was called."""

    elements: Counter[Kind] = field(default_factory=Counter)
    calls: Counter[Kind] = field(default_factory=Counter)

    def add(self, kind: Kind, elements: float, calls: float = 1) -> None:
        """Count ``calls`` calls of work on ``elements`` together."""
        self.elements[kind] += elements  # type: ignore[assignment]  # extrapolated ones are floats
        self.calls[kind] += calls  # type: ignore[assignment]

    def numpy_calls(self, kind: Kind) -> float:
        """Calls of NumPy, as it is written."""
        return self.calls[kind] * len(kind.calls)

    def extrapolated(self, more: HostWork, images: tuple[int, int], batch: int) -> HostWork:
        """Of ``batch`` images: this is of ``images[0]``, ``more`` of ``images[1]``."""
        factor = (batch - images[0]) / (images[1] - images[0])
        found = HostWork()
        for kind in KINDS:
            few, many = self.elements[kind], more.elements[kind]
            if few or many:
                found.add(kind, few + factor * (many - few), self.calls[kind])
        return found


def count_host_work(
    network: ResNet,
    size: tuple[int, int],
    batch: int,
    blocks: Sequence[Precision],
    parameters: Parameters,
    *,
    gates: bool = False,
) -> HostWork:
    """A training step of ``network`` on ``batch`` images of ``size``, its blocks at ``blocks``.

    ``gates``: as with FracTrain, where gates look at each block's input and learn; what they would
    choose is replaced by ``blocks``. Programs are those of the machine ``parameters``, one for each
    convolution. The parameters of ``network`` change.

    Raises `ParameterError` unless there is one of ``blocks`` for each block.
    """
    if len(blocks) != len(network.blocks):
        raise ParameterError("blocks", len(blocks), f"{len(network.blocks)} precisions")
    if batch < 1:
        raise ParameterError("batch", batch, "at least 1 image")
    recorded = [
        record_step(network, size, images, blocks, parameters, gates=gates) for images in FEW_IMAGES
    ]
    (few, programs), (many, _) = recorded
    work = few.extrapolated(many, FEW_IMAGES, batch)
    count_programs(work, _of_images(programs, batch), parameters)
    return work


def record_step(
    network: ResNet,
    size: tuple[int, int],
    images: int,
    blocks: Sequence[Precision],
    parameters: Parameters,
    *,
    gates: bool = False,
) -> tuple[HostWork, Counter[Program]]:
    """One step on ``images`` random images: the work around its programs, and its programs."""
    work = HostWork()
    accelerator = RecordingHost(parameters, work)
    selector: Selector = _Chosen(blocks)
    if gates:
        selector = _ChosenGates(network, size, blocks, work)
    channels, classes = network.first.convolution.shape.channels, len(network.classifier.bias.value)
    numbers = generator(0, Stream.DATA)
    pixels = numbers.integers(0, 256, (images, channels, *size), dtype=np.uint8)
    work.add(kinds.DATA, pixels.size)
    training = Training(accelerator.elementwise.rounding(0, 0), EffectiveMacs())
    arithmetic = IntegerArithmetic(accelerator, WeightLevels.CLIP)
    execution = Execution(arithmetic, selector, training)
    logits = network.forward(pixels, execution)
    _, error = softmax_cross_entropy(np, logits, numbers.integers(0, classes, images))
    work.add(kinds.LOSS, images * network.classifier.weight.value.size)
    network.backward(error, execution)
    learned = [*network.parameters(), *selector.parameters()]
    MomentumSgd(learned).step(0.01)
    work.add(kinds.OPTIMIZER, sum(each.value.size for each in learned), len(learned))
    return work, accelerator.programs


def count_programs(work: HostWork, programs: Mapping[Program, int], parameters: Parameters) -> None:
    """Add what packing operands for ``programs`` and reading their results takes."""
    for (pass_, geometry, stored), count in programs.items():
        step = Step(pass_, geometry, 0, "row", "column", "result", stored)
        program = compile_program(parameters, [step])
        given = int(np.prod(step.row_shape)) + int(np.prod(step.column_shape))
        work.add(kinds.CHECK, count * given, 2 * count)
        for layout in program.packed:
            elements = layout.words // layout.digits * parameters.block_bits
            work.add(kinds.TO_BLOCKS, count * elements, count)
            work.add(kinds.TO_PLANES, count * elements * layout.bits, count * layout.bits)
        work.add(kinds.TO_BUFFER, count * program.memory_bytes / 8, count)
        for region in program.unpacked:
            tile = parameters.array.rows * parameters.array.columns
            work.add(kinds.FROM_TILES, count * region.count * tile, count)


def _of_images(programs: Mapping[Program, int], batch: int) -> dict[Program, int]:
    return {
        (pass_, replace(geometry, images=batch), stored): count
        for (pass_, geometry, stored), count in programs.items()
    }


# -- who chooses -----------------------------------------------------------------------------------


class _Chosen(Selector):
    """Precisions that were known before, one for each block."""

    def __init__(self, blocks: Sequence[Precision]) -> None:
        self.precisions = list(blocks)

    def choose(self, index: int, x: Array, elementwise: Elementwise) -> Choice:
        return Choice((Path(self.precisions[index]),))


class _ChosenGates(Gates):
    """Gates at work, whose choice is then replaced by one of ``blocks``."""

    def __init__(
        self,
        network: ResNet,
        size: tuple[int, int],
        blocks: Sequence[Precision],
        work: HostWork,
    ) -> None:
        wanted = tuple(dict.fromkeys(blocks))
        rules = GateRules(wanted, beta=1e-3, stored_bits=STORED_BITS)
        widths = [block.channels for block in network.blocks]
        macs = network.block_macs(size)
        super().__init__(rules, widths, macs, generator(0, Stream.GATES), target=3.0)
        self._blocks, self._work = list(blocks), work

    def choose(self, index: int, x: Array, elementwise: Elementwise) -> Choice:
        choice = super().choose(index, x, elementwise)
        own = sum(
            each.value.size
            for pair in self._embeddings[index : index + 1]
            for layer in pair
            for each in layer.parameters()
        )
        shared = [*self._lstm.parameters(), *self._decide.parameters()]
        self._work.add(kinds.GATE_NETWORK, own + sum(each.value.size for each in shared))
        return replace(choice, paths=(Path(self._blocks[index]),))


# -- what is recorded ------------------------------------------------------------------------------


class RecordingElementwise(Elementwise):
    """NumPy's work on tensors, counted in ``work``."""

    def __init__(self, work: HostWork) -> None:
        super().__init__()
        self._work, self._plain = work, Elementwise()
        self.xp = _RecordingNamespace(work)

    def quantize_activations(self, x: Array, bits: int, maximum: Array) -> Quantized:
        self._work.add(kinds.QUANTIZE_ACTIVATIONS, x.size)
        return self._plain.quantize_activations(x, bits, maximum)

    def quantize_weights(self, x: Array, bits: int, levels: WeightLevels) -> Quantized:
        self._work.add(kinds.QUANTIZE_WEIGHTS, x.size)
        return self._plain.quantize_weights(x, bits, levels)

    def quantize_errors(self, x: Array, bits: int, rounding: Any) -> Quantized:
        self._work.add(kinds.QUANTIZE_ERRORS, x.size)
        self._work.add(kinds.RANDOM, x.size)
        return self._plain.quantize_errors(x, bits, rounding)

    def top_planes(self, q: Quantized, bits: int) -> Quantized:
        if bits < q.bits:
            self._work.add(kinds.TOP_PLANES, q.integers.size)
        return self._plain.top_planes(q, bits)

    def dequantize(self, result: Array, x: Quantized, y: Quantized) -> Array:
        self._work.add(kinds.DEQUANTIZE, result.size)
        return self._plain.dequantize(result, x, y)

    def normalize(self, x: Array, gamma: Array, beta: Array, epsilon: float) -> Normalized:
        self._work.add(kinds.NORMALIZE, x.size)
        return self._plain.normalize(x, gamma, beta, epsilon)

    def normalize_backward(self, e: Array, saved: Any, gamma: Array) -> tuple[Array, Array, Array]:
        self._work.add(kinds.NORMALIZE_BACKWARD, e.size)
        return self._plain.normalize_backward(e, saved, gamma)

    def rectify(self, x: Array) -> tuple[Array, Any]:
        self._work.add(kinds.RECTIFY, x.size)
        return self._plain.rectify(x)

    def rectify_backward(self, e: Array, saved: Any) -> Array:
        self._work.add(kinds.RECTIFY_BACKWARD, e.size)
        return self._plain.rectify_backward(e, saved)

    def add(self, x: Array | None, y: Array, *, keep: bool) -> Array:
        gates = x is not None and y.size < x.size  # one number for each channel
        self._work.add(kinds.ADD_GATES if gates else kinds.ADD, y.size if x is None else x.size)
        return self._plain.add(x, y, keep=keep)

    def inner_products(self, x: Array, y: Array) -> Array:
        self._work.add(kinds.INNER_PRODUCTS, x.size)
        return self._plain.inner_products(x, y)


class _RecordingNamespace:
    """NumPy for the code around `Elementwise`, which takes maxima and means of whole tensors."""

    def __init__(self, work: HostWork) -> None:
        self._work = work

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def max(self, x: Array) -> Array:
        """The range of activations."""
        self._work.add(kinds.RANGE, x.size)
        return np.max(x)

    def mean(self, x: Array, axis: tuple[int, ...]) -> Array:
        """What a gate looks at, or the classifier."""
        self._work.add(kinds.POOL_GATES if 0 in axis else kinds.POOL, x.size)
        return np.mean(x, axis=axis)


class RecordingHost(Accelerator):
    """Golden's integers; ``programs`` that a machine would have run for them, by how often.

    As a machine, it reads the planes that it needs of what is stored.
    """

    reads_planes = True

    def __init__(self, parameters: Parameters, work: HostWork) -> None:
        super().__init__(parameters, RecordingElementwise(work))
        self._golden = GoldenAccelerator(parameters)
        self.programs: Counter[Program] = Counter()

    def _convolve(
        self, convolution: Convolution, row: Integers, column: Integers
    ) -> NDArray[np.int64]:
        self.programs[convolution.pass_, convolution.geometry, convolution.stored] += 1
        return self._golden.convolve(convolution, row, column)
