"""The accelerators that tests of backends share."""

from collections.abc import Iterator

import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator


@pytest.fixture(scope="module")
def accelerator() -> Iterator[Accelerator]:
    """PyTorch's, on the processor."""
    with open_accelerator("torch") as opened:
        yield opened
