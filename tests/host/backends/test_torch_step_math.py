"""PyTorch's forms of a step's work around the convolutions give the definition's integers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from fractrain.host.backends.compiled.compiling import can_compile
from tests.host.numerics import step_agreement as agreement
from tests.host.numerics.step_agreement import Drawn, examples

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch")
pytest.importorskip("array_api_compat", reason="array-api-compat is not installed: make torch")

from fractrain.host.backends.torch.known import KnownRanges  # noqa: E402
from fractrain.host.backends.torch.step_math import TorchStepMath  # noqa: E402

SUMS = "float32", "float64", "int64"
FORMS = {"plain": TorchStepMath(torch.device("cpu"), KnownRanges())}
if can_compile():
    from fractrain.host.backends.torch.compiled_step_math import compiled_step_math

    FORMS["compiled"] = compiled_step_math(KnownRanges())

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
