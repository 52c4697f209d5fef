"""What the configuration accepts works: any engine on the emulator, chosen ones in RTL."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.contract.parameters import Parameters
from tests.coverage.configurations import configurations, layers
from tests.host.compiler.running import check

PROGRAMS = 18


@given(configurations(), st.integers(0, PROGRAMS - 1), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_any_configuration(p: Parameters, number: int, seed: int) -> None:
    steps, precisions = list(layers(p))[number]
    check(p, steps, precisions, seed)
