"""An accelerator that remembers what it was asked: the convolutions of a training step, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Accelerator, Integers
from fractrain.host.graph.convolution import Convolution
from fractrain.hw.contract.precision import Pass


@dataclass(frozen=True)
class RecordedCall:
    """One convolution: its layer's ``name``, its operands and what came out.

    ``rows`` and ``columns`` are the operands in the order of the accelerator's arguments, ``bits``
    theirs. ``kernels`` is [filters, channels, height, width], ``size`` that of the layer's input.
    """

    name: str
    pass_: Pass
    rows: Integers
    columns: Integers
    bits: tuple[int, int]
    kernels: tuple[int, int, int, int]
    size: tuple[int, int]
    stride: int
    padding: int
    result: NDArray[np.int64]

    @property
    def images(self) -> int:
        return self.rows.shape[0]

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those with padding included: outputs x channels x taps."""
        outputs = self.columns if self.pass_ is Pass.GRADIENT else self.rows
        if self.pass_ is Pass.FORWARD:
            outputs = self.result
        return outputs.size * int(np.prod(self.kernels[1:]))


class RecordingAccelerator(Accelerator):
    """Lets ``reference`` compute, and keeps every call with its result in ``calls``.

    ``names`` are those of the layers in the order in which the network goes forward through them.
    A backward call belongs to the layer whose very operand it is given.
    """

    def __init__(self, reference: Accelerator, names: Sequence[str]) -> None:
        super().__init__(reference.parameters)
        self._reference = reference
        self._names = iter(names)
        self.calls: list[RecordedCall] = []

    def _convolve(
        self, convolution: Convolution, row: Integers, column: Integers
    ) -> NDArray[np.int64]:
        result = self._reference.convolve(convolution, row, column)
        if convolution.pass_ is Pass.FORWARD:
            name = next(self._names)
        elif convolution.pass_ is Pass.ERROR:
            name = next(each.name for each in self._forwards() if each.columns is column)
        else:
            name = next(each.name for each in self._forwards() if each.rows is row)
        geometry, bits = convolution.geometry, convolution.bits
        kernels = (geometry.filters, geometry.channels, *geometry.kernel)
        at = geometry.size, geometry.stride, geometry.padding
        operands = row, column, bits, kernels
        self.calls.append(RecordedCall(name, convolution.pass_, *operands, *at, result))
        return result

    def _forwards(self) -> list[RecordedCall]:
        return [call for call in self.calls if call.pass_ is Pass.FORWARD]

    def _close(self) -> None:
        self._reference.close()
