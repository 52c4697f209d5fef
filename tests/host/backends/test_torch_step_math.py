"""PyTorch's forms of a step's work around the convolutions give the definition's integers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.host.numerics import step_agreement as agreement
from tests.host.numerics.step_agreement import Drawn, examples

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch")
pytest.importorskip("array_api_compat", reason="array-api-compat is not installed: make torch")

from fractrain.host.backends.torch.known import KnownRanges  # noqa: E402
from fractrain.host.backends.torch.step_math import TorchStepMath  # noqa: E402

SUMS = "float32", "float64", "int64"
FORM = TorchStepMath(torch.device("cpu"), KnownRanges())

examined = settings(deadline=None, max_examples=100, derandomize=True)


@examined
@given(examples())
def test_narrow(drawn: Drawn) -> None:
    agreement.check_narrow(FORM, drawn, SUMS)


@examined
@given(examples())
def test_form(drawn: Drawn) -> None:
    agreement.check_form(FORM, drawn)


@examined
@given(examples())
def test_join(drawn: Drawn) -> None:
    agreement.check_join(FORM, drawn, SUMS)


@examined
@given(examples())
def test_apply(drawn: Drawn) -> None:
    agreement.check_apply(FORM, drawn)


@examined
@given(examples())
def test_weights(drawn: Drawn) -> None:
    agreement.check_weights(FORM, drawn)
