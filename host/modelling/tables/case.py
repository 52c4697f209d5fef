"""One training step that a table is about."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.networks.resnet import ResNet
from fractrain.hw.contract.precision import PRECISION, Precision
from fractrain.hw.contract.values import Several

BLOCKS = Several(PRECISION, 1, 600, "precisions A,W,E joined by +", "3,3,6+8,8,8", separator="+")


@dataclass(frozen=True)
class Case:
    """A step of ``network`` on ``batch`` images of ``size``, the memory modelled as ``memory``.

    ``blocks``: precisions for the network's blocks in turn, as `BLOCKS` reads them; with ``gates``
    those that gates choose, else known before.
    """

    network: ResNet
    size: tuple[int, int]
    blocks: str
    memory: str
    batch: int
    gates: bool = False

    @property
    def precisions(self) -> list[Precision]:
        """One for each block."""
        return parse_blocks(self.blocks, len(self.network.blocks))

    @property
    def title(self) -> str:
        """As shown above its table."""
        chosen = ", chosen by gates" if self.gates else ""
        return f"{self.network.name}, batch {self.batch}, blocks at {self.blocks}{chosen}"


def parse_blocks(text: str, count: int) -> list[Precision]:
    """``3,3,6+8,8,8``: precisions for ``count`` blocks, in turn."""
    given = BLOCKS.read("--precisions", text)
    return [given[number % len(given)] for number in range(count)]
