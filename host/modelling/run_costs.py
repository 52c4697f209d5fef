"""What the steps of a training run would cost on the machine, as its gates or schedule chose."""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.graph.choice import UNQUANTIZED, Choice
from fractrain.host.modelling.layers import layer_shapes
from fractrain.host.modelling.step_model import StepCost, StepModel
from fractrain.host.networks.effective_macs import BASELINE_BITS
from fractrain.host.networks.resnet import ResNet
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
        self, network: ResNet, size: tuple[int, int], batch: int, machine: str = MACHINE
    ) -> None:
        layers, parameters = layer_shapes(network, size), load_parameters(machine)
        self.machine, self.clock_hz = machine, parameters.clock_mhz * 1e6
        self._model = StepModel(parameters, layers, batch)
        self._blocks = [len(block.layers()) for block in network.blocks]
        self._batch = batch
        self._baseline = _machine_cost(self._model.cost([BASELINE] * len(layers)))

    def __call__(self, choices: Sequence[Choice]) -> tuple[MachineCost, MachineCost]:
        """Costs of a step with these choices of its blocks, and of one at FW8/BW8."""
        unquantized: Shares = ((UNQUANTIZED, 1.0),)
        layers: list[Shares] = [unquantized]
        for count, choice in zip(self._blocks, choices, strict=True):
            shares = tuple(
                (path.precision, 1.0 if path.images is None else path.images / self._batch)
                for path in choice.paths
            )
            layers += [shares, shares, *[unquantized] * (count - 2)]
        return _machine_cost(self._model.shared_cost(layers)), self._baseline


def _machine_cost(cost: StepCost) -> MachineCost:
    return MachineCost(cost.cycles, cost.seconds, cost.joules)
