"""What the steps of a training run would cost on the machine, as its gates or schedule chose."""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.graph.choice import UNQUANTIZED, Choice
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import build_step
from fractrain.host.modelling.step_model import StepCost, StepModel
from fractrain.host.networks.resnet import ResNet
from fractrain.host.training.trainer import MachineCost
from fractrain.hw.contract.parameters import load_parameters

MACHINE = "zc706"

BASELINE = UNQUANTIZED
"""FW8/BW8: all layers at 8 bits."""


class RunCosts:
    """A `host.training.trainer.CostModel`: ``network`` with ``batch`` images of ``size`` (rows,
    columns) on the preset ``machine``.

    Layers outside the blocks run at `UNQUANTIZED`; the baseline is everything at `BASELINE`. Where
    images of a batch took different paths, each is taken to cost its share.
    """

    def __init__(
        self, network: ResNet, size: tuple[int, int], batch: int, machine: str = MACHINE
    ) -> None:
        self._parameters = load_parameters(machine)
        self.machine, self.clock_hz = machine, self._parameters.clock_mhz * 1e6
        self._network = network
        self._images = (batch, network.first.convolution.shape.channels, *size)
        self._models: dict[int, tuple[StepModel, MachineCost]] = {}

    def __call__(self, choices: Sequence[Choice]) -> tuple[MachineCost, MachineCost]:
        """Costs of a step with these choices of its blocks, and of one at FW8/BW8."""
        paths = len(choices[0].paths)
        if paths not in self._models:
            options = StepOptions((BASELINE,) * paths, per_sample=paths > 1)
            model = StepModel(self._parameters, build_step(self._network, self._images, options))
            self._models[paths] = model, _machine_cost(model.uniform_cost(BASELINE))
        model, baseline = self._models[paths]
        return _machine_cost(model.cost(choices)), baseline


def _machine_cost(cost: StepCost) -> MachineCost:
    return MachineCost(cost.cycles, cost.seconds, cost.joules)
