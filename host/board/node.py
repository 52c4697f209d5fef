"""The node of the device tree that gives Linux the machine's registers and interrupt."""

from __future__ import annotations

from fractrain.hw.targets.target import Ports

__all__ = ["interrupts", "node_name"]


def node_name(ports: Ports) -> str:
    """Its name, with the address of the registers."""
    return f"fractrain@{ports.registers_address:x}"


def interrupts(ports: Ports) -> str:
    """Its property: a shared peripheral interrupt, level sensitive, active high."""
    return f"interrupts = <0 {ports.interrupt} 4>"
