"""The gates of dynamic fractional quantization (DFQ): a small network that chooses precisions.

For block i with the input x, on the host, by one of the arithmetics of `gate_layers`:

    f = mean of x over pixels (and, per mini-batch, over images)        [C]
    u = W₂ᵢ · ReLU(W₁ᵢ · f + b₁ᵢ) + b₂ᵢ                                   C → 32 → 16
    (h, c) = LSTM(u, (h, c))                                            16 → 16, shared, from 0
    p = softmax(W · h + b)                                              one for each candidate
    k = argmax p

In hardware mode gates choose before the step (`Gates.choose_early`): f is that of the mini-batch
before, in an evaluation its running mean, and no error goes back from f into the network.

Learning is straight-through: the share of a path in the block's output is a constant 1 (or, per
sample, a mask of ones and zeros) forward, and p backward. Per sample all paths are executed, and
∂loss/∂p is known. Per mini-batch only path k is executed (as in top-1 routing), so only ∂loss/∂p_k
is known; the other paths are assumed to have the running mean of this block's values
(`BASELINE_MOMENTUM`). Without that, the merit that all paths of a block share would count for the
executed one, and gates would never move. Computation adds its own term for every candidate,
executed or not:

    loss = cross entropy + reg · β · Σ over blocks of c(candidate chosen)

with c the candidate's cost in percent of 32-bit arithmetic (`candidate_cost`), averaged over images
if they differ. reg is +1 if the step's cp (the mean of c over blocks, weighted by their
multiply-accumulates) is above the target, −1 if below, 0 within ``dead_band`` of it. A target
outside the candidates' range counts as the cheapest (or dearest) of them: the published first
target, 1.5 %, is below all candidates, and a gate that is pushed further ends with a probability of
1, from which later targets cannot move it.

The published rules (`GateRules.published`) differ in that blocks weigh the same in cp, reg is −1
below the target, 0 less than ``dead_band`` above it, else +1, the target is what it is, and new
gates have no head start. The published cost is a sum of fractions over N images and the three
passes, so that a weight of it is one of 3·N/100 times as much here, where the cost is a mean, in
percent: what it weighs against the cross entropy, also a mean, does not depend on the batch.

Source: Fu et al., FracTrain, NeurIPS 2020, section 3.2, and the authors' rebuttal (one decision
per mini-batch, for hardware).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.graph.choice import Choice, Path
from fractrain.host.networks.gate_layers import (
    FLOAT32,
    Floats,
    GateArithmetic,
    Linear,
    LstmCell,
)
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.networks.selection import Selector
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Array
from fractrain.host.numerics.random_streams import RandomNumbers
from fractrain.hw.contract.precision import Pass, Precision

EMBEDDING = 32
HIDDEN = 16

BASELINE_MOMENTUM = 0.05
"""Weight of the newest mini-batch in the running mean of ∂loss/∂p."""

MEANS_MOMENTUM = 0.1
"""Weight of the newest mini-batch in the running means of a block's input."""

ROUNDING = 1e-5
"""Costs closer than this (in percent) are equal."""

PUBLISHED_BETA = 3.84e-3
"""The published 1e-3, of a sum over 128 images and three passes: 1e-3 · 3 · 128 / 100."""

HEAD_START = 1.0
"""Head start, in the logit, of the candidate nearest to the target in new gates: training starts
near the target cost, not where random weights put it."""


def candidate_cost(precision: Precision) -> float:
    """Cost of a MAC, averaged over the three passes, in percent of one at 32 bits."""
    products = sum(precision.bits(each.row) * precision.bits(each.column) for each in Pass)
    return 100 * products / (len(Pass) * 1024)


@dataclass(frozen=True)
class GateRules:
    """The gates' candidates, and the weight of their cost.

    ``stored_bits``: of activations that a gate reads before it decides, in memory; None where they
    are quantized after the decision. ``per_sample``: every image has its own choice. ``published``:
    the authors' rules where ours differ.
    """

    candidates: tuple[Precision, ...]
    beta: float
    dead_band: float = 0.0
    per_sample: bool = False
    stored_bits: int | None = 8
    published: bool = False


@dataclass
class _Step:
    """One block's gate, for its way back: the rows of arrays are images, or just one."""

    pooled: Floats
    embedded: Floats
    state: Any
    probabilities: Floats
    onehot: Floats


