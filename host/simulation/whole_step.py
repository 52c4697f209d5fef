"""A whole training step on a machine with a vector unit, beside the same step on the golden model.

Two copies of a network begin alike. One takes the step operation by operation on the golden model,
the other as one program; then every byte of the stash, every weight and momentum, and all that the
host keeps must be equal.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.arithmetic import IntegerStep
from fractrain.host.compiler.whole_step import DoesNotFit, WholeStep, compile_whole_step
from fractrain.host.execution import Executor, step_options
from fractrain.host.execution.executor import Observer
from fractrain.host.graph.choice import UNQUANTIZED
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.step import build_step
from fractrain.host.machine.vector_machine import Counts, StepLaunch, VectorMachine
from fractrain.host.machine_step import CompiledMachine, MachineStep
from fractrain.host.networks.registry import build_network
from fractrain.host.networks.selection import Selector
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.host.simulation.stash import FormedValues, StashCheck
from fractrain.host.training.integer_optimizer import IntegerSgd
from fractrain.host.training.optimizer import MOMENTUM, WEIGHT_DECAY
from fractrain.hw.contract.errors import MismatchError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision

CLASSES, RATE = 10, 0.1


@dataclass(frozen=True)
class StepSetting:
    """What is simulated: ``model`` on ``images[N,C,H,W]``, its blocks at what ``selector`` chooses
    before the step, other layers at ``unquantized``, from weights of ``seed``."""

    model: str
    images: NDArray[np.uint8]
    selector: Selector
    seed: int
    options: IntegerOptions
    unquantized: Precision = UNQUANTIZED


class Side:
    """One copy of the network, on ``accelerator``; all that a step needs."""

    def __init__(
        self, setting: StepSetting, accelerator: Accelerator, observer: Observer | None = None
    ) -> None:
        self.setting = setting
        images = setting.images
        count, channels, height, width = images.shape
        numbers = counter_numbers(setting.seed, Stream.WEIGHTS)
        network = build_network(setting.model, channels=channels, classes=CLASSES, rng=numbers)
        self.arithmetic = IntegerStep(accelerator, options=setting.options)
        self.arithmetic.adopt(network)
        self.network, self.selector = network, setting.selector
        options = step_options(self.selector, self.arithmetic, setting.unquantized)
        self.graph = build_step(network, (count, channels, height, width), options)
        given = self.graph, network, self.arithmetic, self.selector
        self.executor = Executor(*given, observer)
        constants = {"momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY}
        parameters, of = network.parameters(), self.arithmetic
        self.optimizer = IntegerSgd(parameters, of, seed=setting.seed, **constants)
        labels = generator(setting.seed, Stream.DATA, 1).integers(0, CLASSES, count)
        self.labels: NDArray[np.int64] = np.asarray(labels)
        self.rounding = self.arithmetic.rounding(setting.seed, 0)

    def measure(self) -> None:
        """The measuring step, without any update."""
        given = {"images": self.setting.images, "labels": self.labels}
        run = self.executor.forward(given, self.rounding, measuring=True)
        self.executor.backward(run)
        self.arithmetic.measured()

    def step(self) -> tuple[float, NDArray[np.float64]]:
        """Operation by operation: loss and logits."""
        given = {"images": self.setting.images, "labels": self.labels}
        run = self.executor.forward(given, self.rounding)
        self.executor.backward(run)
        self.executor.update(run, lambda each: self.optimizer.update(each, RATE, 0))
        return run.loss, run.logits

    def whole_step(self, machine: CompiledMachine) -> tuple[float, NDArray[np.float64]]:
        """The same as one program of ``machine``."""
        step = MachineStep(self.network, self.arithmetic, self.optimizer, machine)
        batch = self.setting.images, self.labels
        done = step.run(self.executor, batch, self.rounding, RATE)
        if done.refusal is not None:
            raise done.refusal
        if not done.whole:
            allowed = "one: a tensor that is zero goes layer by layer"
            raise DoesNotFit("range of a tensor of the step", "none", allowed)
        step.fetch()
        return done.loss, done.logits

    def held(self) -> dict[str, Any]:
        """What it is left with, by name: parameters and momenta, running statistics, ranges."""
        to_host, found = self.arithmetic.to_host, {}
        for each in self.network.parameters():
            found[each.name] = to_host(each, each.value)
            found[f"momentum of {each.name}"] = to_host(each, self.optimizer.velocity[each.name])
        for statistic in self.network.statistics():
            found[statistic.name] = np.asarray(statistic.value)
        ranges = {f"range of {name}": each for name, each in self.arithmetic.state().items()}
        return found | ranges


@dataclass
class Timed:
    """Seconds of the wall: of the machine from start to end, waits included, and of the host
    ``before`` the step, ``during`` it by token, and ``after`` it. ``begin``: the cycle of the
    machine's clock in which the step begins, if it has a clock."""

    begin: int | None = None
    before: float = 0.0
    during: list[float] = field(default_factory=list)
    after: float = 0.0
    machine: float = 0.0


