"""What the steps of a training run would cost on the machine, as its gates or schedule chose."""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.graph.choice import UNQUANTIZED, Choice
from fractrain.host.graph.step import StepGraph
from fractrain.host.modelling.step_model import StepCost, StepModel
from fractrain.host.training.trainer import MachineCost
from fractrain.hw.contract.parameters import DEFAULT_PRESET, load_parameters

BASELINE = UNQUANTIZED
"""FW8/BW8: all layers at 8 bits."""


class RunCosts:
    """A `host.training.trainer.CostModel`: steps on the preset ``machine``.

    Layers outside the blocks run at the precision that the step has for them; the baseline is
    everything at `BASELINE`. Where images of a batch took different paths, each is taken to cost
    its share.
    """

    def __init__(self, machine: str = DEFAULT_PRESET) -> None:
        self._parameters = load_parameters(machine)
        self.machine, self.clock_hz = machine, self._parameters.clock_mhz * 1e6
        self._models: dict[StepGraph, tuple[StepModel, MachineCost]] = {}

    def __call__(
        self, step: StepGraph, choices: Sequence[Choice]
    ) -> tuple[MachineCost, MachineCost]:
        """Costs of ``step`` with these choices of its blocks, and of the same at FW8/BW8."""
        if step not in self._models:
            model = StepModel(self._parameters, step)
            self._models[step] = model, _machine_cost(model.uniform_cost(BASELINE))
        model, baseline = self._models[step]
        return _machine_cost(model.cost(choices)), baseline


def _machine_cost(cost: StepCost) -> MachineCost:
    return MachineCost(cost.cycles, cost.seconds, cost.joules)