class Gates(Selector):
    """One gate for each block of inputs with ``widths[i]`` channels and ``macs[i]`` a pass.

    ``target`` (cp in percent) may be set between steps. ``arithmetic``: how they compute; with
    `gate_layers.EXACT`, parameters and everything made of them are float64, and the callers give
    features to `decide` and shares to `decide_backward` in float64.
    """

    learns = True

    def __init__(
        self,
        rules: GateRules,
        widths: Sequence[int],
        macs: Sequence[int],
        rng: RandomNumbers,
        *,
        target: float,
        arithmetic: GateArithmetic = FLOAT32,
    ) -> None:
        self.rules, self.target, self._widths = rules, target, widths
        self._arithmetic, number = arithmetic, arithmetic.number
        self.precisions, self.per_sample = rules.candidates, rules.per_sample
        self.stored_bits = None if rules.per_sample else rules.stored_bits
        self.costs = np.array([candidate_cost(each) for each in rules.candidates], number)
        sizes = np.ones(len(macs)) if rules.published else np.array(macs, np.float64)
        self._weights = sizes / sizes.sum()
        self._embeddings = [
            (
                Linear(f"gate{index}.first", width, EMBEDDING, rng, arithmetic),
                Linear(f"gate{index}.second", EMBEDDING, HIDDEN, rng, arithmetic),
            )
            for index, width in enumerate(widths)
        ]
        self._lstm = LstmCell("gates.lstm", HIDDEN, HIDDEN, rng, arithmetic)
        self._decide = Linear("gates.decide", HIDDEN, len(rules.candidates), rng, arithmetic)
        if rules.published:
            _start_as_published(self._embeddings, self._decide, rng)
        else:
            self._decide.bias.value[np.abs(self.costs - target).argmin()] += number(HEAD_START)
        self._baselines = [Statistic(f"gate{index}.baseline") for index in range(len(widths))]
        self._means = [Statistic(f"gate{index}.means") for index in range(len(widths))]
        self._running = [Statistic(f"gate{index}.running_means") for index in range(len(widths))]
        self._state: tuple[Floats, Floats] | None = None
        self._steps: list[_Step] = []
        self._error: tuple[Floats, Floats] | None = None

    def parameters(self) -> list[Parameter]:
        embeddings = [
            each for pair in self._embeddings for layer in pair for each in layer.parameters()
        ]
        return embeddings + self._lstm.parameters() + self._decide.parameters()

    def statistics(self) -> list[Statistic]:
        return [*self._baselines, *self._means, *self._running]

    def weights_of(self, index: int) -> int:
        """How many numbers of `parameters` a choice for block ``index`` multiplies with."""
        first, second = self._embeddings[index]
        used = [*first.parameters(), *second.parameters()]
        used += [*self._lstm.parameters(), *self._decide.parameters()]
        return sum(each.value.size for each in used)

    # -- forward ---------------------------------------------------------------------------

    def begin(self, *, training: bool) -> None:
        self._state, self._error = None, None
        self._steps = []
        if training:
            for parameter in self.parameters():
                parameter.gradient = None

    def choose(self, index: int, x: Array, elementwise: Elementwise) -> Choice:
        """The most probable candidate, of the batch or of each image."""
        axes = (2, 3) if self.rules.per_sample else (0, 2, 3)
        pooled = elementwise.to_host(elementwise.xp.mean(x, axis=axes)).astype(np.float32)
        return self.decide(index, pooled.reshape(-1, x.shape[1]), elementwise)

    def decide(self, index: int, pooled: Floats, elementwise: Elementwise) -> Choice:
        """As `choose`, from the features f: ``pooled[rows, C]``, one row or one for each image."""
        first, second = self._embeddings[index]
        embedded = self._arithmetic.rectify(first.forward(pooled))
        u = second.forward(embedded)
        self._state, saved = self._lstm.forward(u, self._state)
        probabilities = self._arithmetic.softmax(self._decide.forward(self._state[0]))
        onehot = np.eye(len(self.costs), dtype=np.float32)[probabilities.argmax(axis=1)]
        self._steps.append(_Step(pooled, embedded, saved, probabilities, onehot))
        return self._choice(onehot, elementwise)

    @property
    def can_choose_early(self) -> bool:
        return all(each.value is not None for each in self._means)

    def choose_early(self, index: int, *, training: bool) -> Choice:
        """From the means of the mini-batch before; in an evaluation from the running means, so that
        a prediction does not depend on other images."""
        known = (self._means if training else self._running)[index].value
        features = np.zeros(self._widths[index]) if known is None else known
        pooled = features.reshape(1, -1).astype(self._arithmetic.number)
        return self.decide(index, pooled, Elementwise())

    def record(self, index: int, means: NDArray[np.float64], *, measuring: bool) -> None:
        """Of a step that only measures, the means count if there are none yet."""
        held, running = self._means[index], self._running[index]
        if measuring:
            held.value = means if held.value is None else held.value
            return
        held.value = means
        known = running.value
        newest = means if known is None else known + MEANS_MOMENTUM * (means - known)
        running.value = newest

    def learn(self, index: int, share: float) -> None:
        self.decide_backward(index, np.array([share], self._arithmetic.number))

    def _choice(self, onehot: Floats, elementwise: Elementwise) -> Choice:
        candidates = self.rules.candidates
        if not self.rules.per_sample:
            return Choice((Path(candidates[int(onehot[0].argmax())]),))
        paths = tuple(
            Path(candidate, int(mask.sum()), elementwise.from_host(np.ascontiguousarray(mask)))
            for candidate, mask in zip(candidates, onehot.T, strict=True)
        )
        return Choice(paths)

    @property
    def chosen(self) -> NDArray[np.float64]:
        """Shares of the candidates in each block of the last pass, [blocks, candidates]."""
        return np.array([step.onehot.mean(axis=0, dtype=np.float64) for step in self._steps])

    @property
    def cp(self) -> float:
        """Cost of the last pass's choices in percent, a mean over blocks (see above)."""
        product = self._arithmetic.product
        return float(product(self._weights, product(self.chosen, self.costs.astype(np.float64))))

    @property
    def regularization(self) -> int:
        """``reg``: +1 if the last pass cost more than the target, −1 if less, 0 close to it."""
        if self.rules.published:
            above = self.cp - self.target + ROUNDING
            return -1 if above < 0 else 0 if above < self.rules.dead_band else 1
        reachable = min(max(self.target, float(self.costs.min())), float(self.costs.max()))
        distance = self.cp - reachable
        close = max(self.rules.dead_band, ROUNDING)
        return 0 if abs(distance) <= close else 1 if distance > 0 else -1

    @property
    def cost_loss(self) -> float:
        """The loss term of the last pass's choices."""
        each = self._arithmetic.product(self.chosen, self.costs.astype(np.float64))
        total = float(self._arithmetic.total(each))
        return self.regularization * self.rules.beta * total

    @property
    def indicated_loss(self) -> float:
        return self.cost_loss if self.rules.published else 0.0

    # -- backward --------------------------------------------------------------------------

    def backward(
        self, index: int, shares: Array, shape: tuple[int, ...], elementwise: Elementwise
    ) -> Array:
        """The error at the block's input through the gate; blocks come last to first."""
        pooled = self.decide_backward(index, shares)
        count = shape[2] * shape[3] * (1 if self.rules.per_sample else shape[0])
        spread = (pooled / self._arithmetic.number(count)).reshape(len(pooled), -1, 1, 1)
        return elementwise.from_host(spread)

    def decide_backward(self, index: int, shares: Array) -> Floats:
        """As `backward`: the error at the features f, [rows, C]."""
        step = self._steps[index]
        rows = len(step.probabilities)
        gain = self.regularization * self.rules.beta * self.costs / rows
        dp = np.broadcast_to(gain, step.probabilities.shape).copy()
        if self.rules.per_sample:
            dp += shares.T
        else:
            dp += self._advantage(index, shares) * step.onehot
        p = step.probabilities
        logits = p * (dp - self._arithmetic.row_sums(p * dp))
        dh = self._decide.backward(logits, step.state.h)
        du, self._error = self._lstm.backward(dh, self._error, step.state)
        first, second = self._embeddings[index]
        embedded = second.backward(du, step.embedded) * (step.embedded > 0)
        return first.backward(embedded, step.pooled)

    def _advantage(self, index: int, share: Array) -> Floats:
        """∂loss/∂p of the executed path, less the estimate for the others."""
        baseline = self._baselines[index]
        known = share if baseline.value is None else baseline.value
        difference: Floats = share - known
        baseline.value = known + self._arithmetic.number(BASELINE_MOMENTUM) * difference
        return difference


def _start_as_published(
    embeddings: Sequence[tuple[Linear, Linear]], decide: Linear, rng: RandomNumbers
) -> None:
    """Weights of N(0, √(2/outputs)), as published for 1x1 convolutions, and of
    N(0, √(2/(inputs·outputs))) for the decision; biases and LSTM stay uniform."""
    for layer in (*(layer for pair in embeddings for layer in pair), decide):
        outputs, inputs = layer.weight.value.shape
        count = outputs * inputs if layer is decide else outputs
        values = rng.normal(0, np.sqrt(2 / count), (outputs, inputs))
        layer.weight.value = values.astype(np.float32)
