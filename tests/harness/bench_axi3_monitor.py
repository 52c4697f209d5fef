"""Runs inside the simulator: the monitor passes what is right and refuses every breach."""

import re
from collections.abc import Iterable
from typing import Any

import cocotb

from tests.harness import Bench, testbench
from tests.harness.axi3_monitor import Axi3Monitor, ProtocolError

Cycle = dict[str, int]
"""Signals that are not 0 in a cycle."""

ADDRESS, SIZE, INCR = 0x1000, 3, 1


def address(channel: str, *, ready: int = 1, **changes: int) -> Cycle:
    """A burst of two beats on offer."""
    fields = {"addr": ADDRESS, "len": 1, "size": SIZE, "burst": INCR, "id": 5} | changes
    return {channel + name: value for name, value in fields.items()} | {
        f"{channel}valid": 1,
        f"{channel}ready": ready,
    }


def read_data(last: int, *, ready: int = 1, id: int = 5, data: int = 0) -> Cycle:
    return {"rvalid": 1, "rready": ready, "rlast": last, "rid": id, "rdata": data}


def write_data(last: int, *, ready: int = 1, id: int = 5, data: int = 0) -> Cycle:
    return {"wvalid": 1, "wready": ready, "wlast": last, "wid": id, "wdata": data, "wstrb": 0xFF}


def answer(*, ready: int = 1, id: int = 5) -> Cycle:
    return {"bvalid": 1, "bready": ready, "bid": id}


AR, AW = address("ar"), address("aw")
IDLE: Cycle = {}

RIGHT: dict[str, list[Cycle]] = {
    "read": [AR, read_data(0), read_data(1)],
    "slow read": [
        address("ar", ready=0),
        AR,
        IDLE,
        read_data(0, ready=0),
        read_data(0),
        IDLE,
        read_data(1),
    ],
    "two reads": [AR, AR | read_data(0), read_data(1), read_data(0), read_data(1)],
    "reads out of order, as their IDs differ": [
        AR,
        address("ar", id=6),
        read_data(0, id=6),
        read_data(0),
        read_data(1, id=6),
        read_data(1),
    ],
    "write": [AW, write_data(0), write_data(1), answer()],
    "data with the address": [AW | write_data(0), write_data(1), answer()],
    "data before the address is taken": [
        address("aw", ready=0) | write_data(0),
        address("aw", ready=0) | write_data(1),
        AW,
        answer(),
    ],
    "16 beats up to the end of a page": [
        address("ar", addr=0x1F80, len=15),
        *[read_data(0)] * 15,
        read_data(1),
    ],
    "both at once": [AR | AW, read_data(0) | write_data(0), read_data(1) | write_data(1), answer()],
}

