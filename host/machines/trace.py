"""A trace: which network was trained, and the bits of every block in every step.

What a machine is asked about a whole training run. Traces come from the log of a run
(`host.machines.run_traces`), from a file (`host.machines.trace_files`) or from a mix of candidates
(`host.machines.mixes`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from fractrain.host.graph.choice import is_skip
from fractrain.host.machines.network_layers import NetworkLayer, blocks_of, layers_of
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.sim.machines import Work

EIGHT = Precision(8, 8, 8)
"""FW8/BW8."""

Images = tuple[int, int, int]
"""Channels, rows and columns."""

CIFAR: Images = (3, 32, 32)


@dataclass(frozen=True)
class Stretch:
    """``steps`` in a row with the same ``bits`` of the blocks; a share of a step in a mix."""

    steps: float
    bits: tuple[Precision, ...]


@dataclass(frozen=True)
class Trace:
    """A training run as far as machines are concerned.

    name : for people
    model : of the network, see `host.networks.registry`
    images : channels, rows, columns of one
    batch : images of a step
    stretches : all steps, in their order
    first : bits of the layers in front of the blocks
    shortcuts : bits of the layers around blocks; None if they have those of their block
    source : what else is known of the run: its command, accuracy, …
    command : how to get this trace again on the command line
    """

    name: str
    model: str
    images: Images
    batch: int
    stretches: tuple[Stretch, ...]
    first: Precision = EIGHT
    shortcuts: Precision | None = EIGHT
    source: Mapping[str, Any] = field(default_factory=dict, compare=False)
    command: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        blocks = self.blocks
        if not self.stretches or not self.steps > 0:
            raise ParameterError("trace", self.name, "at least one step")
        for each in self.stretches:
            if len(each.bits) != blocks:
                allowed = f"one precision for each of the {blocks} blocks of {self.model}"
                raise ParameterError(f"bits of {self.name}", len(each.bits), allowed)

    @cached_property
    def layers(self) -> tuple[NetworkLayer, ...]:
        """All convolutions of the network."""
        return layers_of(self.model, self.images)

    @property
    def blocks(self) -> int:
        """How many the network has."""
        return blocks_of(self.model, self.images)

    @cached_property
    def steps(self) -> float:
        return sum(each.steps for each in self.stretches)

    @property
    def kept_at(self) -> Precision | None:
        """The precision of all blocks in all steps; None if it changes."""
        found = {bits for each in self.stretches for bits in each.bits}
        return found.pop() if len(found) == 1 else None

    @cached_property
    def usage(self) -> tuple[Counter[Precision], ...]:
        """Of each block: for how many steps it had which precision."""
        found: list[Counter[Precision]] = [Counter() for _ in range(self.blocks)]
        for stretch in self.stretches:
            for counter, bits in zip(found, stretch.bits, strict=True):
                counter[bits] += stretch.steps  # type: ignore[assignment]
        return tuple(found)

    def at(self, precision: Precision) -> Trace:
        """The same steps with every layer at ``precision``."""
        bits = (precision,) * self.blocks
        name = f"{self.name} at {precision}"
        stretches = (Stretch(self.steps, bits),)
        return replace(self, name=name, stretches=stretches, first=precision, shortcuts=precision)

    def works(self) -> Iterator[tuple[NetworkLayer, Work, float]]:
        """Every layer and pass with each pair of bits that it had, and for how many steps.

        A block that is skipped has no work, the shortcut around it does.
        """
        for layer in self.layers:
            for precision, steps in self._precisions(layer).items():
                if is_skip(precision):
                    continue
                for pass_ in layer.passes:
                    bits = precision.bits(pass_.row), precision.bits(pass_.column)
                    yield layer, Work(layer.of(self.batch), pass_, bits), steps

    def _precisions(self, layer: NetworkLayer) -> Mapping[Precision, float]:
        if layer.block is None:
            return {self.first: self.steps}
        if layer.chosen or self.shortcuts is None:
            return self.usage[layer.block]
        return {self.shortcuts: self.steps}

    @cached_property
    def effective_macs(self) -> float:
        """Multiply-accumulates of 32 x 32 bits: MACs · a/32 · w/32, summed over all passes."""
        return sum(
            steps * work.layer.macs * work.bits[0] * work.bits[1] / 1024
            for _, work, steps in self.works()
        )

    @cached_property
    def cp(self) -> float:
        """Cost of the blocks in percent of 32-bit arithmetic, FW8/BW8 is 6.25: the layers at a
        chosen precision, weighted by their MACs."""
        done = whole = 0.0
        for layer in self.layers:
            if not layer.chosen or layer.block is None:
                continue
            for precision, steps in self.usage[layer.block].items():
                products = sum(
                    precision.bits(each.row) * precision.bits(each.column) for each in Pass
                )
                done += steps * layer.geometry.macs * products
                whole += steps * layer.geometry.macs * 3 * 1024
        return 100 * done / whole if whole else 0.0
