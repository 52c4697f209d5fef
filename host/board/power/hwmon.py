"""Every sensor of Linux's hwmon, under its own name, and those that make a rail.

A sensor's files alone say what it measures (Linux, Documentation/hwmon/sysfs-interface):
``inN_input`` in millivolts, ``currN_input`` in milliamperes, ``powerN_input`` (or ``_average``) in
microwatts, ``tempN_input`` in thousandths of a degree, ``…_label`` its name. The ZC706's
documentation does not say which page of its monitor carries which current, so no rail is assumed:
power is known where a sensor reports it, or where one device labels a voltage and a current alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Channel", "Files", "Rail", "Reading", "find_channels", "find_rails", "read_channel"]

CLASS = "/sys/class/hwmon"

QUANTITIES = {
    "in": ("voltage", "V", 1e-3),
    "curr": ("current", "A", 1e-3),
    "power": ("power", "W", 1e-6),
    "temp": ("temperature", "degC", 1e-3),
}
"""Prefix of a file → what it measures, the unit here, and the file's unit in it."""

SENSOR = re.compile(rf"({'|'.join(QUANTITIES)})(\d+)_(input|average)")

PMBUS = re.compile(r"[vip](in|out)(\d*)", re.IGNORECASE)
"""Labels of PMBus devices (Linux, drivers/hwmon/pmbus/pmbus_core.c): vin, iout3, pout3, …"""


class Files(Protocol):
    """What sensors are read through; paths are absolute. `host.board.system.System` is one."""

    def glob(self, pattern: str) -> list[str]:
        """The paths that match."""

    def read_text(self, path: str) -> str:
        """The content of a file, stripped; an `OSError` as the system gives it."""


@dataclass(frozen=True)
class Channel:
    """One sensor. ``identity`` is its place (``hwmon0/in3``), ``label`` what the device calls it,
    None where it has no name."""

    identity: str
    device: str
    label: str | None
    quantity: str
    unit: str
    path: str
    scale: float


@dataclass(frozen=True)
class Rail:
    """A supply with known power: one channel of power, or a voltage and a current.

    ``is_input``: labelled as an input of its device (vin, iin, pin), so it may contain the outputs
    of the same device.
    """

    name: str
    channels: tuple[Channel, ...]
    is_input: bool

    @property
    def how(self) -> str:
        """Where its power comes from."""
        return "power" if len(self.channels) == 1 else "voltage x current"


@dataclass(frozen=True)
class Reading:
    """A value in the channel's unit; None, and why, where there is none."""

    value: float | None
    error: str = ""


def find_channels(files: Files) -> tuple[Channel, ...]:
    """All sensors, ordered by device and number; empty where there are none."""
    found = []
    for folder in files.glob(f"{CLASS}/hwmon*"):
        place = folder.rpartition("/")[2]
        device = _text(files, f"{folder}/name") or place
        paths = {path.rpartition("/")[2]: path for path in files.glob(f"{folder}/*")}
        for name, path in paths.items():
            match = SENSOR.fullmatch(name)
            if match is None:
                continue
            kind, number, suffix = match.groups()
            if suffix == "average" and f"{kind}{number}_input" in paths:
                continue
            quantity, unit, scale = QUANTITIES[kind]
            label = _text(files, f"{folder}/{kind}{number}_label") or None
            channel = Channel(f"{place}/{kind}{number}", device, label, quantity, unit, path, scale)
            found.append((_order(place), kind, int(number), channel))
    return tuple(each[-1] for each in sorted(found, key=lambda each: each[:-1]))


def find_rails(channels: Sequence[Channel]) -> tuple[Rail, ...]:
    """The supplies with known power among the ``channels``.

    A channel of power is one. A voltage and a current of one device are one if their labels are
    the same, or those that PMBus gives the two sides of one page (vout2 and iout2), no other
    channel is called so, and the device reports no power under that name.
    """
    rails = []
    of_power = set()
    for channel in channels:
        if channel.quantity == "power":
            of_power.add(_supply(channel))
            rails.append(Rail(_name(channel), (channel,), _is_input(channel)))
    for voltage in channels:
        supply = _supply(voltage)
        if voltage.quantity != "voltage" or supply is None or supply in of_power:
            continue
        partners = [
            [each for each in channels if each.quantity == quantity and _supply(each) == supply]
            for quantity in ("voltage", "current")
        ]
        if [len(each) for each in partners] == [1, 1]:
            (current,) = partners[1]
            names = dict.fromkeys((voltage.label, current.label))
            name = f"{_place(voltage)} {' x '.join(str(each) for each in names)}"
            rails.append(Rail(name, (voltage, current), _is_input(voltage)))
    return tuple(rails)


def read_channel(files: Files, channel: Channel) -> Reading:
    """One reading; never raises for a failing sensor or file.

    A driver answers EAGAIN or EIO while the bus is busy, and the file is gone once its device is.
    """
    try:
        return Reading(int(files.read_text(channel.path)) * channel.scale)
    except OSError as error:
        return Reading(None, error.strerror or type(error).__name__)
    except ValueError:
        return Reading(None, "its file holds no number")


def _text(files: Files, path: str) -> str:
    try:
        return files.read_text(path)
    except OSError:
        return ""


def _order(place: str) -> int:
    digits = place.removeprefix("hwmon")
    return int(digits) if digits.isdigit() else -1


def _place(channel: Channel) -> str:
    return channel.identity.partition("/")[0]


def _name(channel: Channel) -> str:
    return f"{_place(channel)} {channel.label or channel.identity.partition('/')[2]}"


def _supply(channel: Channel) -> tuple[str, str] | None:
    """The part of its device that a channel's label names; None without a label."""
    if channel.label is None:
        return None
    match = PMBUS.fullmatch(channel.label)
    # vout1, iout1 and pout1 are all of out1; a label of another kind must be the same.
    called = "".join(match.groups()) if match else channel.label
    return _place(channel), called.lower()


def _is_input(channel: Channel) -> bool:
    match = PMBUS.fullmatch(channel.label or "")
    return match is not None and match.group(1).lower() == "in"
