"""PyTorch's forms of a step's work around the convolutions give the definition's integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from fractrain.host.backends.compiled.compiling import can_compile
from fractrain.host.numerics.step_math import Normalization, Sums, Wanted
from fractrain.hw.contract.normalized import inner_format
from fractrain.sim.golden.step.backward import Slopes
from fractrain.sim.golden.step.forward import Term
from fractrain.sim.golden.step.scales import Multiplier
from tests.host.numerics import step_agreement as agreement
from tests.host.numerics.step_agreement import Drawn, examples

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch")
pytest.importorskip("array_api_compat", reason="array-api-compat is not installed: make torch")

from fractrain.host.backends.torch.known import KnownRanges  # noqa: E402
from fractrain.host.backends.torch.step_math import TorchStepMath  # noqa: E402

SUMS = "float32", "float64", "int64"
CPU = torch.device("cpu")
FORMS = {
    "plain": TorchStepMath(CPU, KnownRanges()),
    "plain, bytes": TorchStepMath(CPU, KnownRanges(), in_bytes=True),
}
if can_compile():
    from fractrain.host.backends.torch.compiled_step_math import compiled_step_math

    FORMS["compiled"] = compiled_step_math(KnownRanges(), in_bytes=False)
    FORMS["compiled, bytes"] = compiled_step_math(KnownRanges(), in_bytes=True)

every = pytest.mark.parametrize("name", FORMS)
examined = settings(deadline=None, max_examples=100, derandomize=True)


@every
@examined
@given(examples())
def test_narrow(name: str, drawn: Drawn) -> None:
    agreement.check_narrow(FORMS[name], drawn, SUMS)


@every
@examined
@given(examples())
def test_form(name: str, drawn: Drawn) -> None:
    agreement.check_form(FORMS[name], drawn)


@every
@examined
@given(examples())
def test_join(name: str, drawn: Drawn) -> None:
    agreement.check_join(FORMS[name], drawn, SUMS)


@every
@examined
@given(examples())
def test_apply(name: str, drawn: Drawn) -> None:
    agreement.check_apply(FORMS[name], drawn)


@every
@examined
@given(examples())
def test_weights(name: str, drawn: Drawn) -> None:
    agreement.check_weights(FORMS[name], drawn)


def test_no_tensor_passes_through_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the plain form: numbers of channels alone go to the host."""
    shape, form = (4, 8, 6, 6), FORMS["plain"]
    largest = 0
    to_numpy = torch.Tensor.numpy

    def numpy(tensor: Any, *args: Any, **options: Any) -> Any:
        nonlocal largest
        largest = max(largest, tensor.numel())
        return to_numpy(tensor, *args, **options)

    monkeypatch.setattr(torch.Tensor, "numpy", numpy)
    monkeypatch.setattr(torch.Tensor, "__array__", lambda *args, **options: pytest.fail("array"))
    sums = torch.ones(shape).contiguous(memory_format=torch.channels_last)
    y, moments, _ = form.narrow(sums, 0, 2)
    term = Term(np.ones(8, np.int64), np.ones(8, np.int64))
    eight = inner_format(8)
    norm = Normalization(y, form.normalizer(moments), term, eight, eight)
    formed = form.form([norm], None, 2, Wanted(8, 8))
    part = Sums(sums, 0, Multiplier(1 << 16, 16))
    e, _, _ = form.join([part], [], formed.mask, formed.kept, 2)
    by = Slopes(*np.ones((3, 2, 8), np.int64), 3)
    form.apply(e, formed.kept[0], by, 2, 8, (1, 2))
    form.pool(formed.residual)
    assert 0 < largest <= 4 * 8
