"""A flow: files that it prepares without any tool, and a bitstream made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fractrain.gen.bitstream.script_runs import Say
from fractrain.gen.bitstream_manifest import Slack, Utilization
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.targets.target import Target

__all__ = ["Flow", "Made", "Request"]


@dataclass(frozen=True)
class Request:
    """A bitstream to be made.

    parameters : the machine
    jobs : processes and threads that a tool may use
    tolerated : ids of critical warnings that do not end the build (Vivado)
    attempts : implementations, of which the best that passes is taken (Vivado)
    budget, modelled : what it may use of the FPGA, and what it does by ``make synth``, by the names
        of `gen.synthesis.figures.Figures`; None: unknown
    """

    parameters: Parameters
    jobs: int = 1
    tolerated: Sequence[str] = ()
    attempts: int = 1
    budget: Mapping[str, float] | None = None
    modelled: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Made:
    """The result of a flow, checked by it.

    bit : the .bit file
    others : further files of the bitstream's folder, by name: reports, the hardware platform
    strategy : by which it was placed and routed, if there is a choice
    """

    bit: bytes
    clock_mhz: float
    tool: str
    utilization: Utilization
    slack_ns: Slack
    others: Mapping[str, bytes]
    strategy: str = ""


class Flow(Protocol):
    """One way from Verilog to a bitstream.

    name : as ``--flow`` and the manifest have it
    log : the tool's output, in the folder that it ran in
    loadable : files and folders there that are a bitstream, a part of one or its configuration
        frames; removed after a failure
    """

    name: str
    log: str
    loadable: tuple[str, ...]

    def prepare(self, request: Request) -> dict[str, bytes]:
        """Name → content of everything that the tools need; needs none of them itself."""

    def find_tools(self, target: Target) -> None:
        """Raise `MissingToolError` naming everything that is missing for ``target``."""

    def check_place(self, out: Path) -> None:
        """Raise `ParameterError` if the tools are there and cannot work beside ``out``."""

    def make(self, folder: Path, request: Request, say: Say) -> Made:
        """Run the tools in ``folder``, which has the prepared files; calls ``say`` with each stage.

        Raises `FractrainError` if a tool fails or its result does not pass the checks.
        """
