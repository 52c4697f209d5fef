"""Which precision a residual block runs at in one pass: the question, and the simplest answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Array
from fractrain.hw.contract.precision import Operand, Precision


def is_skip(precision: Precision) -> bool:
    """Whether a block of this precision is skipped: 0 bits of any operand."""
    return 0 in (precision.activation, precision.weight, precision.error)


@dataclass(frozen=True)
class Path:
    """One way through a block: both its convolutions at ``precision`` (0 bits: around them).

    ``images`` of the batch take it, all if None, and ``mask[N]`` says which: 1 for those.
    """

    precision: Precision
    images: int | None = None
    mask: Any = None


@dataclass(frozen=True)
class Choice:
    """What was chosen for a block: one path for the whole batch, or several that share it.

    ``learns``: the selector wants to know, for each path, how the loss would change with the share
    that the path has of the output (`Selector.backward`). ``stored_bits``: the block's input was
    quantized to so many bits before the choice, and is read as its top planes; None if the choice
    was known in time.
    """

    paths: tuple[Path, ...]
    learns: bool = False
    stored_bits: int | None = None

    def bits(self, images: int) -> tuple[float, float, float]:
        """Bits of activations, weights and errors, averaged over the ``images`` of the batch."""
        shares = [images if path.images is None else path.images for path in self.paths]
        activation, weight, error = (
            sum(
                share * path.precision.bits(operand)
                for share, path in zip(shares, self.paths, strict=True)
            )
            / images
            for operand in Operand
        )
        return activation, weight, error


class Selector(ABC):
    """Chooses for each block in turn, first to last, and goes back through the choices.

    ``precisions`` are all that it can choose.
    """

    precisions: Sequence[Precision]

    def begin(self, *, training: bool) -> None:  # noqa: B027  most have nothing to prepare
        """Start a pass through the network."""

    @abstractmethod
    def choose(self, index: int, x: Array, elementwise: Elementwise) -> Choice:
        """For block ``index`` with the input ``x[N,C,H,W]``."""

    def backward(
        self, index: int, shares: Array, shape: tuple[int, ...], elementwise: Elementwise
    ) -> Array | None:
        """The error that the choice causes at the block's input of ``shape``, to be added.

        ``shares``: ∂loss/∂share of each path, [paths] or [paths, N].
        """
        return None

    def parameters(self) -> list[Parameter]:
        """What it learns with."""
        return []

    def statistics(self) -> list[Statistic]:
        """Running quantities that later steps depend on."""
        return []


class FixedSelector(Selector):
    """The same precision for every block: the first of ``precisions``, until another one of them
    is set as ``precision`` between steps."""

    def __init__(self, *precisions: Precision) -> None:
        self.precision, self.precisions = precisions[0], precisions

    def choose(self, index: int, x: Array, elementwise: Elementwise) -> Choice:
        return Choice((Path(self.precision),))
