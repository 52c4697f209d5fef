"""The workload of a power measurement: one convolution, repeated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fractrain.host.backends.board import BoardAccelerator
from fractrain.host.backends.cycle_limit import launch
from fractrain.host.board.device import BoardDevice
from fractrain.host.compiler import Program, Step, compile_program
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass, Precision

__all__ = ["BITS", "Workload"]

BITS = 8
CHANNELS = FILTERS = 64
SIZE = 16
KERNEL = 3
MACS_PER_IMAGE = CHANNELS * FILTERS * KERNEL**2 * SIZE**2
MOST_IMAGES = 64
SEED = 706
PRECISIONS = {0: Precision(BITS, BITS, BITS)}


@dataclass
class Workload:
    """A 3 x 3 convolution of 64 channels on images of 16 x 16 pixels, 8 by 8 bits. Its random
    operands stay in the buffer: a call runs it once, on the machine alone.

    ``seconds`` is the total time of the ``runs``, from START to the interrupt; ``macs`` of one run.
    """

    device: BoardDevice
    program: Program
    macs: int
    runs: int = 0
    seconds: float = 0.0

    @classmethod
    def prepare(cls, device: BoardDevice, about_cycles: int) -> Workload:
        """Put program and operands into the buffer of ``device``: as many images as take
        ``about_cycles`` cycles, and fit."""
        parameters = device.parameters
        accelerator = BoardAccelerator.over(device)
        images = _images(parameters, about_cycles)
        while True:
            program = _program(parameters, images, device.buffer.address)
            if program.memory_bytes <= device.buffer.size or images == 1:
                break
            images = max(1, images // 2)
        random = np.random.default_rng(SEED)
        largest = (1 << BITS) - 1
        kernels = FILTERS, CHANNELS, KERNEL, KERNEL
        operands = {
            "a": random.integers(0, largest, (images, CHANNELS, SIZE, SIZE), endpoint=True),
            "w": random.integers(-(largest // 2), largest // 2 + 1, kernels),
        }
        # Once through the accelerator, with all checks; the operands stay in the buffer.
        accelerator.run(program, operands, PRECISIONS)
        return cls(device, program, images * MACS_PER_IMAGE)

    def __call__(self) -> None:
        """One run; raises as `host.driver.Driver.run` does."""
        ended = self.device.driver.run(launch(self.program, PRECISIONS))
        self.seconds += ended.most / self.device.clock_hz
        self.runs += 1

    @property
    def cycles_per_run(self) -> int:
        """Of the last run, by the machine's counters: each run clears them."""
        return self.device.driver.counted_cycles()


def _images(parameters: Parameters, about_cycles: int) -> int:
    array = parameters.array
    products = array.rows * array.columns * array.lanes * parameters.array.spatial_bits**2
    per_image = MACS_PER_IMAGE * BITS * BITS / products
    return int(np.clip(about_cycles // per_image, 1, MOST_IMAGES))


def _program(parameters: Parameters, images: int, base_address: int) -> Program:
    geometry = Geometry(images, CHANNELS, FILTERS, (SIZE, SIZE), (KERNEL, KERNEL), 1, KERNEL // 2)
    step = Step(Pass.FORWARD, geometry, 0, "a", "w", "y", (BITS, BITS))
    return compile_program(parameters, [step], base_address)
