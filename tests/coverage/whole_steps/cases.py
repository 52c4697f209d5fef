"""Whole steps of small residual networks: what is drawn of one; as Python text for a replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fractrain.host.accelerator import Accelerator
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cosim.stalls import BusStalls, Stall
from fractrain.sim.functional import Order
from fractrain.sim.memory_model import MemoryModel
from tests.host.compiler.whole_step.golden_step import CLASSES, GoldenStep
from tests.host.compiler.whole_step.small_network import SmallNetwork

__all__ = ["Block", "StepCase", "parse_case"]

HISTORY = 1


@dataclass(frozen=True)
class Block:
    """A residual block: its filters, its stride, its precision (0 bits: it is skipped)."""

    filters: int
    stride: int
    precision: Precision

    @property
    def skipped(self) -> bool:
        return self.precision.activation == 0


@dataclass(frozen=True)
class StepCase:
    """A first convolution of ``filters`` and ``blocks``, on ``batch`` pictures of ``size``.

    ``outside``: precision of the first convolution and of shortcuts. ``rows``: of a chunk, None:
    the mini-batch. ``inner``, ``outer``: bits of x̂ by those of the activations. ``learns``: there
    are gates that read means and shares. ``bus`` names how memory behaves; ``order``: of the
    functional machine's stages.
    """

    filters: int
    blocks: tuple[Block, ...]
    size: tuple[int, int]
    batch: int
    outside: Precision
    rows: int | None
    inner: tuple[int, ...]
    outer: tuple[int, ...]
    residual_bits: int = 8
    learns: bool = False
    bus: str = "ideal"
    model: MemoryModel = MemoryModel()
    stalls: BusStalls = BusStalls()
    seed: int = 0
    order: Order = Order.FETCH_FIRST

    def golden(self, golden: Accelerator) -> GoldenStep:
        """The step as golden has it."""
        shapes = [(each.filters, each.stride) for each in self.blocks]
        options = IntegerOptions(
            chunk_rows=self.rows,
            inner=self.inner,
            outer=self.outer,
            residual_bits=self.residual_bits,
        )
        return GoldenStep(
            golden,
            "",
            self.size,
            self.batch,
            [each.precision for each in self.blocks],
            options,
            history=HISTORY,
            learns=self.learns,
            network=SmallNetwork(self.filters, shapes, channels=3, classes=CLASSES),
            unquantized=self.outside,
        )

    def text(self) -> str:
        """Python text that `parse_case` takes."""
        return repr(self).replace(repr(self.order), str(self.order))


def parse_case(text: str) -> StepCase:
    known: dict[str, Any] = {
        each.__name__: each
        for each in (Block, BusStalls, MemoryModel, Order, Precision, Stall, StepCase)
    }
    found = eval(text, {"__builtins__": {}}, known)  # a test of this project
    assert isinstance(found, StepCase)
    return found
