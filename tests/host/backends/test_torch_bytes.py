"""Convolutions of bytes: the definition's integers, or none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from fractrain.host.accelerator import open_accelerator
from fractrain.sim import golden
from fractrain.sim.golden import definition
from tests.host.backends.passes import assert_same_integers, drawn, operands, three_passes

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch")
pytest.importorskip("array_api_compat", reason="array-api-compat is not installed: make torch")

from fractrain.host.backends.torch import byte_kernels  # noqa: E402
from fractrain.host.backends.torch.byte_kernels import ByteKernels  # noqa: E402
from fractrain.host.backends.torch.exact import ForwardSums, Operand, exact_sums  # noqa: E402
from fractrain.host.backends.torch.kernels import DirectKernels  # noqa: E402
from fractrain.host.backends.torch.probe import multiplies_bytes  # noqa: E402
from fractrain.host.backends.torch.settings import exact_float32  # noqa: E402

needs_bytes = pytest.mark.skipif(
    not multiplies_bytes(ByteKernels()), reason="oneDNN does not multiply bytes exactly here"
)


def as_bytes(integers: np.ndarray, kind: str) -> Any:
    tensor = torch.from_numpy(integers.astype(kind))
    return tensor.contiguous(memory_format=torch.channels_last)


@needs_bytes
@given(**drawn(counts=(9, 70, 70), bits=8, stride=3))
@settings(max_examples=60, deadline=None)
def test_bytes_give_the_definitions_integers(
    counts: tuple[int, int, int],
    size: tuple[int, int],
    kernel: tuple[int, int],
    bits: tuple[int, int, int],
    stride: int,
    padding: int,
    extreme: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    a, w, e = operands(rng, counts, size, kernel, bits, stride, padding, extreme)
    unsigned, weights, errors = (
        as_bytes(each, kind) for each, kind in ((a, "uint8"), (w, "int8"), (e, "int8"))
    )
    forward = ByteKernels().forward(unsigned, weights, stride, padding)
    assert forward is not None and forward.is_contiguous(memory_format=torch.channels_last)
    assert_same_integers([forward], [definition.forward(a, w, stride, padding)])
    found = ByteKernels().error(errors, weights, stride, padding, size)
    assert (found is not None) == (padding < min(kernel))
    if found is not None:
        assert_same_integers([found], [definition.error(e, w, stride, padding, size)])


def test_what_has_no_form_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels, like = ByteKernels(), np.ones((1, 2, 5, 5))
    signed, unsigned, floats = (as_bytes(like, kind) for kind in ("int8", "uint8", "float32"))
    weights = as_bytes(np.ones((2, 2, 3, 3)), "int8")
    assert kernels.forward(signed, weights, 1, 1) is None
    assert kernels.forward(floats, weights, 1, 1) is None
    assert kernels.forward(unsigned, weights.float(), 1, 1) is None
    assert kernels.error(unsigned, weights, 1, 1, (5, 5)) is None
    assert kernels.error(floats, weights, 1, 1, (5, 5)) is None
    assert kernels.error(signed, weights, 1, 3, (1, 1)) is None
    monkeypatch.setattr(byte_kernels, "LONGEST_SUM", 17)
    assert kernels.forward(unsigned, weights, 1, 1) is None
    assert kernels.error(signed, weights, 1, 1, (5, 5)) is None


class Saturating(ByteKernels):
    """As oneDNN on a processor that adds pairs of products in 16 bits."""

    def forward(self, x: Any, y: Any, stride: int, padding: int) -> Any:
        a, w = (each.numpy().astype(np.int64) for each in (x, y))
        total = np.zeros(1)
        for first in range(0, w.shape[1], 2):
            pair = slice(first, first + 2)
            part = golden.forward(
                a[:, pair], w[:, pair], bits=(8, 8), stride=stride, padding=padding
            )
            total = total + np.clip(part, -(1 << 15), (1 << 15) - 1)
        return torch.from_numpy(total)


class Missing(ByteKernels):
    """As a PyTorch without the operator."""

    def forward(self, x: Any, y: Any, stride: int, padding: int) -> Any:
        return torch.ops.onednn.no_such_convolution(x, y)


class Rounding(ByteKernels):
    """Whose sums have the precision of bfloat16."""

    def error(self, *operands: Any) -> Any:
        found = super().error(*operands)
        return None if found is None else found.bfloat16().float()


@pytest.mark.parametrize("kernels", [Saturating(), Missing()])
def test_the_probe_finds_processors_that_do_not_multiply_bytes(kernels: ByteKernels) -> None:
    assert not multiplies_bytes(kernels)


@needs_bytes
def test_the_probe_looks_at_errors_too() -> None:
    assert not multiplies_bytes(Rounding())


@pytest.mark.parametrize("bits", [8, 5])
def test_an_accelerator_without_bytes_gives_the_same(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, bits: int
) -> None:
    name = "fractrain.host.backends.torch.accelerator.multiplies_bytes"
    monkeypatch.setattr(name, lambda _: False)
    widths = (bits, bits, bits)
    a, w, e = operands(rng, (6, 16, 24), (12, 12), (3, 3), widths, 1, 1)
    tensors = [as_bytes(each, kind) for each, kind in ((a, "uint8"), (w, "int8"), (e, "int8"))]
    truth = three_passes(golden, a, w, e, widths, 1, 1)
    with open_accelerator("torch") as without:
        assert not without._in_bytes
        assert_same_integers(three_passes(without, *tensors, widths, 1, 1), truth)
    monkeypatch.undo()
    with open_accelerator("torch") as accelerator:
        assert_same_integers(three_passes(accelerator, *tensors, widths, 1, 1), truth)


@needs_bytes
def test_an_accelerator_multiplies_bytes_where_it_can(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its step makes are bytes, and both passes that have a form of bytes take it."""
    used = []

    def watch(name: str) -> None:
        plain = getattr(ByteKernels, name)

        def watched(self: ByteKernels, *given: Any) -> Any:
            found = plain(self, *given)
            used.append((name, found is not None))
            return found

        monkeypatch.setattr(ByteKernels, name, watched)

    with open_accelerator("torch") as accelerator:
        watch("forward")
        watch("error")
        w = accelerator.step_math.from_host(rng.integers(-(2**28), 2**28, (8, 4, 3, 3)))
        assert accelerator.step_math.quantize_weights(w, 8, 2.0**-7).dtype == torch.int8
        a, w, e = operands(rng, (2, 4, 8), (8, 8), (3, 3), (8, 8, 8), 1, 1)
        tensors = [as_bytes(each, kind) for each, kind in ((a, "uint8"), (w, "int8"), (e, "int8"))]
        three_passes(accelerator, *tensors, (8, 8, 8), 1, 1)
    assert used == [("forward", True), ("error", True)]


def test_sums_beyond_float32_are_not_of_bytes() -> None:
    """255 · 128 · 576 is more than 2^24: float32 in digits, never rounded."""

    used = []

    class Watched(ByteKernels):
        def forward(self, x: Any, y: Any, stride: int, padding: int) -> Any:
            found = super().forward(x, y, stride, padding)
            used.append(found is not None)
            return found

    a, w = np.full((1, 64, 5, 5), 255), np.full((2, 64, 3, 3), -128)
    w[0, 0, 0, 0] = -127
    sums = ForwardSums(DirectKernels(), 1, 1, reads_data=True, of_bytes=Watched())
    with exact_float32("cpu"):
        found = exact_sums(
            sums, Operand(as_bytes(a, "uint8"), 255), Operand(as_bytes(w, "int8"), 128)
        )
    assert not any(used)
    assert_same_integers([found], [definition.forward(a, w, 1, 1)])