WRONG: dict[str, tuple[str, list[Cycle]]] = {
    "size": ("beats of 4 bytes", [address("ar", size=2)]),
    "fixed": ("burst type 0", [address("aw", burst=0)]),
    "wrap": ("burst type 2", [address("ar", burst=2)]),
    "lock": ("locked", [address("aw", lock=1)]),
    "alignment": ("not aligned", [address("ar", addr=ADDRESS + 4)]),
    "page": ("crosses 4 KB", [address("ar", addr=0x1FF8)]),
    "end of memory": ("crosses 4 KB", [address("aw", addr=0xFFFF_FFF8)]),
    "before the window": ("outside the window", [address("ar", addr=0xFF8, len=0)]),
    "behind the window": ("outside the window", [address("aw", addr=0x2000)]),
    "address dropped": ("ARVALID dropped", [address("ar", ready=0), IDLE]),
    "address changed": (
        "AW changed before the transfer: \\['addr'\\]",
        [address("aw", ready=0), address("aw", addr=ADDRESS + 8)],
    ),
    "length changed": ("AR changed", [address("ar", ready=0), address("ar", len=0)]),
    "too many reads": ("3 bursts under way", [AR] * 3),
    "too many writes": ("3 bursts under way", [AW] * 3),
    "read answer to nothing": ("nothing that was asked", [read_data(0)]),
    "read answer at once": ("nothing that was asked", [AR | read_data(0)]),
    "read answer before it is taken": (
        "nothing that was asked",
        [address("ar", ready=0), address("ar", ready=0) | read_data(0)],
    ),
    "read answer of another": ("ID 6 to nothing", [AR, read_data(0, id=6)]),
    "RLAST early": ("RLAST is 1 on beat 0", [AR, read_data(1)]),
    "RLAST late": ("RLAST is 0 on beat 1", [AR, read_data(0), read_data(0)]),
    "read data dropped": ("RVALID dropped", [AR, read_data(0, ready=0), IDLE]),
    "read data changed": ("R changed", [AR, read_data(0, ready=0), read_data(0, data=1)]),
    "data before its address": ("before its address", [write_data(0)]),
    "data too long": (
        "before its address",
        [AW, write_data(0), write_data(1), write_data(0)],
    ),
    "WLAST early": ("WLAST is 1 on beat 0", [AW, write_data(1)]),
    "WLAST late": ("WLAST is 0 on beat 1", [AW, write_data(0), write_data(0)]),
    "WID": ("WID 6", [AW, write_data(0, id=6)]),
    "WID out of order": ("WID 6", [AW, address("aw", id=6), write_data(0, id=6)]),
    "write data dropped": ("WVALID dropped", [AW, write_data(0, ready=0), IDLE]),
    "write data changed": ("W changed", [AW, write_data(0, ready=0), write_data(0, data=1)]),
    "answer to nothing": ("nothing that was asked", [answer()]),
    "answer before the data": ("nothing that was asked", [AW, write_data(0), answer()]),
    "answer with the data": (
        "nothing that was asked",
        [AW, write_data(0), write_data(1) | answer()],
    ),
    "answer before the address is taken": (
        "nothing that was asked",
        [
            address("aw", ready=0) | write_data(0),
            address("aw", ready=0) | write_data(1),
            address("aw", ready=0) | answer(),
        ],
    ),
    "answer of another": ("ID 4", [AW, write_data(0), write_data(1), answer(id=4)]),
    "answer dropped": (
        "BVALID dropped",
        [AW, write_data(0), write_data(1), answer(ready=0), IDLE],
    ),
}


async def play(bench: Bench, cycles: Iterable[Cycle]) -> Axi3Monitor:
    """The wires take each cycle's values; the monitor sees them."""
    wires = {handle._name: handle for handle in bench.dut if handle._name.startswith("hp0__")}
    monitor = Axi3Monitor(bench.dut, "hp0__", outstanding=2, window=(0x1000, 0x1FFF))
    for cycle in cycles:
        for name, handle in wires.items():
            handle.value = cycle.get(name.removeprefix("hp0__"), 0)
        await bench.cycles()
        monitor.step()
    return monitor


@testbench()
@cocotb.parametrize(case=list(RIGHT))
async def passes(bench: Bench, case: str) -> None:
    monitor = await play(bench, RIGHT[case])
    monitor.finish()
    bursts = len([each for each in RIGHT[case] if each.get("arvalid") and each.get("arready")])
    assert len(monitor.reads) == bursts


@testbench()
@cocotb.parametrize(case=list(WRONG))
async def refuses(bench: Bench, case: str) -> None:
    message, cycles = WRONG[case]
    await play(bench, cycles[:-1])
    await refused(message, play(bench, cycles))


@testbench()
async def refuses_what_is_left(bench: Bench) -> None:
    monitor = await play(bench, [AR, read_data(0)])
    try:
        monitor.finish()
    except ProtocolError as error:
        assert "1 bursts left" in str(error)
    else:
        raise AssertionError("passed")


async def refused(message: str, playing: Any) -> None:
    try:
        await playing
    except ProtocolError as error:
        assert re.search(message, str(error)), f"{error} instead of {message}"
    else:
        raise AssertionError(f"passed, instead of: {message}")
