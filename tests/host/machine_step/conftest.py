from collections.abc import Iterator

import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator


@pytest.fixture(scope="module")
def golden() -> Iterator[Accelerator]:
    with open_accelerator("golden") as accelerator:
        yield accelerator
