"""How the layers under test are executed."""

from collections.abc import Callable, Iterator

import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.graph.choice import UNQUANTIZED
from fractrain.host.networks.effective_macs import EffectiveMacs
from fractrain.host.networks.execution import Execution, Training
from fractrain.host.networks.selection import FixedSelector
from fractrain.hw.contract.precision import Precision

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
        training = Training(accelerator.elementwise.rounding(0, step), EffectiveMacs())
        return Execution(
            IntegerArithmetic(accelerator), FixedSelector(precision), training, unquantized
        )

    return make


@pytest.fixture
def evaluation(accelerator: Accelerator) -> Execution:
    return Execution(IntegerArithmetic(accelerator), FixedSelector(WIDEST))
