"""What the host's part of a whole step takes on this computer, in ms a step.

    python -m tests.host.machine_step.host_costs --model resnet38 --batch 128

The machine is a double that gives numbers of the right shapes at once: all that is timed is NumPy
and Python, on one core. Not part of the tests.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fractrain.host.accelerator import open_accelerator
from fractrain.host.arithmetic import IntegerStep
from fractrain.host.execution import Executor, step_options
from fractrain.host.graph import operations as ops
from fractrain.host.graph.machine_records import NormKey, NormMoments, StepResults
from fractrain.host.graph.step import StepGraph, build_outline, build_step
from fractrain.host.machine_step import MachineStep, PooledSums, StepOrder
from fractrain.host.machine_step.records import StepColumns
from fractrain.host.methods.method import Task
from fractrain.host.methods.recipe import make_recipe
from fractrain.host.networks.registry import build_network
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.random_streams import Stream
from fractrain.host.training.integer_optimizer import IntegerSgd

SHAPE = 3, 32, 32


class Instant:
    """A machine whose results are there at once; ``seconds`` is what the host took between."""

    def __init__(self, graph: StepGraph, arithmetic: IntegerStep) -> None:
        self.graph, self.arithmetic = graph, arithmetic
        self.results, self.sums = self._make()
        self.spent: dict[str, float] = {}
        self._at = 0.0

    def note(self, what: str) -> None:
        now = time.process_time()
        self.spent[what] = self.spent.get(what, 0.0) + now - self._at
        self._at = time.process_time()

    def start(self) -> None:
        self._at = time.process_time()

    def _make(self) -> tuple[StepResults, Any]:
        rng, moments, peaks = np.random.default_rng(0), {}, {}
        pooled, weights = {}, {}
        for each in self.graph.operations:
            if isinstance(each, ops.Narrow | ops.Form | ops.Join | ops.Apply):
                peaks[each.name] = 12000
            if isinstance(each, ops.Form):
                images, _, *size = each.outputs[0].shape
                chunks = -(-images // self.arithmetic.integers.chunk(images, *size))
                if each.r is not None:
                    pooled[each.name] = rng.integers(0, 10000, each.r.shape[:2])
                for place, y in enumerate(each.ys):
                    made = rng.integers(1, 1 << 30, (4, chunks, y.shape[1]))
                    moments[NormKey(each.name, place)] = NormMoments(*made)
            if isinstance(each, ops.QuantizeWeights):
                weights[each.x.name] = 1 << 26, 1 << 34
        sums = next(iter(reversed(pooled.values())))
        return StepResults(peaks, moments, weights, pooled), sums

    def write_weights(self, weights: Mapping[str, Any]) -> None: ...

    def read_weights(self) -> Mapping[str, Any]:
        raise NotImplementedError

    def forward(self, order: StepOrder) -> Iterator[PooledSums]:
        self.note("records")
        pack(order.records)
        self.note("packing")
        for first in range(0, len(self.sums), 32):
            yield PooledSums(first, self.sums[first : first + 32])
            self.note("classifier and loss, a chunk" if first else "classifier and loss, first")

    def backward(self, errors: Any, records: StepColumns) -> StepResults:
        self.note("E at the pooling")
        pack(records)
        self.note("packing")
        return self.results


def pack(records: StepColumns) -> None:
    for each in (records.scales, records.norms, records.updates):
        each.pack()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet38")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--method", default="fractrain", choices=("fractrain", "static"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    with open_accelerator("golden") as accelerator:
        numbers = counter_numbers(1, Stream.WEIGHTS)
        network = build_network(given.model, channels=3, classes=10, rng=numbers)
        outline = build_outline(network, SHAPE)
        task = Task(
            steps=100,
            steps_per_epoch=10,
            widths=[block.channels for block in outline.blocks],
            macs=[outline.block_macs(block.number) for block in outline.blocks],
            mode="hardware",
            rng=counter_numbers(1, Stream.GATES),
        )
        recipe = make_recipe(given.method).for_mode("hardware")
        selector = recipe.build(task).selector
        arithmetic = IntegerStep(accelerator)
        arithmetic.adopt(network)
        options = step_options(selector, arithmetic)
        graph = build_step(network, (given.batch, *SHAPE), options)
        executor = Executor(graph, network, arithmetic, selector)
        for each in graph.operations:
            if isinstance(each, ops.Narrow | ops.Form | ops.Join | ops.Apply):
                arithmetic.history.observe(each.range_name, 3.0)
            if isinstance(each, ops.RecordMeans):
                selector.record(each.block, np.ones(each.x.shape[1]), measuring=True)
        arithmetic.history.commit()
        machine = Instant(graph, arithmetic)
        everyone = [*network.parameters(), *selector.parameters()]
        optimizer = IntegerSgd(everyone, arithmetic, momentum=0.9, weight_decay=1e-4, seed=1)
        steps = MachineStep(network, arithmetic, optimizer, machine)
        batch = np.zeros((given.batch, *SHAPE), np.uint8), np.arange(given.batch) % 10

        def step(number: int) -> None:
            machine.start()
            steps.run(executor, batch, (1, number), 1e-6)
            machine.note("after the step")

        step(0)
        machine.spent.clear()
        if given.profile:
            import cProfile
            import pstats

            with cProfile.Profile(time.process_time) as profile:
                for number in range(given.steps):
                    step(number)
            pstats.Stats(profile).sort_stats("cumulative").print_stats(
                "machine_step|host.arithmetic|training|gates|records.py", 45
            )
        else:
            for number in range(given.steps):
                step(number)
        for what, seconds in machine.spent.items():
            print(f"{1000 * seconds / given.steps:8.2f} ms  {what}")
        print(f"{1000 * sum(machine.spent.values()) / given.steps:8.2f} ms  all")


if __name__ == "__main__":
    main()
