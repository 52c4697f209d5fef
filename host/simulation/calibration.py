"""The cycle model beside the RTL on whole training steps, network by network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from fractrain.host.accelerator import Accelerator
from fractrain.host.backends.cosim import CosimAccelerator
from fractrain.host.graph.choice import is_skip
from fractrain.host.machine.counters import Counters
from fractrain.host.simulation.images import training_images
from fractrain.host.simulation.measuring import MEMORIES, STALLS, Measured, measure, memory_model
from fractrain.host.simulation.model_errors import REASON
from fractrain.host.simulation.programs import ResultForm, make_job
from fractrain.host.simulation.step import (
    TrainingStep,
    check_step,
    record_training_step,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import PRECISION, Precision, check_hardware_bits

ABOUT_ERRORS = (
    "RTL cycles, utilization and GOPS are measured in co-simulation, the model's cycles are "
    "modelled; the columns behind them are the model's errors: of cycles, busy and stall cycles in "
    "percent of all RTL cycles, of bytes in percent of the bytes. All are of whole training steps "
    "in one command stream, which the model is made for; a convolution alone may be off by tens "
    f"of percent. {REASON}"
)
HEADS: Sequence[str] = (
    *("network", "precision", "memory", "results", "RTL cycles", "model", "cycles", "busy"),
    *(f"{name} stalls" for name in STALLS),
    *("bytes", "utilization", "GOPS"),
)
FORMS = (("ideal", ResultForm.PORT), ("ddr", ResultForm.RAW), ("ddr", ResultForm.PLANES))
"""Memories, and how results leave."""


@dataclass(frozen=True)
class Calibration:
    """Training steps of ``networks`` at ``precisions`` of their blocks, on ``batch`` random images.

    ``uniform``: that precision for the layers outside the blocks, too. ``mode``: ``hardware`` or
    ``float``, what is around the convolutions.

    Raises `ParameterError` for a network or a precision that there is not, or not in the mode, and
    for steps that are too large to simulate.
    """

    networks: Sequence[str]
    precisions: Sequence[str]
    batch: int
    seed: int
    uniform: bool = False
    mode: str = "hardware"

    def __post_init__(self) -> None:
        for text in self.precisions:
            precision = PRECISION.read("--precisions", text)
            if is_skip(precision):
                raise ParameterError("--precisions", text, "at least 1 bit of each operand")
            if self.mode == "hardware":
                check_hardware_bits([precision])
        for network in self.networks:
            check_step(network, self.batch)

    def rows(self, parameters: Parameters, say: Callable[[str], None]) -> list[list[str]]:
        """Of the table under `HEADS`; ``say`` is told which one is measured."""
        cases = [
            (network, precision, memory, form)
            for network in self.networks
            for precision in self.precisions
            for memory, form in FORMS
        ]
        models = {name: memory_model(name, parameters) for name in MEMORIES}
        rows = []
        with ExitStack() as stack:
            machines: dict[str, Accelerator] = {
                name: stack.enter_context(CosimAccelerator(parameters, memory=model))
                for name, model in models.items()
            }
            for number, (network, precision, memory, form) in enumerate(cases, 1):
                say(f"{number} of {len(cases)}: {network}, {precision}, {memory}")
                step = self._record(network, precision, parameters)
                job = make_job(parameters, step, step.convolutions, form)
                measured = measure(machines[memory], job, step.table, models[memory])
                case = [network, precision, memory, form.value]
                rows.append(case + _figures(step, measured, parameters))
        return rows

    def _record(self, network: str, precision: str, parameters: Parameters) -> TrainingStep:
        return record_training_step(
            network,
            training_images("random", self.batch, self.seed),
            parameters,
            Precision.parse(precision),
            seed=self.seed,
            uniform=self.uniform,
            mode=self.mode,
        )


def _figures(step: TrainingStep, measured: Measured, parameters: Parameters) -> list[str]:
    found, model = measured.counters, measured.predicted
    useful = sum(each.bit_products for each in step.convolutions)
    macs = sum(each.macs for each in step.convolutions)
    seconds = found.cycles / (parameters.clock_mhz * 1e6)
    stalls = [
        _percent(model.total(f"STALL_{name.upper()}") - getattr(found, f"stall_{name}"), found)
        for name in STALLS
    ]
    moved = found.bytes_in + found.bytes_out
    predicted = model.total("BYTES_READ") + model.total("BYTES_WRITTEN")
    return [
        f"{found.cycles:,}",
        f"{model.cycles:,}",
        _percent(model.cycles - found.cycles, found),
        _percent(model.total("BUSY") - found.busy_cycles, found),
        *stalls,
        f"{100 * (predicted / moved - 1):+.2f} %",
        f"{100 * useful / found.cycles / parameters.bit_products_per_cycle:.1f} %",
        f"{2 * macs / seconds / 1e9:,.0f}",
    ]


def _percent(difference: int, found: Counters) -> str:
    return f"{100 * difference / found.cycles:+.2f} %"
