"""Training whose bits change at every step: programs stay, table entries that changed are written,
and the integers are golden's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.backends.cosim import CosimAccelerator
from fractrain.host.backends.functional import FunctionalAccelerator
from fractrain.host.graph.choice import SKIP, Choice, Path
from fractrain.host.methods.method import Method
from fractrain.host.networks.parameter import weights_sha256
from fractrain.host.networks.registry import build_network
from fractrain.host.networks.selection import Selector
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Array, WeightLevels
from fractrain.host.training.trainer import Plan, StepReport, Trainer
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision
from tests.host.training.test_trainer import PLAN, stripes
from tests.hw.machines import machine

COARSE, MIDDLE, FINE = Precision(3, 3, 6), Precision(4, 4, 6), Precision(6, 4, 12)
SCHEDULE = (
    (SKIP, COARSE, FINE),
    (MIDDLE, COARSE, COARSE),
    (MIDDLE, MIDDLE, SKIP),
    (MIDDLE, MIDDLE, SKIP),
    (COARSE, FINE, MIDDLE),
)
"""Of the three blocks, step by step."""


class Scheduled(Selector):
    """The precisions of a row of the schedule."""

    precisions = (COARSE, MIDDLE, FINE, SKIP)

    def __init__(self, stored_bits: int | None) -> None:
        self.stored_bits = stored_bits
        self.blocks: Sequence[Precision] = SCHEDULE[0]

    def choose(self, index: int, x: Array, elementwise: Elementwise) -> Choice:
        return Choice((Path(self.blocks[index]),))


class Changing(Method):
    """Goes through the schedule."""

    def before_step(self, step: int) -> None:
        assert isinstance(self.selector, Scheduled)
        self.selector.blocks = SCHEDULE[step % len(SCHEDULE)]

    def describe(self, value: Any) -> dict[str, Any]:
        return {}


def trainer_on(
    accelerator: Accelerator,
    stored_bits: int | None = None,
    levels: WeightLevels = WeightLevels.MAX,
) -> Trainer:
    plan = Plan(**{**vars(PLAN), "steps": len(SCHEDULE), "batch": 4})
    network = build_network("resnet8", channels=1, classes=2, rng=np.random.default_rng(1))
    method = Changing("changing", Scheduled(stored_bits))
    arithmetic = IntegerArithmetic(accelerator, levels)
    return Trainer(network, stripes(), accelerator, method, plan, arithmetic)


def entries_to_write() -> Iterator[int]:
    """At each step: one for each block whose bits are not those that it last had. Nothing of a
    skipped block runs, so its entry stays as it is; the first step has that of the other layers."""
    last: list[Precision | None] = [None] * len(SCHEDULE[0])
    for step, blocks in enumerate(SCHEDULE):
        running = [number for number, each in enumerate(blocks) if each != SKIP]
        yield (step == 0) + sum(last[number] != blocks[number] for number in running)
        for number in running:
            last[number] = blocks[number]


@pytest.fixture(scope="module")
def simulated() -> Iterator[CosimAccelerator]:
    with CosimAccelerator(machine()) as accelerator:
        yield accelerator


@pytest.mark.parametrize("stored_bits", [None, 8])
def test_only_the_table_is_written(simulated: CosimAccelerator, stored_bits: int | None) -> None:
    """Nothing is compiled once the graph is there, and one entry is written for each block whose
    bits changed; weights, momenta and statistics are golden's after every step."""
    programs, table = simulated.programs, simulated.driver.table
    with open_accelerator("golden", machine()) as golden:
        found, wanted = (trainer_on(each, stored_bits) for each in (simulated, golden))
        reports: list[StepReport] = []
        table.forget()  # as after a reset
        compiled = programs.compilations
        for step, entries in enumerate(entries_to_write()):
            written = table.writes
            for trainer in (found, wanted):
                trainer.train(reports.append, until=step + 1)
            assert programs.compilations == compiled and table.writes - written == entries
            state, golden_state = found.state(), wanted.state()
            assert reports[-2].loss == reports[-1].loss
            for name, values in golden_state.arrays.items():
                np.testing.assert_array_equal(state.arrays[name], values, f"{name}, step {step}")


def test_every_number_of_images_has_its_programs(simulated: CosimAccelerator) -> None:
    """An evaluation of as many as are trained multiplies the same; another one does not."""
    trainer, programs = trainer_on(simulated), simulated.programs
    compiled = programs.compilations
    trainer.evaluate(limit=4)
    assert programs.compilations == compiled
    trainer.evaluate(limit=3)
    more = programs.compilations
    assert more > compiled
    trainer.train(lambda report: None, until=1)
    trainer.evaluate(limit=3)
    assert programs.compilations == more


def test_a_reset_forgets_the_table(simulated: CosimAccelerator) -> None:
    """What it holds is written again then."""
    trainer = trainer_on(simulated)
    trainer.train(lambda report: None, until=1)
    table = simulated.driver.table
    written = table.writes
    simulated.driver.reset()
    trainer.train(lambda report: None, until=2)
    assert table.writes - written == 1 + len(SCHEDULE[1])  # of the other layers, and of each block


def test_a_network_of_more_blocks_than_slots() -> None:
    with (
        FunctionalAccelerator(machine(precision__slots=3)) as accelerator,
        pytest.raises(ParameterError, match="precision slots of the network: got '4, .*at most 3"),
    ):
        trainer_on(accelerator)


def test_odd_levels(simulated: CosimAccelerator) -> None:
    """With their kernels of ones, in slots of their own, which come and go with the bits."""
    found = []
    with open_accelerator("golden", machine()) as golden:
        for accelerator in (simulated, golden):
            trainer = trainer_on(accelerator, levels=WeightLevels.ODD)
            compiled = simulated.programs.compilations
            trainer.train(lambda report: None, until=3)
            assert simulated.programs.compilations == compiled
            found.append(weights_sha256(trainer.parameters()))
    assert found[0] == found[1]
