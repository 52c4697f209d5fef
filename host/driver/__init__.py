"""The machine's driver: one for co-simulation, the simulated board and the board."""

from fractrain.host.driver.bus import Advice, Bus, Clock
from fractrain.host.driver.driver import Driver
from fractrain.host.driver.launch import Ended, Launch, Running
from fractrain.host.driver.registers import EngineRegisters, Words
from fractrain.host.driver.table import PrecisionTable

__all__ = [
    "Advice",
    "Bus",
    "Clock",
    "Driver",
    "EngineRegisters",
    "Launch",
    "PrecisionTable",
    "Ended",
    "Running",
    "Words",
]
