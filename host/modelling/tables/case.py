"""One training step that a table is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from fractrain.host.graph.choice import Choice, fixed_choices
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import ImageShape, StepGraph, build_step
from fractrain.host.modelling.host_work import STORED_BITS
from fractrain.host.networks.network import Network
from fractrain.hw.contract.precision import PRECISION, Precision
from fractrain.hw.contract.values import Several

BLOCKS = Several(PRECISION, 1, 600, "precisions A,W,E joined by +", "3,3,6+8,8,8", separator="+")


@dataclass(frozen=True)
class Case:
    """A step of ``network`` on ``images`` [N,C,H,W], the memory modelled as ``memory``.

    ``blocks``: precisions for the network's blocks in turn, as `BLOCKS` reads them; with ``gates``
    those that gates choose, else known before. ``mode``: ``hardware`` or ``float``.
    """

    network: Network
    images: ImageShape
    blocks: str
    memory: str
    gates: bool = False
    mode: str = "hardware"

    @cached_property
    def step(self) -> StepGraph:
        """Its operations."""
        given = dict.fromkeys(BLOCKS.read("--precisions", self.blocks))
        options = StepOptions(tuple(given), learns=self.gates)
        if self.mode == "hardware":
            options = replace(options, integers=IntegerOptions())
        elif self.gates:
            options = replace(options, stored_bits=STORED_BITS)
        return build_step(self.network, self.images, options)

    @property
    def precisions(self) -> list[Precision]:
        """One for each block."""
        return parse_blocks(self.blocks, len(self.step.blocks))

    @property
    def choices(self) -> list[Choice]:
        """The same, as choices."""
        return fixed_choices(self.precisions)

    @property
    def title(self) -> str:
        """As shown above its table."""
        chosen = ", chosen by gates" if self.gates else ""
        mode = "" if self.mode == "hardware" else f", {self.mode} mode"
        return f"{self.network.name}, batch {self.images[0]}, blocks at {self.blocks}{chosen}{mode}"


def parse_blocks(text: str, count: int) -> list[Precision]:
    """``3,3,6+8,8,8``: precisions for ``count`` blocks, in turn."""
    given = BLOCKS.read("--precisions", text)
    return [given[number % len(given)] for number in range(count)]
