"""What multiplies for the operations under test."""

from collections.abc import Iterator

import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.arithmetic import IntegerArithmetic, PublishedArithmetic


@pytest.fixture
def accelerator() -> Iterator[Accelerator]:
    with open_accelerator("golden") as opened:
        yield opened


@pytest.fixture
def integers(accelerator: Accelerator) -> IntegerArithmetic:
    return IntegerArithmetic(accelerator)


@pytest.fixture
def published(accelerator: Accelerator) -> PublishedArithmetic:
    return PublishedArithmetic(accelerator)
