"""The board, brought up stage by stage: each proves one thing that later ones rely on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fractrain.host.board.device import BoardDevice
from fractrain.host.board.system import System
from fractrain.host.bringup import checks
from fractrain.host.bringup.diagnosis import causes
from fractrain.hw.contract.errors import FractrainError
from fractrain.hw.contract.registers import IDENTITY

__all__ = ["STAGES", "StageResult", "bring_up"]

Stage = Callable[[BoardDevice], str]


@dataclass(frozen=True)
class StageResult:
    """How a stage ended: what it found, or its ``error`` and likely causes."""

    name: str
    seconds: float
    detail: str
    error: FractrainError | None = None
    causes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.error is None


def bring_up(
    system: System,
    clock: Callable[[], float],
    tell: Callable[[StageResult], None] = lambda result: None,
) -> list[StageResult]:
    """Run the `STAGES` on ``system`` until one fails; each result is told as soon as it is there.

    ``clock`` gives seconds, to time the stages. Errors other than `hw.contract.errors` are bugs and
    come through.
    """
    results = []
    with BoardDevice(system) as device:
        for name, stage in STAGES.items():
            began = clock()
            try:
                detail = stage(device)
                result = StageResult(name, clock() - began, detail)
            except FractrainError as error:
                result = StageResult(
                    name, clock() - began, "", error, causes(name, error, device.target)
                )
            results.append(result)
            tell(result)
            if not result.passed:
                break
    return results


def _bitstream(device: BoardDevice) -> str:
    described = device.reserve()
    return f"{described}; {device.configure()}"


def _clock(device: BoardDevice) -> str:
    return "; ".join(device.set_clock())


def _identity(device: BoardDevice) -> str:
    device.check_identity()
    return f"0x{IDENTITY:08X}"


def _build(device: BoardDevice) -> str:
    return device.identify()


STAGES: dict[str, Stage] = {
    "bitstream": _bitstream,
    "FCLK0": _clock,
    "ID": _identity,
    "build hash": _build,
    "registers": checks.check_registers,
    "interrupt": checks.check_interrupt,
    "4 KB loopback": checks.check_loopback,
    "cached and uncached": checks.check_mappings,
    "convolution": checks.check_convolution,
    "residual block": checks.check_residual_block,
}
"""In order; each takes the device as the one before has left it."""
