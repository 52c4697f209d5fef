"""The compiled form of a step's work around the convolutions gives the definition's integers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from fractrain.host.backends.compiled.compiling import can_compile
from fractrain.host.numerics.fast_step_math import FastStepMath
from tests.host.numerics import step_agreement as agreement
from tests.host.numerics.step_agreement import Drawn, examples

if not can_compile():
    pytest.skip("Numba is not installed", allow_module_level=True)

from fractrain.host.backends.compiled.step_math import (
    ArrayMemory,
    CompiledStepMath,
)

SUMS = "int64", "float32"
"""A kernel is compiled for each."""


FORM = CompiledStepMath(FastStepMath(), ArrayMemory(), threads=lambda: 2)

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
