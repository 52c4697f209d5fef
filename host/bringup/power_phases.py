"""The phases of a power measurement, one after the other, on the board."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from fractrain.host.board.power.protocol import PHASES, PhaseResult, measure
from fractrain.host.board.power.sampler import PowerSampler
from fractrain.hw.contract.errors import ParameterError

if TYPE_CHECKING:
    from fractrain.host.board.device import BoardDevice
    from fractrain.host.board.system import System
    from fractrain.host.bringup.workload import Workload

__all__ = ["AS_IT_IS", "measured_phases", "parse_phases"]

AS_IT_IS = "now"
"""The phase in which nothing is touched."""

RUN_SECONDS = 2e-3
SIMULATED_RUN_SECONDS = 5e-5


def parse_phases(text: str) -> list[str]:
    """Names of phases in their order; `ParameterError` for unknown or duplicate ones."""
    names = text.split(",")
    if names != [AS_IT_IS] and (not set(names) <= set(PHASES) or len(set(names)) != len(names)):
        allowed = f"{AS_IT_IS}, or some of {', '.join(PHASES)} with commas"
        raise ParameterError("--phases", text, allowed)
    return [name for name in (AS_IT_IS, *PHASES) if name in names]


def measured_phases(
    system: System, phases: Sequence[str], sampler: PowerSampler, seconds: float
) -> Generator[tuple[PhaseResult, Workload | None], None, None]:
    """Each phase's result as soon as it is there, with the workload in the phase that has one.

    No register is accessed while the clock is stopped: the access would never end.
    """
    if phases == [AS_IT_IS]:
        yield measure(sampler, AS_IT_IS, seconds), None
        return
    from fractrain.host.board.device import BoardDevice

    with BoardDevice(system) as device:
        device.reserve()
        device.configure()
        device.set_clock()
        device.identify()  # also stops what an earlier process has left running
        if "idle" in phases:
            try:
                device.stop_clock()
                idle = measure(sampler, "idle", seconds)
            finally:
                device.set_clock()  # leave it running
            yield idle, None
        if "clocked" in phases:
            yield measure(sampler, "clocked", seconds), None
        if "running" in phases:
            yield _running(device, sampler, seconds)


def _running(
    device: BoardDevice, sampler: PowerSampler, seconds: float
) -> tuple[PhaseResult, Workload]:
    from fractrain.host.bringup.workload import Workload

    device.map_buffer()
    run_seconds = SIMULATED_RUN_SECONDS if device.system.simulated else RUN_SECONDS
    workload = Workload.prepare(device, round(run_seconds * device.clock_hz))
    return measure(sampler, "running", seconds, workload), workload
