"""What the steps of a training run would cost on the machine, as its gates or schedule chose."""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.graph.choice import UNQUANTIZED, Choice
from fractrain.host.graph.effective_macs import BASELINE_BITS
from fractrain.host.graph.step import build_outline
from fractrain.host.modelling.layers import layer_shapes
from fractrain.host.modelling.step_model import StepCost, StepModel
from fractrain.host.networks.network import Network
from fractrain.host.training.trainer import MachineCost
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision

MACHINE = "zc706"

BASELINE = Precision(BASELINE_BITS, BASELINE_BITS, BASELINE_BITS)

Shares = tuple[tuple[Precision, float], ...]


class RunCosts:
    """A `host.training.trainer.CostModel`: ``network`` with ``batch`` images of ``size`` (rows,
    columns) on the preset ``machine``.

    First convolution and shortcuts run at `UNQUANTIZED`; the baseline is everything at 8/8/8.
    Where images of a batch took different paths, each is taken to cost its share.
    """

    def __init__(
        self, network: Network, image: tuple[int, int, int], batch: int, machine: str = MACHINE
    ) -> None:
        layers, parameters = layer_shapes(network, image), load_parameters(machine)
        self.machine, self.clock_hz = machine, parameters.clock_mhz * 1e6
        self._model = StepModel(parameters, layers, batch)
        outline = build_outline(network, image)
        slots = [outline.slots[each.slot or 0] for each in outline.convolutions]
        self._blocks = [slot.block for slot in slots]
        self._batch = batch
        self._baseline = _machine_cost(self._model.cost([BASELINE] * len(layers)))

    def __call__(self, choices: Sequence[Choice]) -> tuple[MachineCost, MachineCost]:
        """Costs of a step with these choices of its blocks, and of one at FW8/BW8."""
        layers: list[Shares] = []
        for block in self._blocks:
            paths = () if block is None else choices[block].paths
            shares = tuple(
                (path.precision, 1.0 if path.images is None else path.images / self._batch)
                for path in paths
            )
            layers.append(shares or ((UNQUANTIZED, 1.0),))
        return _machine_cost(self._model.shared_cost(layers)), self._baseline


def _machine_cost(cost: StepCost) -> MachineCost:
    return MachineCost(cost.cycles, cost.seconds, cost.joules)
