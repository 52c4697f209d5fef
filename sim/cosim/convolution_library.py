"""The C side of the convolution engine's harness: its structures, functions and verdicts."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fractrain.hw.contract.errors import MachineError
from fractrain.sim.cosim.convolution_faults import MOST_REGIONS, BusFaults
from fractrain.sim.cosim.stalls import BusStalls, Stall
from fractrain.sim.memory_model import MemoryModel

_FOREVER = (1 << 64) - 1
_SEEDS = 1 << 40

# As verdict.h numbers them.
_CHANNELS = ("AR", "R", "AW", "W", "B", "port", "registers")
_RULES = {
    1: "dropped valid before the transfer",
    2: "changed its payload before the transfer",
    3: "burst with beats of other than 8 bytes",
    4: "burst that is not INCR",
    5: "burst that does not begin at a multiple of 8",
    6: "burst that crosses a multiple of 4096",
    7: "burst that leaves the memory",
    8: "WLAST is not on the last beat, and only there, of the burst that ends or goes on",
    9: "WID is not the AWID of the burst",
    10: "more result beats than there is room for",
    11: "answer on AXI-Lite without a request",
}


def _numbers(*names: str) -> list[tuple[str, Any]]:
    return [(name, ctypes.c_uint64) for name in names]


class _Model(ctypes.Structure):
    """``struct MemoryModel`` of axi_memory.h."""

    _fields_ = _numbers(
        "earned_credit",
        "read_cost",
        "write_cost",
        "mixed_cost",
        "read_latency_cycles",
        "write_latency_cycles",
        "accepted_bursts",
        "write_buffer_beats",
    )


class _StallRates(ctypes.Structure):
    """``struct StallRates`` of stalling.h."""

    _fields_ = [("enter", ctypes.c_double), ("leave", ctypes.c_double)]


class Setting(ctypes.Structure):
    """``struct Setting`` of convolution.cpp."""

    _fields_ = [
        ("model", _Model),
        ("stalls", _StallRates * len(_CHANNELS)),
        ("seed", ctypes.c_uint64),
    ]


class _Region(ctypes.Structure):
    """``struct Region`` of axi_memory.h."""

    _fields_ = _numbers("first", "last", "reads", "writes", "response")


class Faults(ctypes.Structure):
    """``struct BusFaults`` of axi_memory.h."""

    _fields_ = [
        ("regions", _Region * MOST_REGIONS),
        *_numbers("region_count", "stuck_from", "stuck_until", "stuck_requests"),
    ]


class Collection(ctypes.Structure):
    """``struct Collection`` of convolution.cpp."""

    _fields_ = [
        ("results", ctypes.c_void_p),
        ("last", ctypes.c_void_p),
        *_numbers("capacity", "overflow"),
    ]


class Traffic(ctypes.Structure):
    """``struct PortTraffic`` of axi_memory.h."""

    _fields_ = _numbers("read_beats", "write_beats")
    read_beats: int
    write_beats: int


class Verdict(ctypes.Structure):
    """``struct Verdict`` of verdict.h."""

    _fields_ = _numbers("rule", "channel", "port", "address", "cycle")
    rule: int
    channel: int
    port: int
    address: int
    cycle: int


class State(ctypes.Structure):
    """``struct State`` of convolution.cpp without its fields; `state` adds them, as there is a
    ``traffic`` for each port."""

    cycles: int
    interrupt: int
    beats: int
    traffic: Sequence[Traffic]
    verdict: Verdict


class Word(ctypes.c_uint32):
    """A register's value."""


def state(ports: int) -> State:
    """An empty ``struct State`` for this many ports."""
    return _STATES[ports]()


def _state_type(ports: int) -> type[State]:
    fields = [
        *_numbers("cycles", "interrupt", "beats"),
        ("traffic", Traffic * ports),
        ("verdict", Verdict),
    ]
    return type(f"State{ports}", (State,), {"_fields_": fields})


_STATES = {ports: _state_type(ports) for ports in range(1, 5)}


def setting(model: MemoryModel, stalls: BusStalls, seed: int) -> Setting:
    """How memory and far sides behave."""
    numbers = _Model(*(getattr(model, name) for name, _ in _Model._fields_))
    channels: tuple[Stall, ...] = (
        *(stalls.ar, stalls.r, stalls.aw, stalls.w, stalls.b),
        *(stalls.port, stalls.registers),
    )
    rates = (_StallRates * len(_CHANNELS))(*(_StallRates(*each.rates) for each in channels))
    return Setting(numbers, rates, seed % _SEEDS)


def bus_faults(faults: BusFaults, now: int) -> Faults:
    """``faults``, with cycles counted from ``now``."""
    regions = (
        _Region(each.first, each.last, each.reads, each.writes, each.response)
        for each in faults.regions
    )
    first = _FOREVER if faults.stuck_from is None else now + faults.stuck_from
    until = _FOREVER if faults.stuck_until is None else now + faults.stuck_until
    return Faults(
        (_Region * MOST_REGIONS)(*regions),
        len(faults.regions),
        first,
        until,
        faults.stuck_requests,
    )


def require_rules(state: State) -> None:
    """Raise `MachineError` if the design has broken a rule."""
    verdict = state.verdict
    if not verdict.rule:
        return
    channel = _CHANNELS[verdict.channel]
    if channel in _CHANNELS[:5]:
        channel = f"{channel} of hp{verdict.port}"
    raise MachineError(
        f"cycle {verdict.cycle}: {channel}: {_RULES[verdict.rule]} "
        f"(address 0x{verdict.address:08X})"
    )


def load(path: Path) -> ctypes.CDLL:
    """The compiled harness, with the types of its functions."""
    library = ctypes.CDLL(str(path))
    machine, word, number = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    signed, pointer = ctypes.c_int64, ctypes.POINTER
    for name, result, arguments in (
        ("machine_open", machine, []),
        ("machine_close", None, [machine]),
        ("machine_reset", None, [machine]),
        ("machine_trace", None, [machine, ctypes.c_char_p, number, number, number]),
        ("machine_end_trace", None, [machine]),
        ("machine_attach", None, [machine, ctypes.c_void_p, number, number]),
        ("machine_configure", None, [machine, pointer(Setting)]),
        ("machine_inject", None, [machine, pointer(Faults)]),
        ("machine_collect", None, [machine, pointer(Collection)]),
        ("machine_forget_offer", None, [machine, number]),
        ("machine_advance", None, [machine, number, number]),
        ("machine_state", None, [machine, ctypes.c_void_p]),
        ("register_write", signed, [machine, word, word, number]),
        ("register_read", signed, [machine, word, pointer(Word), number]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
