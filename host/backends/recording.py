"""An accelerator that remembers what it was asked: the convolutions of a training step, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Accelerator, Integers
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

    def _forward(
        self, a: Integers, w: Integers, bits: tuple[int, int], stride: int, padding: int
    ) -> NDArray[np.int64]:
        y = self._reference.forward(a, w, bits=bits, stride=stride, padding=padding)
        name, shape = next(self._names), _four(w.shape)
        size = (a.shape[2], a.shape[3])
        call = RecordedCall(name, Pass.FORWARD, a, w, bits, shape, size, stride, padding, y)
        self.calls.append(call)
        return y

    def _error(
        self,
        e: Integers,
        w: Integers,
        bits: tuple[int, int],
        stride: int,
        padding: int,
        input_size: tuple[int, int],
    ) -> NDArray[np.int64]:
        dx = self._reference.error(
            e, w, bits=bits, stride=stride, padding=padding, input_size=input_size
        )
        name = next(each.name for each in self._forwards() if each.columns is w)
        shape = _four(w.shape)
        call = RecordedCall(name, Pass.ERROR, e, w, bits, shape, input_size, stride, padding, dx)
        self.calls.append(call)
        return dx

    def _gradient(
        self,
        a: Integers,
        e: Integers,
        bits: tuple[int, int],
        stride: int,
        padding: int,
        kernel_size: tuple[int, int],
    ) -> NDArray[np.int64]:
        dw = self._reference.gradient(
            a, e, bits=bits, stride=stride, padding=padding, kernel_size=kernel_size
        )
        name = next(each.name for each in self._forwards() if each.rows is a)
        size, shape = (a.shape[2], a.shape[3]), _four(dw.shape)
        call = RecordedCall(name, Pass.GRADIENT, a, e, bits, shape, size, stride, padding, dw)
        self.calls.append(call)
        return dw

    def _forwards(self) -> list[RecordedCall]:
        return [call for call in self.calls if call.pass_ is Pass.FORWARD]

    def _close(self) -> None:
        self._reference.close()


def _four(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    first, second, third, fourth = shape
    return first, second, third, fourth
