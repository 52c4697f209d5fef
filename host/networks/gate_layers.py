"""The layers of the gates, with exchangeable arithmetic.

`FLOAT32` is NumPy's, in float32: its functions and sums differ in their last digits from machine
to machine. `EXACT` is float64 by `host.numerics.fixed_order` and `host.numerics.exact_math`: the
same bits everywhere. Rows of arrays are images, or just one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fractrain.host.networks.parameter import Parameter
from fractrain.host.numerics import exact_classifier, exact_math, fixed_order
from fractrain.host.numerics.random_streams import RandomNumbers

Floats = NDArray[np.floating]


class GateArithmetic(Protocol):
    """What layers and gates compute with, on arrays of the type ``number``."""

    number: Any

    def linear(self, x: Floats, weight: Floats) -> Floats:
        """Σ_i x[n,i]·weight[o,i], [rows, outputs]."""
        ...

    def linear_gradient(self, e: Floats, x: Floats) -> Floats:
        """Σ_n e[n,o]·x[n,i], [outputs, inputs]."""
        ...

    def linear_error(self, e: Floats, weight: Floats) -> Floats:
        """Σ_o e[n,o]·weight[o,i], [rows, inputs]."""
        ...

    def product(self, x: Floats, y: Floats) -> Floats:
        """Σ_i x[…,i]·y[i] of a matrix or vector ``x``, in float64."""
        ...

    def total(self, x: Floats) -> Floats:
        """Sum over the first axis."""
        ...

    def row_sums(self, x: Floats) -> Floats:
        """Sum of each row, [rows, 1]."""
        ...

    def rectify(self, x: Floats) -> Floats:
        """max(x, 0)."""
        ...

    def tanh(self, x: Floats) -> Floats: ...

    def logistic(self, x: Floats) -> Floats:
        """σ(x) = 1 / (1 + e^−x)."""
        ...

    def softmax(self, x: Floats) -> Floats:
        """Of each row."""
        ...


class Float32Arithmetic:
    """NumPy's functions and sums."""

    number: Any = np.float32

    # einsum has a fixed order of summation; BLAS would choose one by its thread count.
    def linear(self, x: Floats, weight: Floats) -> Floats:
        y: Floats = np.einsum("ni,oi->no", x, weight)
        return y

    def linear_gradient(self, e: Floats, x: Floats) -> Floats:
        dw: Floats = np.einsum("no,ni->oi", e, x)
        return dw

    def linear_error(self, e: Floats, weight: Floats) -> Floats:
        dx: Floats = np.einsum("no,oi->ni", e, weight)
        return dx

    def product(self, x: Floats, y: Floats) -> Floats:
        return np.asarray(x @ y)

    def total(self, x: Floats) -> Floats:
        return np.asarray(x.sum(axis=0))

    def row_sums(self, x: Floats) -> Floats:
        return np.asarray(x.sum(axis=1, keepdims=True))

    def rectify(self, x: Floats) -> Floats:
        return np.maximum(x, 0)

    def tanh(self, x: Floats) -> Floats:
        return np.tanh(x)

    def logistic(self, x: Floats) -> Floats:
        y: Floats = np.float32(0.5) * (np.tanh(np.float32(0.5) * x) + np.float32(1))
        return y

    def softmax(self, x: Floats) -> Floats:
        exponentials = np.exp(x - x.max(axis=1, keepdims=True))
        return exponentials / self.row_sums(exponentials)


class ExactArithmetic:
    """Float64, each operation rounded on its own, every sum in a fixed order."""

    number: Any = np.float64

    def linear(self, x: Floats, weight: Floats) -> Floats:
        return fixed_order.matmul(x, weight.T)

    def linear_gradient(self, e: Floats, x: Floats) -> Floats:
        return fixed_order.matmul(e.T, x)

    def linear_error(self, e: Floats, weight: Floats) -> Floats:
        return fixed_order.matmul(e, weight)

    def product(self, x: Floats, y: Floats) -> Floats:
        return fixed_order.total(x * y, axis=-1)

    def total(self, x: Floats) -> Floats:
        return fixed_order.total(x)

    def row_sums(self, x: Floats) -> Floats:
        return fixed_order.total(x, axis=1)[:, np.newaxis]

    def rectify(self, x: Floats) -> Floats:
        # `maximum` may give either of two zeros
        return np.where(x < 0, 0.0, x)

    def tanh(self, x: Floats) -> Floats:
        return exact_math.tanh(x)

    def logistic(self, x: Floats) -> Floats:
        return exact_math.logistic(x)

    def softmax(self, x: Floats) -> Floats:
        return exact_classifier.softmax(np.asarray(x, np.float64))


