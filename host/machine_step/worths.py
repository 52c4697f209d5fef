"""What the tensors of a step are worth, without any elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fractrain.host.graph.tensor import Tensor
from fractrain.hw.contract.precision import Precision


class Worths:
    """`host.arithmetic.step_scales.Known` of a step that is not carried out here: values are those
    of the kernels, with None for arrays."""

    def __init__(self, table: Sequence[Precision]) -> None:
        self.table = table
        self._values: dict[str, Any] = {}

    def put(self, tensor: Tensor, value: Any) -> None:
        """What an operation makes."""
        self._values[tensor.name] = value

    def value(self, tensor: Tensor) -> Any:
        """Of a tensor that there is."""
        return self._values[tensor.name]

    def optional(self, tensor: Tensor | None) -> Any:
        """Of a tensor that may be missing: then None."""
        return None if tensor is None else self._values.get(tensor.name)
