"""Whole training steps of small networks on the functional machine, bit for bit as golden's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.hw.contract.precision import Precision
from tests.host.compiler.whole_step.golden_step import GoldenStep
from tests.host.compiler.whole_step.running import Stepped, small

SKIP = Precision(0, 0, 0)
MIXED = Precision(4, 4, 6), Precision(3, 4, 8), Precision(8, 8, 8)


@pytest.fixture(scope="module")
def golden() -> Iterator[Accelerator]:
    with open_accelerator("golden") as accelerator:
        yield accelerator


def test_a_small_network(golden: Accelerator) -> None:
    step = GoldenStep(golden, "resnet8", 8, 5, MIXED, IntegerOptions(chunk_rows=16))
    Stepped(step, small()).check()
