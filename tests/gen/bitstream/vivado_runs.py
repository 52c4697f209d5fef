"""A build by the Vivado script that has ended, and what is left of it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from fractrain.hw.contract.parameters import Parameters, load_parameters

STAGES = [
    *("Vivado and its devices", "project", "block design", "generation of the block design"),
    *("synthesis", "implementation", "reports", "checks of the routed design"),
    *("bitstream", "hardware platform", "result"),
]


def with_ports(ports: int) -> Parameters:
    parameters = load_parameters("tiny")
    return dataclasses.replace(
        parameters, memory=dataclasses.replace(parameters.memory, ports=ports)
    )


@dataclasses.dataclass
class Run:
    """A build that has ended, and the folder that it ended in."""

    folder: Path
    code: int
    lines: list[str]
    errors: str

    @property
    def failure(self) -> str:
        """What it says of its failure, on one line."""
        told = [line for line in self.lines if line.startswith("FRACTRAIN FAILED ")]
        assert len(told) == 1, self.lines
        return told[0].removeprefix("FRACTRAIN FAILED ")

    def calls(self) -> list[list[str]]:
        """Every command of Vivado's that was called, split at spaces."""
        return [line.split() for line in (self.folder / "record").read_text().splitlines()]

    def leaves_nothing_to_load(self) -> bool:
        return not (self.folder / "outputs").exists() and not (self.folder / "result.txt").exists()


Build = Callable[..., Run]
