"""The torch backend: operands that it takes, and those that it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.compiler import compile_program
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim import golden
from tests.host.compiler.running import random_operands
from tests.host.compiler.test_program import network

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch")
pytest.importorskip("array_api_compat", reason="array-api-compat is not installed: make torch")

from fractrain.host.backends.torch.known import KnownRanges  # noqa: E402


@pytest.mark.parametrize(
    "kind", ["uint8", "int16", "int32", "int64", "float32", "numpy", "list", "strided", "gradient"]
)
def test_operands_of_all_kinds(
    accelerator: Accelerator, rng: np.random.Generator, kind: str
) -> None:
    a, w = rng.integers(0, 16, (2, 3, 7, 6)), rng.integers(-4, 4, (5, 3, 3, 3))
    x: Any = torch.from_numpy(a)
    if kind == "numpy":
        x = a.astype(np.uint16)
    elif kind == "list":
        x = a.tolist()
    elif kind == "strided":
        x = torch.from_numpy(np.ascontiguousarray(a.T)).permute(3, 2, 1, 0)
    elif kind == "gradient":
        x = x.float().requires_grad_()
    else:
        x = x.to(getattr(torch, kind))
    y = accelerator.forward(x, w, (4, 3), 2, 1)
    truth = golden.forward(a, w, bits=(4, 3), stride=2, padding=1)
    np.testing.assert_array_equal(y.to(torch.int64).numpy(), truth)
    assert not y.requires_grad


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (16.0, r"a\[1, 2, 0, 1\]: got 16, allowed: 0..15 \(4 bits, unsigned\)"),
        (-1.0, r"a\[1, 2, 0, 1\]: got -1, allowed: 0..15"),
        (2.5, r"a\[1, 2, 0, 1\]: got 2.5, allowed: whole numbers, 0..15"),
        (float("nan"), r"a\[1, 2, 0, 1\]: got nan, allowed: whole"),
        (float("inf"), r"a\[1, 2, 0, 1\]: got inf, allowed: whole"),
    ],
)
def test_values_that_do_not_fit(accelerator: Accelerator, value: float, message: str) -> None:
    a, w = torch.ones(2, 3, 7, 6), torch.ones(5, 3, 3, 3)
    a[1, 2, 0, 1] = value
    with pytest.raises(ParameterError, match=message):
        accelerator.forward(a, w, (4, 3))


def test_a_tensor_is_looked_at_again_when_it_has_changed(accelerator: Accelerator) -> None:
    a, w = torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3)
    assert float(accelerator.forward(a, w, (4, 2))) == 9
    a[0, 0, 1, 1] = 16
    with pytest.raises(ParameterError, match="got 16, allowed: 0..15"):
        accelerator.forward(a, w, (4, 2))
    assert float(accelerator.forward(a, w, (5, 2))) == 24
    with pytest.raises(ParameterError, match="got 16, allowed: 0..15"):  # known, and too wide
        accelerator.forward(a, w, (4, 2))


def test_known_ranges() -> None:
    known = KnownRanges()
    x, y = torch.zeros(3), torch.zeros(3)
    known.note(x, 0, 7)
    assert known.of(x) == (0, 7) and known.of(y) is None
    assert known.of(x.clone()) is None
    x.add_(1)
    assert known.of(x) is None
    known.note(y, -1, 1)
    del x
    assert len(known._ranges) == 1
    with torch.inference_mode():
        uncounted = torch.zeros(3)
    known.note(uncounted, 0, 0)
    assert known.of(uncounted) is None


@pytest.mark.parametrize(
    ("a", "message"),
    [
        (torch.ones(1, 1, 3, 3, dtype=torch.float64), r"a.dtype: got 'torch.float64, .*float32"),
        (torch.ones(1, 1, 3, 3, dtype=torch.bfloat16), "a.dtype: got 'torch.bfloat16"),
        (torch.ones(1, 1, 3, 3, dtype=torch.bool), "a.dtype: got 'torch.bool"),
        (torch.ones(1, 1, 3, 3).to_sparse(), "a.dtype: .*sparse.* allowed: a dense tensor"),
        (torch.ones(1, 3, 3), r"a.shape: got \(1, 3, 3\), allowed: four axes \[N,C,H,W\]"),
        (torch.ones(0, 1, 3, 3), r"a.shape: got \(0, 1, 3, 3\)"),
        (torch.ones(1, 1, 3, 3, device="meta"), "a.device: got 'meta', allowed: cpu, .*from_host"),
        (torch.ones(1, 2, 3, 3), "w.shape.* got 1, allowed: 2"),
        (np.ones((1, 1, 3, 3)), "a.dtype: got 'float64', allowed: an integer type"),
        (np.full((1, 1, 3, 3), 16), "a.* got 16, allowed: 0..15"),
        ("ones", "a.dtype"),
    ],
)
def test_operands_that_are_refused(accelerator: Accelerator, a: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        accelerator.forward(a, np.ones((1, 1, 3, 3), int), (4, 2))


def test_whole_programs_go_from_host_to_host() -> None:
    p = load_parameters("tiny")
    program = compile_program(p, network())
    values = random_operands(program, np.random.default_rng(0))
    precisions = {0: Precision(7, 4, 3), 1: Precision(6, 5, 7), 2: Precision(0, 8, 7)}
    with open_accelerator("torch", p) as found, open_accelerator("golden", p) as wanted:
        results = found.run(program, values, precisions)
        truth = wanted.run(program, values, precisions)
    assert results.keys() == truth.keys() and results["y3"] is None
    for name, value in truth.items():
        if value is not None:
            np.testing.assert_array_equal(results[name], value, name)
            assert results[name].dtype == np.int64
