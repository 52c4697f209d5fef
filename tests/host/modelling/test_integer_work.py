"""The host's work in hardware mode, counted: by hand for a small network, and as it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fractrain.host.graph import operations as ops
from fractrain.host.graph.choice import fixed_choices
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import StepGraph
from fractrain.host.modelling import host_kinds as shared
from fractrain.host.modelling import integer_kinds as kinds
from fractrain.host.modelling.host_kinds import Kind
from fractrain.host.modelling.host_work import count_host_work, count_operations, gates_of
from fractrain.host.modelling.integer_kinds import of_words
from fractrain.host.networks.parameter import Parameter
from fractrain.host.numerics import fast_step_math
from fractrain.host.numerics.exact_descent import descend
from fractrain.host.numerics.fast_step_math import FastStepMath
from fractrain.host.numerics.step_math import Normalization, Residual, Stream, Sums, Wanted
from fractrain.hw.contract import threefry
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import WIDE, inner_format, outer_format
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.golden import random_bits
from fractrain.sim.golden.step import rounding, weights
from fractrain.sim.golden.step.backward import Slopes
from fractrain.sim.golden.step.forward import Normalizer, Term
from fractrain.sim.golden.step.scales import multiplier
from tests.host.modelling import noted
from tests.host.modelling.noted import SHAPE, tensor
from tests.host.modelling.steps import SKIP, resnet8_step
from tests.host.modelling.test_host_work import (
    INPUTS,
    NORMS,
    OUTPUTS,
    STAGE0,
    STAGE1,
    STAGE2,
    WEIGHTS,
)

TINY = load_parameters("tiny")
EIGHT, FEW = Precision(8, 8, 8), Precision(3, 4, 6)
BYTES = IntegerOptions(inner=(8,) * 8)
"""x̂ has one byte everywhere."""


def step_on(images: int = 1, integers: IntegerOptions | None = None, **more: Any) -> StepGraph:
    """A ResNet-8 on images of 8 x 8 pixels."""
    options = StepOptions((EIGHT, FEW, SKIP), integers=integers or BYTES, **more)
    return resnet8_step((images, 1, 8, 8), options, classes=2)


# -- by hand ---------------------------------------------------------------------------------------

ENDS = STAGE0 + STAGE1 + STAGE2  # of the blocks
FORMED = STAGE0 + 2 * ENDS  # behind the first convolution; inside each block and at its end
RESIDUALS = STAGE0 + ENDS  # what goes around the blocks, and what the classifier reads
BY_HAND = {
    kinds.NARROW: OUTPUTS,
    kinds.NORMALIZE: ENDS,  # inside a block
    kinds.NORMALIZE_END: OUTPUTS - ENDS,
    kinds.START_FORM: FORMED,
    kinds.KEEP_SIGNS: FORMED,
    # around the block that has no shortcut; the shortcuts of the others read it as activations
    kinds.ADD_RESIDUAL: STAGE0,
    # activations but behind the last block; residuals
    kinds.ROUND_ACTIVATIONS: INPUTS + ENDS + RESIDUALS,
    # errors at the input of each layer but the first
    kinds.JOIN_SUMS: 4 * STAGE0 + 3 * STAGE1 + STAGE2,
    # around the first block; at the pool
    kinds.JOIN_STREAM: STAGE0 + STAGE2,
    kinds.SPREAD: STAGE2,
    kinds.MASK_ERRORS: FORMED,
    kinds.JOIN: FORMED,
    kinds.ERROR_MOMENTS: OUTPUTS,
    kinds.APPLY: OUTPUTS,
    # two channels and 32 pixels a counter; 4 x 4 and 2 x 2 pixels fill a part of one
    kinds.RANDOM: 3 * (8 * 2 + 16 + 32)
    + sum(
        filters // 2 * -(-size // 32)
        for filters, size in [
            *((16, 9), (16, 144), (16, 144)),
            *((32, 144), (32, 288), (32, 16)),
            *((64, 288), (64, 576), (64, 32)),
        ]
    ),
    kinds.GREATEST_WEIGHT: sum(WEIGHTS),
    kinds.QUANTIZE_WEIGHTS: sum(WEIGHTS),
    kinds.UPDATE: sum(WEIGHTS),
    kinds.DESCEND: NORMS + 64 * 2 + 2,
    kinds.SUM_PIXELS: STAGE2,
    kinds.LOSS: 64 * 2,
    shared.DATA: 8 * 8,
}


def elements(step: StepGraph, *precisions: Precision, gates: bool = False) -> dict[Kind, float]:
    chosen = gates_of(step, step.options.precisions) if gates else None
    work = count_operations(step, fixed_choices(list(precisions)), chosen).work
    return {kind: work.elements[kind] for kind in work.kinds}


def names(found: dict[Kind, float]) -> dict[str, float]:
    return {kind.name: count for kind, count in found.items()}


def test_a_small_network_by_hand() -> None:
    assert names(elements(step_on(), *[EIGHT] * 3)) == names(BY_HAND)


def test_parts_of_a_tensor_are_calls_of_their_own() -> None:
    """64 images of the first stage are 65,536 elements, two parts."""
    assert fast_step_math.BLOCK == 2 * 16 * STAGE0
    work = count_operations(step_on(64), fixed_choices([EIGHT] * 3)).work
    assert work.calls[kinds.SUM_PIXELS] == 1
    assert work.calls[kinds.NARROW] == 3 * 2 + 6


def test_narrow_weights_are_clipped() -> None:
    found, usual = elements(step_on(), *[FEW] * 3), BY_HAND
    fixed = sum(WEIGHTS[each] for each in (0, 5, 8))  # the first layer, and shortcuts
    assert found[kinds.GREATEST_WEIGHT] == fixed
    assert found[kinds.DEVIATION] == sum(WEIGHTS) - fixed
    rest = {kinds.GREATEST_WEIGHT: 0, kinds.DEVIATION: 0}
    assert found | rest == usual | rest


def test_gates_add_what_they_look_at() -> None:
    step = step_on(learns=True)
    found = elements(step, *[EIGHT] * 3, gates=True)
    gates = gates_of(step, step.options.precisions)
    learned = sum(each.value.size for each in gates.parameters())
    more = {
        kinds.MEANS: INPUTS,
        kinds.GATE_NETWORK: sum(gates.weights_of(block) for block in range(3)),
        kinds.DESCEND: BY_HAND[kinds.DESCEND] + learned,
    }
    assert names(found) == names(BY_HAND | more)


def test_skipped_blocks() -> None:
    """Where no batch norm is left, the stream goes on, and activations are formed from it; where a
    shortcut is left, z is its batch norm."""
    found = elements(step_on(), SKIP, EIGHT, SKIP)
    assert found[kinds.NARROW] == STAGE0 + 3 * STAGE1 + STAGE2
    assert found[kinds.NORMALIZE] == STAGE1
    formed = STAGE0 + 2 * STAGE1 + STAGE2
    assert found[kinds.START_FORM] == found[kinds.JOIN] == formed + STAGE0
    assert found[kinds.ADD_RESIDUAL] == STAGE0
    assert found[kinds.KEEP_SIGNS] == found[kinds.MASK_ERRORS] == formed
    assert found[kinds.ERROR_MOMENTS] == found[kinds.APPLY] == found[kinds.NARROW]
    assert found[kinds.UPDATE] == sum(WEIGHTS), "momentum moves what was skipped"
    nothing = elements(step_on(), SKIP, SKIP, EIGHT)
    assert kinds.ADD_RESIDUAL not in nothing, "nobody reads activations of the first block"
    assert nothing[kinds.START_FORM] == STAGE0 + STAGE1 + 2 * STAGE2


def test_wide_integers_have_two_bytes() -> None:
    """Errors of 12 bits, x̂ of 11, a residual of 16, which shortcuts read the top bits of."""
    wide = Precision(8, 8, 12)
    integers = IntegerOptions(inner=(11,) * 8, residual_bits=16)
    step = step_on(integers=integers)
    step = resnet8_step((1, 1, 8, 8), replace(step.options, precisions=(wide,)), classes=2)
    found = elements(step, *[wide] * 3)
    fixed = STAGE0 + STAGE1 + STAGE2
    assert found[of_words(kinds.NORMALIZE, "x̂", "c>1")] == ENDS
    assert found[of_words(of_words(kinds.APPLY, "x̂", "1>c"), "errors", "c>1")] == ENDS
    assert found[of_words(kinds.APPLY, "errors", "c>1")] == ENDS
    assert found[kinds.APPLY] == fixed
    assert found[of_words(kinds.ERROR_MOMENTS, "x̂", "1>c")] == ENDS
    assert found[of_words(kinds.ROUND_ACTIVATIONS, "residual", "c>1")] == RESIDUALS
    assert found[of_words(kinds.ADD_RESIDUAL, "residual", "1>c")] == STAGE0
    assert found[of_words(kinds.SUM_PIXELS, "residual", "1>c")] == STAGE2
    assert found[of_words(kinds.TOP_BYTES, "residual", "1>1")] == STAGE0 + STAGE1


def test_operations_of_the_other_mode_are_refused() -> None:
    step = step_on()
    for strange in (ops.Pool, ops.Dequantize):
        other = next(
            each
            for each in resnet8_step((1, 1, 8, 8), classes=2).operations
            if isinstance(each, strange)
        )
        changed = replace(step, forward=(*step.forward, other))
        with pytest.raises(ParameterError, match=f"{strange.__name__}.*in hardware mode knows"):
            count_host_work(changed, fixed_choices([EIGHT] * 3), TINY)


# -- as it is written ------------------------------------------------------------------------------

CHUNKS, CHANNELS = SHAPE[0], SHAPE[1]
OF_CHANNELS = np.ones((CHUNKS, CHANNELS), np.int64)
NORMALIZER = Normalizer(OF_CHANNELS, 1000 * OF_CHANNELS)
TERM = Term(OF_CHANNELS[0], OF_CHANNELS[0])
MATH = FastStepMath()
KEY = (1, 2)


def form(*normalizations: Normalization, residual: Residual | None = None, **wanted: bool) -> None:
    nothing = {"rectify": False, "activations": False, "stream": False}
    MATH.form(normalizations, residual, 1, Wanted(8, 8, **nothing | wanted))


def normalization(*, inner: bool) -> Normalization:
    kept = inner_format(8) if inner else outer_format(6)
    return Normalization(tensor(np.int16), NORMALIZER, TERM, kept if inner else WIDE, kept)


def join(sums: int = 0, streams: int = 0, *, mask: bool = False, kept: int = 0) -> None:
    MATH.join(
        [Sums(tensor(np.int64), 1, multiplier(0.3))] * sums,
        [Stream(tensor(np.int16), 2)] * streams,
        tensor(bool) if mask else None,
        [tensor(np.int8)] * kept,
        1,
    )


def update() -> None:
    rule = weights.update_rule(1e-6, 1 << 20, momentum=0.9, decay=1e-4, rate=0.1)
    weights.update(*(tensor(np.int64) for _ in range(3)), rule, tensor(np.uint8))


def descend_once() -> None:
    value, _ = descend(
        *(tensor(float) for _ in range(3)), rate=0.1, momentum=0.9, weight_decay=1e-4
    )
    np.isfinite(Parameter("w", value).value).all()  # as the trainer looks


SLOPES = Slopes(OF_CHANNELS, OF_CHANNELS, OF_CHANNELS, 3)
EMPTY = Residual(tensor(np.uint8), 3, 0)
R, SUM, STREAM = kinds.ADD_RESIDUAL, kinds.JOIN_SUMS, kinds.JOIN_STREAM

CASES: dict[str, tuple[Callable[[], Any], list[Kind]]] = {
    "narrow": (lambda: MATH.narrow(tensor(np.int64), 3, 1), [kinds.NARROW]),
    "inside": (
        lambda: form(normalization(inner=True), rectify=True, activations=True),
        [kinds.START_FORM, kinds.NORMALIZE, kinds.ROUND_ACTIVATIONS, kinds.KEEP_SIGNS],
    ),
    "end": (
        lambda: form(normalization(inner=False), residual=EMPTY, rectify=True, stream=True),
        [kinds.START_FORM, kinds.NORMALIZE_END, R, kinds.ROUND_ACTIVATIONS, kinds.KEEP_SIGNS],
    ),
    "two, of both": (
        lambda: form(
            normalization(inner=False),
            normalization(inner=False),
            rectify=True,
            activations=True,
            stream=True,
        ),
        [
            *(kinds.START_FORM, kinds.NORMALIZE_END, kinds.NORMALIZE_END, kinds.KEEP_SIGNS),
            *(kinds.ROUND_ACTIVATIONS, kinds.ROUND_ACTIVATIONS),
        ],
    ),
    "passed on": (lambda: form(residual=EMPTY), [kinds.START_FORM, R]),
    "join": (
        lambda: join(2, 1, mask=True, kept=1),
        [kinds.JOIN, SUM, SUM, STREAM, kinds.MASK_ERRORS, kinds.ERROR_MOMENTS],
    ),
    "join of streams": (
        lambda: join(0, 2, kept=2),
        [kinds.JOIN, STREAM, STREAM, kinds.ERROR_MOMENTS, kinds.ERROR_MOMENTS],
    ),
    "apply": (
        lambda: MATH.apply(tensor(np.int16), tensor(np.int8), SLOPES, 1, 8, KEY),
        [kinds.APPLY],
    ),
    "wide errors": (
        lambda: MATH.apply(tensor(np.int16), tensor(np.int16), SLOPES, 1, 12, KEY),
        [of_words(of_words(kinds.APPLY, "x̂", "1>c"), "errors", "c>1")],
    ),
    "pool": (lambda: MATH.pool(tensor(np.uint8)), [kinds.SUM_PIXELS]),
    "greatest": (lambda: MATH.greatest(tensor(np.int64)), [kinds.GREATEST_WEIGHT]),
    "deviation": (lambda: MATH.deviation(tensor(np.int64, 1 << 20)), [kinds.DEVIATION]),
    "weights": (
        lambda: MATH.quantize_weights(tensor(np.int64), 8, 2.0**-20),
        [kinds.QUANTIZE_WEIGHTS],
    ),
    "update": (update, [kinds.UPDATE]),
    "descend": (descend_once, [kinds.DESCEND]),
}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for module in (fast_step_math, rounding):
        monkeypatch.setattr(module, "np", noted.Namespace())
    noted.log.clear()
    return noted.log


@pytest.mark.parametrize("case", CASES)
def test_calls_are_those_of_the_code(log: list[str], case: str) -> None:
    call, of = CASES[case]
    call()
    wanted = Counter(each for kind in of for each in kind.calls)
    assert Counter(log) == wanted, (Counter(log) - wanted, wanted - Counter(log))


def test_random_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (threefry, random_bits):
        monkeypatch.setattr(module, "np", noted.CachedNamespace())
    noted.log.clear()
    random_bits.random_bytes(KEY, 1, 2, 32)
    assert Counter(noted.log) == Counter(kinds.RANDOM.calls)


def test_figures_of_a_kind() -> None:
    assert kinds.NARROW.bytes_as_written == 8 + 2
    assert kinds.NARROW.accesses_as_written == 2 + 2 + 4 * 2 + 2 + 2
    assert kinds.NARROW.floating_calls == 10 and kinds.RANDOM.floating_calls == 0
    assert shared.ADD.floating_calls == 1
    wide = of_words(kinds.APPLY, "errors", "c>1")
    assert wide.bytes_written == 2 and wide.bytes_as_written == kinds.APPLY.bytes_as_written + 1
