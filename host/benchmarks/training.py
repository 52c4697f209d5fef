"""Time of a training step, by its parts: `fractrain bench`'s train-<model>-<backend>."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.arithmetic import Arithmetic, IntegerArithmetic, IntegerStep
from fractrain.host.backends.compiled.step_math import CompiledStepMath
from fractrain.host.datasets.dataset import Dataset
from fractrain.host.graph.step import build_outline
from fractrain.host.methods.method import Task
from fractrain.host.methods.recipe import Recipe, make_recipe
from fractrain.host.networks.registry import build_network
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.host.process.blas import single_threaded_blas
from fractrain.host.training.optimizer import MOMENTUM, WEIGHT_DECAY
from fractrain.host.training.trainer import Plan, Trainer
from fractrain.hw.contract.precision import Precision

BATCH = 128
SIZE, CLASSES = 32, 10
PRECISIONS = {
    "fw8bw8": make_recipe("static"),
    "4/4/6": make_recipe("static", precision=Precision(4, 4, 6)),
    "fractrain": make_recipe("fractrain").for_mode("hardware"),
}
"""By name. FracTrain has the same candidates in each form, so that forms can be compared."""

QUANTIZATION = (
    "quantize_activations",
    "quantize_weights",
    "quantize_errors",
    "top_planes",
    "dequantize",
)
STEP = ("narrow", "normalizer", "form", "pool", "join", "apply")
WEIGHTS = ("greatest", "deviation", "quantize_weights", "update")
GATES = ("choose", "backward", "choose_early", "record", "learn")
LAYERS = ("normalize", "normalize_backward", "rectify", "rectify_backward", "add", "inner_products")


@dataclass
class Stopwatch:
    """Seconds in calls of methods, by what they are for; calls inside of timed calls count once."""

    seconds: dict[str, float] = field(default_factory=dict)
    _inside: bool = False

    def watch(self, owner: Any, names: tuple[str, ...], purpose: str) -> None:
        """Time the methods ``names`` of the object ``owner`` from now on."""
        for name in names:
            setattr(owner, name, self._timed(getattr(owner, name), purpose))

    def _timed(self, call: Callable[..., Any], purpose: str) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            if self._inside:
                return call(*args, **options)
            self._inside, start = True, time.perf_counter()
            try:
                return call(*args, **options)
            finally:
                self._inside = False
                spent = time.perf_counter() - start
                self.seconds[purpose] = self.seconds.get(purpose, 0.0) + spent

        return timed


def training_steps(
    model: str, backend: str, precision: str, *, beside_float32: bool, form: str = ""
) -> Generator[dict[str, float], None, None]:
    """Steps of ``model`` on random images, 32x32 pixels in batches of 128, one per measurement.

    The parts of a step are in percent of it; what no part names is the optimizer, the loss, the
    residual error sums and the data. ``beside_float32``: in turn with the same step of the same
    network in plain PyTorch, float32 with autograd, and how many times as long ours takes.
    ``form``: ``plain`` without compiled kernels, ``float`` with float32 around the convolutions.
    """
    with ExitStack() as stack:
        if backend != "torch":  # PyTorch has threads of its own
            stack.enter_context(single_threaded_blas())
        accelerator = stack.enter_context(open_accelerator(backend))
        arithmetic = _arithmetic(accelerator, form)
        trainer = _trainer(model, arithmetic, accelerator, PRECISIONS[precision])
        watch = Stopwatch()
        watch.watch(accelerator, ("run_piece",), "convolutions")
        if isinstance(arithmetic, IntegerStep):
            watch.watch(arithmetic.math, STEP, "around convolutions")
            watch.watch(arithmetic.math, WEIGHTS, "weights")
        else:
            watch.watch(accelerator.elementwise, QUANTIZATION, "quantization")
            watch.watch(accelerator.elementwise, LAYERS, "batch norm, ReLU, additions")
        watch.watch(trainer.method.selector, GATES, "gates")
        plain = _float32_step(model) if beside_float32 else None
        _step(trainer)
        while True:
            watch.seconds.clear()
            seconds = _step(trainer)
            parts = {
                f"% {name}": 100 * spent / seconds for name, spent in sorted(watch.seconds.items())
            }
            outside = 100 - parts["% convolutions"]
            figures = {"steps/s": 1 / seconds, "% outside convolutions": outside, **parts}
            if plain is not None:
                figures["x float32 PyTorch"] = seconds / plain()
            yield figures


def _arithmetic(accelerator: Accelerator, form: str) -> Arithmetic:
    if form == "float":
        return IntegerArithmetic(accelerator)
    arithmetic = IntegerStep(accelerator)
    if form == "plain" and isinstance(arithmetic.math, CompiledStepMath):
        arithmetic.math = arithmetic.math.plain
    return arithmetic


def _step(trainer: Trainer) -> float:
    """Seconds of the next step."""
    start = time.perf_counter()
    trainer.train(lambda report: None, until=trainer.step + 1)
    return time.perf_counter() - start


def _trainer(model: str, arithmetic: Arithmetic, accelerator: Any, recipe: Recipe) -> Trainer:
    network = build_network(model, channels=3, classes=CLASSES, rng=generator(0, Stream.WEIGHTS))
    outline = build_outline(network, (3, SIZE, SIZE))
    plan = Plan(10**6, BATCH, 0, 0.1, "constant", MOMENTUM, WEIGHT_DECAY)
    task = Task(
        steps=plan.steps,
        steps_per_epoch=1,
        widths=[block.channels for block in outline.blocks],
        macs=[outline.block_macs(block.number) for block in outline.blocks],
        mode=arithmetic.mode,
        rng=generator(0, Stream.GATES),
    )
    method = recipe.build(task)
    return Trainer(network, _random_images(), accelerator, method, plan, arithmetic)


def _float32_step(model: str) -> Callable[[], float]:
    """Seconds of a step of the same network in plain PyTorch."""
    from fractrain.host.benchmarks.torch_reference import ReferenceTraining

    reference = ReferenceTraining(model, channels=3, classes=CLASSES)
    data = _random_images()
    images, labels = data.train_images[:BATCH], data.train_labels[:BATCH]

    def step() -> float:
        start = time.perf_counter()
        reference.step(images, labels)
        return time.perf_counter() - start

    step()
    return step


def _random_images() -> Dataset:
    """Two batches that look like images to the arithmetic: smooth, of all brightnesses."""
    rng = generator(0, Stream.DATA)
    coarse = rng.integers(0, 256, (2 * BATCH, 3, SIZE // 4, SIZE // 4), np.uint8)
    images = coarse.repeat(4, axis=2).repeat(4, axis=3)
    labels = rng.integers(0, CLASSES, len(images))
    return Dataset(
        "random", CLASSES, images, labels, images[:1], labels[:1], crop_padding=4, flip=True
    )
