"""Runs a compiled step on the functional machine, beside golden."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.whole_step import compile_whole_step
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.functional import FunctionalMachine, Order, RunResult
from tests.host.compiler.whole_step.golden_step import SEED, GoldenStep
from tests.hw.machines import machine

BASE = 1 << 20
"""Of the memory."""
VECTOR = {
    "staging_words": 8192,
    "side_words": 4096,
    "side_bits": 16,
    "parameter_words": 2048,
    "moment_words": 512,
    "peak_words": 256,
}


def small(vector: dict[str, int] | None = None, **changes: Any) -> Parameters:
    """Blocks of 8 channels x 16 pixels, with a vector unit; stages run far ahead of each other, so
    that a missing token shows."""
    given = {
        "vector": VECTOR | (vector or {}),
        "buffers__plane_words": 8192,
        "buffers__column_words": 512,
        "buffers__gradient_words": 2048,
        "queues__commands": 64,
    }
    return machine("tiny", **given | changes)


class Stepped:
    """A step of golden on the machine of ``p``."""

    limited: Set[str] = frozenset()
    """Weights whose updates have other factors than golden's, and end as others."""

    def __init__(self, golden: GoldenStep, p: Parameters, order: Order = Order.FETCH_FIRST) -> None:
        self.golden = golden
        self.compiled = compile_whole_step(p, golden.graph, BASE)
        self.memory = self.filled()
        self.machine = FunctionalMachine(p, self.memory, base=BASE, seed=4)
        self.result = self.run(order)

    def run(self, order: Order = Order.FETCH_FIRST) -> RunResult:
        """The step, on whatever is in the machine's memories."""
        golden, compiled = self.golden, self.compiled
        self.pack()
        for slot, each in enumerate(zip(*compiled.tables(golden.table), strict=True)):
            self.machine.table[slot], self.machine.kept[slot] = each
        self.machine.rounding = SEED, golden.number
        return self.machine.run(compiled.program_address, len(compiled.commands), order, self._host)

    def filled(self) -> NDArray[np.uint8]:
        """Memory with anything in it."""
        size = self.compiled.memory_bytes
        return np.random.default_rng(3).integers(256, size=size, dtype=np.uint8)

    def pack(self) -> None:
        """Into memory all that the step begins with."""
        self._given = 0
        golden, compiled, memory = self.golden, self.compiled, self.memory
        compiled.pack_program(memory)
        compiled.pack_weights(memory, *golden.before)
        compiled.pack_records(memory, golden.records)
        compiled.pack_images(memory, golden.images(golden.number))

    def _host(self) -> int:
        """Looks at the sums of each chunk; behind the last one there are errors."""
        compiled, golden = self.compiled, self.golden
        images = compiled.chunks[self._given]
        self._given += 1
        (wanted,) = [
            each[images.start : images.stop]
            for name, each in golden.wanted.pooled.items()
            if name == compiled.memory.network.segments[-1].output.form.name
        ]
        equal(compiled.read_pooled(self.memory, images), wanted)
        if self._given < len(compiled.chunks):
            return 0
        compiled.pack_errors(self.memory, golden.errors, golden.late)
        return 1

    def check(self) -> None:
        """Everything that the host reads is golden's."""
        golden, found = self.golden, self.compiled.read_results(self.memory, self.golden.table)
        wanted = golden.wanted
        for name in wanted.pooled:
            equal(found.pooled[name], wanted.pooled[name])
        assert set(found.moments) == set(wanted.moments)
        for key, given in found.moments.items():
            sums = wanted.moments_of(key)
            for name in ("total", "dispersion", "error_total", "error_product"):
                equal(getattr(given, name), getattr(sums, name), f"{key} {name}")
        assert found.peaks == wanted.peaks
        weights, momenta = self.compiled.read_weights(self.memory)
        assert set(weights) == set(wanted.weights)
        for name in weights.keys() - self.limited:
            equal(momenta[name], wanted.momenta[name], f"momenta of {name}")
            equal(weights[name], wanted.weights[name], f"weights of {name}")
            w = wanted.weights[name]
            short = np.clip((w + (1 << 15)) >> 16, -(1 << 15), (1 << 15) - 1)
            assert found.weights[name] == (int(np.abs(w).max()), int((short * short).sum()))


def equal(found: Any, wanted: Any, what: str = "") -> None:
    np.testing.assert_array_equal(found, wanted, err_msg=what)
