"""How the layers under test are executed."""

from collections.abc import Callable, Iterator

import pytest

from host.accelerator import Accelerator, open_accelerator
from host.networks.effective_macs import EffectiveMacs
from host.networks.execution import UNQUANTIZED, Execution, Training
from host.numerics.quantization import StochasticRounding
from hw.contract.precision import Precision

WIDEST = Precision(16, 16, 16)


@pytest.fixture
def accelerator() -> Iterator[Accelerator]:
    with open_accelerator("golden") as opened:
        yield opened


@pytest.fixture
def training(accelerator: Accelerator) -> Callable[..., Execution]:
    """A training execution, at 16 bits unless told otherwise."""

    def make(
        precision: Precision = WIDEST, step: int = 0, unquantized: Precision = UNQUANTIZED
    ) -> Execution:
        training = Training(StochasticRounding(0, step), EffectiveMacs())
        return Execution(accelerator, precision, training, unquantized)

    return make


@pytest.fixture
def evaluation(accelerator: Accelerator) -> Execution:
    return Execution(accelerator, WIDEST)