class _Timing(VectorMachine):
    """``machine``, whose waits are timed."""

    def __init__(self, machine: VectorMachine, clock: Callable[[], int] | None) -> None:
        self._clock = clock
        self._machine, self.parameters = machine, machine.parameters
        self.base_address = machine.base_address
        self.times = Timed()
        self._since = time.perf_counter()

    def _lap(self) -> float:
        now = time.perf_counter()
        found, self._since = now - self._since, now
        return found

    def start(self, launch: StepLaunch) -> None:
        self.times.before = self._lap()
        self.times.begin = self._clock() if self._clock else None
        self._machine.start(launch)

    def wait(self) -> bool:
        if self.times.machine:
            self.times.during.append(self._lap())
        token = self._machine.wait()
        self.times.machine += self._lap()
        return token

    def ended(self) -> Timed:
        """All of it, when the host has done its part behind the step."""
        self.times.after = self._lap()
        return self.times

    def memory(self, size: int) -> NDArray[np.uint8]:
        return self._machine.memory(size)

    def written(self, first: int, count: int) -> None:
        self._machine.written(first, count)

    def seen(self, first: int, count: int) -> None:
        self._machine.seen(first, count)

    def give(self, tokens: int) -> None:
        self._machine.give(tokens)

    def stop(self) -> None:
        self._machine.stop()

    @property
    def counts(self) -> Counts | None:
        return self._machine.counts


@dataclass(frozen=True)
class Simulated:
    """A step that equals golden's. ``stash_bytes`` and ``numbers``: how many were compared, in the
    stash and of what a step leaves; ``counts``: the machine's counters, if it has
    some."""

    step: WholeStep
    precisions: list[Precision]
    kept: list[Any]
    stash_bytes: int
    numbers: int
    loss: float
    times: Timed
    counts: Counts | None


def check_whole_step(setting: StepSetting, parameters: Parameters) -> None:
    """Raise `DoesNotFit` if the step is no program of this machine, in a moment."""
    with open_accelerator("golden", parameters) as golden:
        compile_whole_step(parameters, Side(setting, golden).graph)


def simulate_whole_step(
    setting: StepSetting,
    machine: VectorMachine,
    say: Callable[[str], None],
    clock: Callable[[], int] | None = None,
) -> Simulated:
    """Take the step on golden and on ``machine``, whose ``clock`` counts cycles, and compare.

    Raises `DoesNotFit` for a step that is no program of this machine, before anything runs, and for
    one that it has not carried out; `MismatchError` names the first difference.
    """
    parameters = machine.parameters
    formed = FormedValues()
    with open_accelerator("golden", parameters) as golden:
        wanted, found = Side(setting, golden, formed.observe), Side(setting, golden)
        timing = _Timing(machine, clock)
        programs = CompiledMachine(timing)
        say("compiling the step")
        step = programs.compiled(found.graph)
        say("measuring ranges on the golden model")
        wanted.measure()
        formed.by_name.clear()  # the step itself skips blocks, and then it forms nothing in them
        found.arithmetic.load(wanted.arithmetic.state())
        say("taking the step on the golden model")
        loss, logits = wanted.step()
        stash = StashCheck(step, machine)
        say(f"taking it on the machine: {len(step.commands):,} commands")
        timing._lap()
        whole = found.whole_step(programs)
        times = timing.ended()
    say("comparing")
    choices = [
        found.selector.choose_early(each.number, training=True) for each in found.graph.blocks
    ]
    table = found.graph.table(choices)
    compared = stash.check(formed, table)
    numbers = _compare({"loss": loss, "logits": logits} | wanted.held(), found, whole)
    precisions, kept = step.tables(table)
    return Simulated(step, precisions, kept, compared, numbers, loss, times, machine.counts)


def _compare(wanted: dict[str, Any], side: Side, whole: tuple[float, Any]) -> int:
    """Numbers that are equal; `MismatchError` for the first that is not."""
    found = {"loss": whole[0], "logits": whole[1]} | side.held()
    if missing := wanted.keys() ^ found.keys():
        raise MismatchError(f"{min(missing)} is there on one side only")
    numbers = 0
    for name, value in wanted.items():
        one, other = np.ravel(value), np.ravel(found[name])
        different = np.flatnonzero(one != other)
        if len(different):
            place = int(different[0])
            raise MismatchError(
                f"{name}, number {place} of {one.size}: the machine's is {other[place]}, "
                f"golden's {one[place]}; {len(different)} differ"
            )
        numbers += one.size
    return numbers


def integer_options(chunk: int | None, size: int) -> IntegerOptions:
    """Options with ``chunk`` images of ``size`` rows that share statistics (0: the batch; None: the
    default)."""
    options = IntegerOptions()
    return options if chunk is None else replace(options, chunk_rows=chunk * size or None)
