"""A folder of sensors as hwmon shows them: real files, and readings that fail."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from fractrain.host.board.linux import LinuxSystem

CLASS = "sys/class/hwmon"


class FakeSensors(LinuxSystem):
    """The system whose root is a folder: `device` adds one with its files.

    ``failing``: path → number of the error that reading it gives. ``changing``: path → what makes
    its content, called at each reading.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        (root / CLASS).mkdir(parents=True)
        self.failing: dict[str, int] = {}
        self.changing: dict[str, Callable[[], object]] = {}

    def device(self, place: str, name: str | None, **files: object) -> None:
        """``hwmon0`` and so on; ``in1_input=998`` makes its file."""
        folder = self.root / CLASS / place
        folder.mkdir(exist_ok=True)
        if name is not None:
            (folder / "name").write_text(f"{name}\n")
        for file, content in files.items():
            (folder / file).write_text(f"{content}\n")

    def read_text(self, path: str) -> str:
        if path in self.failing:
            number = self.failing[path]
            raise OSError(number, os.strerror(number), path)
        if path in self.changing:
            return str(self.changing[path]())
        return super().read_text(path)


def path(identity: str) -> str:
    """Of the file with the value of a channel."""
    return f"/{CLASS}/{identity}_input"


def monitor(root: Path) -> FakeSensors:
    """One device as a PMBus driver shows it: two pages, of which one has a current."""
    sensors = FakeSensors(root)
    sensors.device(
        "hwmon0",
        "ucd90120",
        in1_input=998,
        in1_label="vout1",
        in2_input=1803,
        in2_label="vout2",
        curr1_input=2500,
        curr1_label="iout1",
        temp1_input=41500,
    )
    return sensors


BUSY, BROKEN = errno.EAGAIN, errno.EIO
