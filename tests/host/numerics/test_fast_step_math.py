"""The fast NumPy form of a step's work around the convolutions gives the definition's integers."""

from __future__ import annotations

from hypothesis import given, settings

from fractrain.host.numerics.fast_step_math import FastStepMath
from tests.host.numerics import step_agreement as agreement
from tests.host.numerics.step_agreement import Drawn, examples

SUMS = "int64", "int32", "float32", "float64"
FORM = FastStepMath()

once = settings(deadline=None, max_examples=100, derandomize=True)


@once
@given(examples())
def test_narrow(drawn: Drawn) -> None:
    agreement.check_narrow(FORM, drawn, SUMS)


@once
@given(examples())
def test_form(drawn: Drawn) -> None:
    agreement.check_form(FORM, drawn)


@once
@given(examples())
def test_join(drawn: Drawn) -> None:
    agreement.check_join(FORM, drawn, SUMS)


@once
@given(examples())
def test_apply(drawn: Drawn) -> None:
    agreement.check_apply(FORM, drawn)


@once
@given(examples())
def test_weights(drawn: Drawn) -> None:
    agreement.check_weights(FORM, drawn)


@once
@given(examples())
def test_reciprocal_roots(drawn: Drawn) -> None:
    agreement.check_normalizer(drawn)