FLOAT32: GateArithmetic = Float32Arithmetic()
EXACT: GateArithmetic = ExactArithmetic()


class Linear:
    """y = x·Wᵀ + b of rows ``x``; weights and biases start uniform in ±1/√inputs."""

    def __init__(
        self,
        name: str,
        inputs: int,
        outputs: int,
        rng: RandomNumbers,
        arithmetic: GateArithmetic = FLOAT32,
    ) -> None:
        bound = float(1 / np.sqrt(inputs))
        weight = rng.uniform(-bound, bound, (outputs, inputs)).astype(arithmetic.number)
        bias = rng.uniform(-bound, bound, (outputs,)).astype(arithmetic.number)
        self.weight = Parameter(f"{name}.weight", weight)
        self.bias = Parameter(f"{name}.bias", bias)
        self._arithmetic = arithmetic

    def parameters(self) -> list[Parameter]:
        return [self.weight, self.bias]

    def forward(self, x: Floats) -> Floats:
        y: Floats = self._arithmetic.linear(x, self.weight.value) + self.bias.value
        return y

    def backward(self, e: Floats, x: Floats) -> Floats:
        """Add to the gradients; the error at ``x``."""
        self.weight.add_gradient(self._arithmetic.linear_gradient(e, x))
        self.bias.add_gradient(self._arithmetic.total(e))
        return self._arithmetic.linear_error(e, self.weight.value)


@dataclass(frozen=True)
class _Cell:
    """One step of an LSTM: inputs, gate activations, states before and after."""

    x: Floats
    before: tuple[Floats, Floats]
    gates: tuple[Floats, Floats, Floats, Floats]
    c: Floats
    h: Floats


class LstmCell:
    """i, f, o = σ(…), g = tanh(…) of W·x + b + V·h;   c ← f·c + i·g;   h ← o·tanh(c).

    Source: Hochreiter and Schmidhuber, 1997, with forget gates (Gers et al., 2000).
    """

    def __init__(
        self,
        name: str,
        inputs: int,
        hidden: int,
        rng: RandomNumbers,
        arithmetic: GateArithmetic = FLOAT32,
    ) -> None:
        self._input = Linear(f"{name}.input", inputs, 4 * hidden, rng, arithmetic)
        self._recurrent = Linear(f"{name}.recurrent", hidden, 4 * hidden, rng, arithmetic)
        self._hidden = hidden
        self._arithmetic = arithmetic

    def parameters(self) -> list[Parameter]:
        return self._input.parameters() + self._recurrent.parameters()

    def forward(
        self, x: Floats, state: tuple[Floats, Floats] | None
    ) -> tuple[tuple[Floats, Floats], _Cell]:
        """State (h, c) after ``x``, from ``state`` (None: zeros), and what the way back needs."""
        tanh, logistic = self._arithmetic.tanh, self._arithmetic.logistic
        if state is None:
            zeros = np.zeros((len(x), self._hidden), self._arithmetic.number)
            state = (zeros, zeros)
        total = self._input.forward(x) + self._recurrent.forward(state[0])
        parts = np.split(total, 4, axis=1)
        i, f, g, o = logistic(parts[0]), logistic(parts[1]), tanh(parts[2]), logistic(parts[3])
        c = f * state[1] + i * g
        h = o * tanh(c)
        return (h, c), _Cell(x, state, (i, f, g, o), c, h)

    def backward(
        self, dh: Floats, later: tuple[Floats, Floats] | None, cell: _Cell
    ) -> tuple[Floats, tuple[Floats, Floats]]:
        """Error at x, and at the state before; ``later`` is the error at (h, c) from behind."""
        i, f, g, o = cell.gates
        tangent = self._arithmetic.tanh(cell.c)
        if later is not None:
            dh = dh + later[0]
        dc = dh * o * (1 - tangent * tangent)
        if later is not None:
            dc = dc + later[1]
        total = np.concatenate(
            [
                dc * g * i * (1 - i),
                dc * cell.before[1] * f * (1 - f),
                dc * i * (1 - g * g),
                dh * tangent * o * (1 - o),
            ],
            axis=1,
        )
        dx = self._input.backward(total, cell.x)
        return dx, (self._recurrent.backward(total, cell.before[0]), dc * f)
