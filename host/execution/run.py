"""The state of one step: what its operations read and write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fractrain.host.arithmetic import Arithmetic
from fractrain.host.execution.values import Values
from fractrain.host.graph.choice import Choice
from fractrain.host.graph.operations import width
from fractrain.host.graph.slots import make_table
from fractrain.host.graph.step import StepGraph
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.networks.selection import Selector
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Array
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision


class Run:
    """A step of ``graph`` while it is carried out, for its `kernels`.

    ``choices``: of the blocks so far, by number. ``table``: the precision of every
    slot, right for those blocks. ``rounding``: the random numbers of the step.
    """

    def __init__(
        self,
        graph: StepGraph,
        arithmetic: Arithmetic,
        selector: Selector,
        held: tuple[Mapping[str, Parameter], Mapping[str, Statistic]],
        rounding: Any,
    ) -> None:
        self.graph, self.arithmetic, self.selector = graph, arithmetic, selector
        self.rounding = rounding
        self.values = Values()
        self.choices: dict[int, Choice] = {}
        known = [] if selector.known is None else [selector.known] * len(graph.blocks)
        self.table: list[Precision] = make_table(graph.slots, dict(enumerate(known)))
        self.sums: dict[str, Array] = {}
        """Results of the current piece, before they are tensors."""
        self.dying: frozenset[str] = frozenset()
        """Names of the tensors that no later operation reads."""
        self.measuring = False
        """Whether the step only measures."""
        self.pending: list[tuple[Statistic, Any]] = []
        """Statistics of this step, which move the running ones when it is over."""
        self._parameters, self._statistics = held

    @property
    def training(self) -> bool:
        return self.graph.training

    @property
    def elementwise(self) -> Elementwise:
        return self.arithmetic.elementwise

    @property
    def xp(self) -> Any:
        """The namespace of the arrays."""
        return self.arithmetic.elementwise.xp

    @property
    def logits(self) -> Array:
        """Of the images, after the forward part."""
        return self.value(self.graph.logits)

    @property
    def loss(self) -> float:
        """Of the batch, after the forward part of a training step."""
        assert self.graph.loss is not None
        return float(self.value(self.graph.loss))

    # -- tensors ---------------------------------------------------------------------------

    def value(self, tensor: Tensor) -> Any:
        """Of a tensor that there is; a parameter's too."""
        name = tensor.name
        return self.values[name] if name in self.values else self._parameters[name].value

    def optional(self, tensor: Tensor | None) -> Any:
        """Of a tensor that may be missing: then None."""
        if tensor is None:
            return None
        there = tensor.name in self.values or tensor.name in self._parameters
        return self.value(tensor) if there else None

    def owns(self, tensor: Tensor) -> bool:
        """Whether the current operation may overwrite it: nothing else needs it."""
        name = tensor.name
        return name in self.dying and name in self.values and not self.values.is_shared(name)

    def own(self, tensor: Tensor) -> Array:
        """Its value in memory that may be overwritten: its own, or a copy."""
        value = self.value(tensor)
        return value if self.owns(tensor) else self.elementwise.copy(value)

    def put(self, tensor: Tensor, value: Any, *, lent: bool = False) -> None:
        """What an operation made (``lent``: see `Values.put`)."""
        self.values.put(tensor.name, value, lent=lent)

    def bits(self, tensor: Tensor) -> int | None:
        """Of a quantized tensor; None of a real one."""
        return None if tensor.bits is None else width(tensor.bits, self.table)

    def parameter(self, tensor: Tensor) -> Parameter:
        return self._parameters[tensor.name]

    def statistic(self, tensor: Tensor) -> Statistic:
        return self._statistics[tensor.name]

    # -- choices ---------------------------------------------------------------------------

    def choose(self, number: int, choice: Choice) -> None:
        """Enter the ``choice`` for block ``number`` into the table.

        Raises `ParameterError` for one that the graph is not made for.
        """
        block, slots = self.graph.blocks[number], self.graph.slots
        if len(choice.paths) != len(block.slots):
            allowed = f"{len(block.slots)}, as the selector has said"
            raise ParameterError(f"paths of {block.name}", len(choice.paths), allowed)
        for path, of_path in zip(choice.paths, block.slots, strict=True):
            allowed_ones = slots[of_path.chosen].precisions
            if path.precision not in allowed_ones:
                raise ParameterError(
                    f"precision of {block.name}",
                    str(path.precision),
                    " or ".join(map(str, allowed_ones)) + ", the selector's precisions",
                )
        self.choices[number] = choice
        for slot in slots:
            if slot.block == number:
                self.table[slot.number] = slot.precision(choice)
