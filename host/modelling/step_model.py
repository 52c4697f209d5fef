"""A training step's cost from the costs of its passes: cheap enough to ask for at every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from fractrain.host.graph.choice import is_skip
from fractrain.host.modelling.energy import joules
from fractrain.host.modelling.layers import LayerShape, check_precisions
from fractrain.host.modelling.pass_costs import PassCost, PassCosts
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Pass, Precision, check_bits

REFERENCE_IMAGES = (4, 8)
"""Batches that the cycle model is asked for; the cost of a larger one is a straight line through
theirs. What does not grow with the batch (weights read, gradients written) is so kept apart from
what does."""


@dataclass(frozen=True)
class StepCost:
    """Modelled cost of one training step, or the sum of several.

    ``cycles`` of the machine's clock, ``busy_cycles`` in which the array multiplies,
    ``bytes_moved`` between machine and memory, both ways; ``seconds`` and ``joules`` of those
    (`host.modelling.energy`). Convolutions only: nothing of what the host does is in it.
    """

    cycles: float = 0.0
    busy_cycles: float = 0.0
    bytes_moved: float = 0.0
    seconds: float = 0.0
    joules: float = 0.0

    def __add__(self, other: StepCost) -> StepCost:
        return StepCost(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


class StepModel:
    """Costs of training steps of ``layers`` on ``batch`` images, on the machine ``parameters``.

        cycles = start + Σ_layers Σ_passes cycles(pass, geometry, bits, batch)

    and the same sum of busy cycles and bytes; ``start`` is what the first pass cannot hide. What a
    pass costs depends on its neighbours a little, which the sum leaves out; docs/step_model.md has
    the error against whole steps on the cycle model. ``memory``: see `layers.MEMORIES`. With
    ``port``, results do not go to memory: bytes are those of operands and commands only.

    Each distinct (geometry, pass, bits) is evaluated when it is first asked for, 10 to 500 ms, and
    kept in a file in ``folder`` (`PassCosts`); from then on `cost` only looks up and adds.
    """

    def __init__(
        self,
        parameters: Parameters,
        layers: Sequence[LayerShape],
        batch: int,
        memory: str = "port",
        folder: Path | None = None,
    ) -> None:
        if batch < 1:
            raise ParameterError("batch", batch, "at least 1 image")
        if not layers:
            raise ParameterError("layers", [], "at least one, for example layer_shapes(network)")
        self.parameters, self.layers, self.batch = parameters, tuple(layers), batch
        self._costs = PassCosts(parameters, memory, folder)
        # layers of the same shape share what they cost
        kinds = [(layer.geometry(1), layer.needs_error) for layer in self.layers]
        self._kinds = [kinds.index(each) for each in kinds]
        self._known: dict[tuple[int, Precision], PassCost] = {}

    @property
    def memory(self) -> str:
        """How memory is modelled, one of `layers.MEMORIES`."""
        return self._costs.memory

    def cost(self, precisions: Sequence[Precision]) -> StepCost:
        """Of a step with one of ``precisions`` for each layer; one with 0 bits skips its layer.

        Raises `ParameterError` for another number of them, and for bits that the machine has not.
        """
        check_precisions(self.layers, precisions)
        return self.shared_cost([((precision, 1.0),) for precision in precisions])

    def shared_cost(self, layers: Sequence[Sequence[tuple[Precision, float]]]) -> StepCost:
        """Of a step in which images differ: for each layer, precisions and their shares of the
        batch. A pass over a share of the images is taken to cost that share of its cost."""
        start = cycles = busy = moved = 0.0
        for kind, shares in zip(self._kinds, layers, strict=True):
            for precision, share in shares:
                layer = self._layer_cost(kind, precision)
                start = start or layer.start_cycles  # of the first that is not skipped
                cycles += share * layer.cycles
                busy += share * layer.busy_cycles
                moved += share * layer.bytes_moved
        self._costs.save()
        return self._step_cost(start + cycles, busy, moved)

    def _layer_cost(self, kind: int, precision: Precision) -> PassCost:
        known = self._known.get((kind, precision))
        if known is None:
            known = self._known[kind, precision] = self._layer(self.layers[kind], precision)
        return known

    def _step_cost(self, cycles: float, busy: float, moved: float) -> StepCost:
        seconds = cycles / (self.parameters.clock_mhz * 1e6)
        return StepCost(cycles, busy, moved, seconds, joules(self.parameters, cycles, busy, moved))

    def _layer(self, layer: LayerShape, precision: Precision) -> PassCost:
        """All passes of ``layer``; ``start_cycles`` are those of its first."""
        for operand in Operand:
            check_bits(
                f"{operand.name.lower()} bits of {layer.name}",
                precision.bits(operand),
                maximum=self.parameters.precision.max_bits,
                allow_skip=True,
            )
        if is_skip(precision):
            return PassCost(0.0, 0.0, 0.0, 0.0)
        passes = [self._pass(layer, pass_, precision) for pass_ in layer.passes]
        cycles, busy, moved, _ = (sum(each) for each in zip(*map(astuple, passes), strict=True))
        return PassCost(cycles, busy, moved, passes[0].start_cycles)

    def _pass(self, layer: LayerShape, pass_: Pass, precision: Precision) -> PassCost:
        """Of the whole batch: as evaluated, or on the straight line through the references."""
        bits = precision.bits(pass_.row), precision.bits(pass_.column)
        few, many = REFERENCE_IMAGES
        if self.batch <= many:
            return self._costs.get(pass_, layer.geometry(self.batch), bits)
        low, high = (self._costs.get(pass_, layer.geometry(images), bits) for images in (few, many))
        more = (self.batch - many) / (many - few)
        cycles, busy, moved = (
            after + more * (after - before)
            for before, after in zip(astuple(low)[:3], astuple(high)[:3], strict=True)
        )
        return PassCost(cycles, busy, moved, high.start_cycles)
