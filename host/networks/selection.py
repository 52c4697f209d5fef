"""Selectors: they choose the precision of each block in a pass; the simplest one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fractrain.host.graph.choice import Choice, Path
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Array
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision


class Selector(ABC):
    """Chooses for each block in turn, first to last; `backward` visits the choices last to first.

    ``precisions``: all that it can choose. ``stored_bits``: it chooses from inputs quantized to so
    many bits (None: inputs are quantized after the choice). ``per_sample``: each image takes its
    own path, one for each of ``precisions``, in their order. ``learns``: `backward` must be called.
    None of these changes during use.
    """

    precisions: Sequence[Precision]
    stored_bits: int | None = None
    per_sample: bool = False
    learns: bool = False

    @property
    def known(self) -> Choice | None:
        """The choice for every block, if it is the same for all, whatever their inputs."""
        return None

    @property
    def indicated_loss(self) -> float:
        """Its term of the last pass's loss, where the loss indicator sees that."""
        return 0.0

    def begin(self, *, training: bool) -> None:  # noqa: B027  most have nothing to prepare
        """Start a pass through the network."""

    @abstractmethod
    def choose(self, index: int, x: Array, elementwise: Elementwise) -> Choice:
        """For block ``index`` with the input ``x[N,C,H,W]``."""

    @property
    def can_choose_early(self) -> bool:
        """Whether what was recorded suffices to choose."""
        return True

    def choose_early(self, index: int, *, training: bool) -> Choice:
        """For block ``index``, before the step: from what was recorded (`record`)."""
        raise ParameterError(
            "selector",
            type(self).__name__,
            "one that chooses before a step, in hardware mode; --mode float takes others",
        )

    def dearest(self) -> Choice:
        """For a step that only measures: no block is skipped."""
        most = max(self.precisions, key=lambda each: each.activation * each.weight * each.error)
        return Choice((Path(most),))

    def record(  # noqa: B027
        self, index: int, means: NDArray[np.float64], *, measuring: bool
    ) -> None:
        """Take the means of block ``index``'s input over images and pixels, [C]; ``measuring``: of
        a step that only measures."""

    def learn(self, index: int, share: float) -> None:
        """Learn from ∂loss/∂share of the only path of block ``index``, last to first."""
        raise ParameterError(
            "selector",
            type(self).__name__,
            "one that learns from shares (learn), in hardware mode; --mode float takes others",
        )

    def backward(
        self, index: int, shares: Array, shape: tuple[int, ...], elementwise: Elementwise
    ) -> Array:
        """The error that the choice causes at the block's input of ``shape``, to be added; where
        it is the same for all pixels or images, they may have one.

        ``shares``: ∂loss/∂share of the only path, [1], or of each path, [paths, N].
        """
        raise NotImplementedError("a selector that does not learn is not gone back through")

    def parameters(self) -> list[Parameter]:
        """Its own parameters."""
        return []

    def statistics(self) -> list[Statistic]:
        """Running quantities that later steps depend on."""
        return []


class FixedSelector(Selector):
    """The same precision for every block: the first of ``precisions``, until another one of them
    is set as ``precision`` between steps."""

    def __init__(self, *precisions: Precision) -> None:
        self.precision, self.precisions = precisions[0], precisions

    @property
    def known(self) -> Choice:
        return Choice((Path(self.precision),))

    def choose(self, index: int, x: Array, elementwise: Elementwise) -> Choice:
        return self.known

    def choose_early(self, index: int, *, training: bool) -> Choice:
        return self.known
