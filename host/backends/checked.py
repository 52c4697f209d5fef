"""Two backends side by side: every result of the one is compared with the other's, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host.accelerator import Accelerator, Counters, Integers
from host.compiler import Program, Results
from hw.contract.errors import MismatchError
from hw.contract.precision import Pass, Precision


@dataclass(frozen=True)
class CheckedCall:
    """One convolution that both backends agreed on.

    ``geometry`` in words, ``bits`` of its two operands, ``macs`` its multiply-accumulates
    (those with padding included), ``cost`` what the first backend counted for it.
    """

    pass_: Pass
    geometry: str
    bits: tuple[int, int]
    macs: int
    cost: Counters


class CheckedAccelerator(Accelerator):
    """``machine`` and ``reference`` as one accelerator; returns the machine's results.

    ``observe`` is told of every call. Closing closes both.

    Raises `MismatchError` at the first element in which the two differ.
    """

    def __init__(
        self,
        machine: Accelerator,
        reference: Accelerator,
        observe: Callable[[CheckedCall], None],
    ) -> None:
        super().__init__(machine.parameters)
        self._machine, self._reference, self._observe = machine, reference, observe

    def _forward(
        self, a: Integers, w: Integers, bits: tuple[int, int], stride: int, padding: int
    ) -> NDArray[np.int64]:
        return self._compare(
            Pass.FORWARD,
            _geometry(a.shape[2:], w.shape, stride),
            bits,
            lambda each: each.forward(a, w, bits=bits, stride=stride, padding=padding),
            lambda y: y.size * w[0].size,
        )

    def _error(
        self,
        e: Integers,
        w: Integers,
        bits: tuple[int, int],
        stride: int,
        padding: int,
        input_size: tuple[int, int],
    ) -> NDArray[np.int64]:
        return self._compare(
            Pass.ERROR,
            _geometry(input_size, w.shape, stride),
            bits,
            lambda each: each.error(
                e, w, bits=bits, stride=stride, padding=padding, input_size=input_size
            ),
            lambda _: e.size * w[0].size,
        )

    def _gradient(
        self,
        a: Integers,
        e: Integers,
        bits: tuple[int, int],
        stride: int,
        padding: int,
        kernel_size: tuple[int, int],
    ) -> NDArray[np.int64]:
        return self._compare(
            Pass.GRADIENT,
            _geometry(a.shape[2:], (e.shape[1], a.shape[1], *kernel_size), stride),
            bits,
            lambda each: each.gradient(
                a, e, bits=bits, stride=stride, padding=padding, kernel_size=kernel_size
            ),
            lambda dw: e.size * dw[0].size,
        )

    def _run(
        self,
        program: Program,
        operands: Mapping[str, Integers],
        precisions: Mapping[int, Precision],
    ) -> Results:
        before = self._machine.counters
        found = self._machine.run(program, operands, precisions)
        self._counters += self._machine.counters - before
        expected = self._reference.run(program, operands, precisions)
        for step in program.steps:
            one, other = found[step.result], expected[step.result]
            if one is None or other is None:
                if one is not other:
                    raise MismatchError(f"{step.result}: only one of the two skipped it")
            elif not np.array_equal(one, other):
                geometry = _geometry(
                    step.geometry.size, step.geometry.weights, step.geometry.stride
                )
                precision = precisions[step.slot]
                bits = precision.bits(step.pass_.row), precision.bits(step.pass_.column)
                raise MismatchError(_describe(step.pass_, geometry, bits, one, other))
        return found

    def _close(self) -> None:
        self._machine.close()
        self._reference.close()

    def _compare(
        self,
        pass_: Pass,
        geometry: str,
        bits: tuple[int, int],
        call: Callable[[Accelerator], NDArray[np.int64]],
        macs: Callable[[NDArray[np.int64]], int],
    ) -> NDArray[np.int64]:
        before = self._machine.counters
        found = call(self._machine)
        cost = self._machine.counters - before
        self._counters += cost
        expected = call(self._reference)
        if not np.array_equal(found, expected):
            raise MismatchError(_describe(pass_, geometry, bits, found, expected))
        self._observe(CheckedCall(pass_, geometry, bits, macs(found), cost))
        return found


def _geometry(size: tuple[int, ...], kernels: tuple[int, ...], stride: int) -> str:
    """For example ``16 -> 32 channels, 3x3/2 on 32x32``."""
    filters, channels, height, width = kernels
    return f"{channels:>3} -> {filters:<3} {height}x{width}/{stride} on {size[0]}x{size[1]}"


def _describe(
    pass_: Pass,
    geometry: str,
    bits: tuple[int, int],
    found: NDArray[np.int64],
    expected: NDArray[np.int64],
) -> str:
    where = f"{pass_.label}, {geometry}, {bits[0]} x {bits[1]} bits"
    if found.shape != expected.shape:
        return f"{where}: the machine gave shape {found.shape}, the reference {expected.shape}"
    wrong = np.argwhere(found != expected)
    first = tuple(int(index) for index in wrong[0])
    return (
        f"{where}: {len(wrong)} of {found.size} results differ, first at {list(first)}: "
        f"the machine gave {found[first]}, the reference {expected[first]}"
    )
