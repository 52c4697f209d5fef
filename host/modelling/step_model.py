"""A training step's cost from the costs of its passes: cheap enough to ask for at every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from pathlib import Path

from fractrain.host.graph import operations as ops
from fractrain.host.graph.choice import SKIP, Choice, is_skip
from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.dispatch import Dispatch
from fractrain.host.graph.skipping import carried_out
from fractrain.host.graph.step import StepGraph
from fractrain.host.modelling.energy import joules
from fractrain.host.modelling.pass_costs import PassCost, PassCosts
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision, check_bits

ON_MACHINE: Dispatch[bool] = Dispatch("the step model", "host/modelling/step_model.py")
"""Whether the machine carries an operation out, and so has a cost here; else the host does."""

ON_MACHINE.register(ops.Convolve)(True)
ON_MACHINE.register(
    *(ops.QuantizePixels, ops.MeasureRange, ops.QuantizeActivations, ops.TopPlanes),
    *(ops.QuantizeWeights, ops.QuantizeErrors, ops.MinusOnes, ops.OddSums, ops.Dequantize),
    *(ops.BatchNorm, ops.BatchNormBackward, ops.Rectify, ops.RectifyBackward, ops.Add),
    *(ops.Pool, ops.PoolBackward, ops.Linear, ops.LinearBackward, ops.Loss),
    *(ops.AddGradient, ops.Update, ops.ChoosePrecision, ops.ChooseBackward, ops.TakePath),
    *(ops.Share, ops.ShareBackward, ops.Mix, ops.MixBackward, ops.MaskBackward),
    *(ops.Narrow, ops.Form, ops.Join, ops.Apply, ops.PoolSums, ops.SpreadErrors, ops.AddSums),
    *(ops.ChooseEarly, ops.RecordMeans, ops.NormShare, ops.LearnChoice),
)(False)


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
    """Costs of the convolutions of ``step`` on the machine ``parameters``.

        cycles = start + Σ_convolutions cycles(pass, geometry, bits)

    and the same sum of busy cycles and bytes; ``start`` is what the first pass cannot hide. What a
    pass costs depends on its neighbours a little, which the sum leaves out; docs/step_model.md has
    the error against whole steps on the cycle model. ``memory``: see `step_programs.MEMORIES`. With
    ``port``, results do not go to memory: bytes are those of operands and commands only.

    Each distinct (geometry, pass, bits) is evaluated when it is first asked for, 10 to 500 ms, and
    kept in a file in ``folder`` (`PassCosts`); from then on `cost` only looks up and adds.

    Raises `ParameterError` for an operation without a declared place of execution.
    """

    def __init__(
        self,
        parameters: Parameters,
        step: StepGraph,
        memory: str = "port",
        folder: Path | None = None,
    ) -> None:
        for each in step.operations:
            ON_MACHINE.of(each)
        self.parameters, self.step = parameters, step
        self._costs = PassCosts(parameters, memory, folder)
        # convolutions of the same shape share what they cost
        shapes = {(each.pass_, each.geometry): None for each in step.convolutions}
        numbers = {shape: number for number, shape in enumerate(shapes)}
        self._shapes = {each: numbers[each.pass_, each.geometry] for each in step.convolutions}
        self._known: dict[tuple[int, int, int], PassCost] = {}
        self._running = lru_cache(maxsize=1024)(self._find_running)

    @property
    def memory(self) -> str:
        """How memory is modelled, one of `step_programs.MEMORIES`."""
        return self._costs.memory

    def cost(self, choices: Sequence[Choice]) -> StepCost:
        """Of the step after these choices of its blocks.

        Where images of a batch take several paths, a pass over a share of them is taken to cost
        that share of its cost.

        Raises `ParameterError` unless there is a choice for each block, and for bits that the
        machine does not support.
        """
        step, table = self.step, self.step.table(choices)
        shares = [
            slot.images(None if slot.block is None else choices[slot.block], step.batch)
            / step.batch
            for slot in step.slots
        ]
        return self._sum(table, shares)

    def uniform_cost(self, precision: Precision) -> StepCost:
        """Of the same step with all layers at ``precision``, those outside the blocks, too."""
        slots = self.step.slots
        table = [SKIP if slot.ones else precision for slot in slots]
        return self._sum(table, [0.0 if slot.path else 1.0 for slot in slots])

    def _sum(self, table: Sequence[Precision], shares: Sequence[float]) -> StepCost:
        start = cycles = busy = moved = 0.0
        for each in self._running(tuple(map(is_skip, table))):
            assert each.slot is not None
            if share := shares[each.slot]:
                cost = self._cost(each, table)
                start = start or cost.start_cycles  # of the first that is not skipped
                cycles += share * cost.cycles
                busy += share * cost.busy_cycles
                moved += share * cost.bytes_moved
        self._costs.save()
        cycles += start
        seconds = cycles / (self.parameters.clock_mhz * 1e6)
        energy = joules(self.parameters, cycles, busy, moved)
        return StepCost(cycles, busy, moved, seconds, energy)

    def _find_running(self, skipped: tuple[bool, ...]) -> tuple[ops.Convolve, ...]:
        """The convolutions that are carried out where those slots are ``skipped``."""
        table = [SKIP if each else Precision(1, 1, 1) for each in skipped]
        operations = carried_out(self.step.operations, table)
        return tuple(each for each in operations if isinstance(each, ops.Convolve))

    def _cost(self, operation: ops.Convolve, table: Sequence[Precision]) -> PassCost:
        row, column = operation.bits
        key = self._shapes[operation], ops.width(row, table), ops.width(column, table)
        known = self._known.get(key)
        if known is None:
            convolution = operation.convolution(table)
            self._check(convolution, operation.layer)
            exact = replace(convolution, stored=convolution.bits)
            known = self._known[key] = self._costs.of_batch(exact)
        return known

    def _check(self, convolution: Convolution, layer: str) -> None:
        """Raise `ParameterError` for bits that the machine does not support."""
        most, pass_ = self.parameters.precision.max_bits, convolution.pass_
        for operand, bits in zip((pass_.row, pass_.column), convolution.bits, strict=True):
            name = f"{operand.name.lower()} bits of {layer}"
            check_bits(name, bits, maximum=most, allow_skip=True)
