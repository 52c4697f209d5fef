"""Which precision a residual block runs at in one pass: the question, and the simplest answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from fractrain.host.graph.choice import Choice, Path
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Array
from fractrain.hw.contract.precision import Precision


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
    """The same precision for every block; it may be set between steps."""

    def __init__(self, precision: Precision) -> None:
        self.precision = precision
        self.precisions = [precision]

    def choose(self, index: int, x: Array, elementwise: Elementwise) -> Choice:
        return Choice((Path(self.precision),))
