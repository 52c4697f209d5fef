"""Watches GP0 inside the simulator: whoever breaks AXI3 there, master or slave, fails the test."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NoReturn

import cocotb
from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge

from tests.harness.axi3_monitor import Channel, ProtocolError

__all__ = ["GpMonitor"]

ADDRESS = ("addr", "len", "size", "burst", "id", "lock", "cache", "prot", "qos")


@dataclass
class _Open:
    """A burst whose address was taken; ``beats`` of its data were transferred."""

    id: int
    length: int
    beats: int = 0


class GpMonitor:
    """Checks every cycle of the port ``prefix``.

    Every channel: what is offered stays, unchanged, until it is taken. Reads: beats only for a
    burst whose address was taken before, RLAST on the last of them and on no other, with its ID,
    in order for each ID. Writes: the answer only after the address and the last beat were taken,
    with the ID of the oldest write (the slave takes one at a time, and data come in order); WLAST
    where the length says. `finish` also checks that nothing is left.

    reads, writes : bursts answered so far; early : beats taken before their address
    """

    def __init__(self, dut: SimHandleBase, prefix: str) -> None:
        self.reads = self.writes = self.early = self.cycle = 0
        self._dut, self._prefix = dut, prefix
        self._channels = {
            name: Channel(dut, prefix, name, signals, self._fail)
            for name, signals in (
                ("ar", ADDRESS),
                ("aw", ADDRESS),
                ("w", ("data", "strb", "id", "last")),
                ("r", ("data", "resp", "id", "last")),
                ("b", ("resp", "id")),
            )
        }
        self._open_reads: deque[_Open] = deque()
        self._addresses: deque[_Open] = deque()
        self._data: deque[_Open] = deque()

    def start(self) -> GpMonitor:
        cocotb.start_soon(self._run())
        return self

    def finish(self) -> None:
        left = len(self._open_reads) + len(self._addresses) + len(self._data)
        if left:
            self._fail(f"{left} bursts left without answer")

    async def _run(self) -> None:
        clock = RisingEdge(self._dut.clk)
        await clock
        while True:
            await clock
            self.cycle += 1
            self._step()

    def _step(self) -> None:
        """Answers first: they cannot be to what is taken in the same cycle."""
        seen = {name: channel.sample() for name, channel in self._channels.items()}
        taken = {name: self._channels[name].transfers for name in seen}
        if seen["r"] is not None:
            self._check_read(seen["r"], taken["r"])
        if seen["b"] is not None:
            self._check_answer(seen["b"], taken["b"])
        if seen["w"] is not None and taken["w"]:
            self._note_data(seen["w"])
        for channel, bursts in (("ar", self._open_reads), ("aw", self._addresses)):
            offered = seen[channel]
            if offered is not None and taken[channel]:
                bursts.append(_Open(offered["id"], offered["len"] + 1))

    def _check_read(self, beat: dict[str, int], transfers: bool) -> None:
        burst = next((each for each in self._open_reads if each.id == beat["id"]), None)
        if burst is None:
            self._fail(f"R: an answer with ID {beat['id']:#x} to nothing that was asked")
        if beat["last"] != (burst.beats == burst.length - 1):
            self._fail(f"RLAST is {beat['last']} on beat {burst.beats} of {burst}")
        if transfers:
            burst.beats += 1
            if beat["last"]:
                self._open_reads.remove(burst)
                self.reads += 1

    def _check_answer(self, answer: dict[str, int], transfers: bool) -> None:
        if not self._addresses or not self._data or not self._data[0].length:
            self._fail("B: an answer before the address and all data were taken")
        address, data = self._addresses[0], self._data[0]
        if answer["id"] != address.id or answer["id"] != data.id:
            self._fail(f"B: ID {answer['id']:#x}, but the write was {address}, its data {data}")
        if data.beats != address.length:
            self._fail(f"{data.beats} beats of data for {address}")
        if transfers:
            self._addresses.popleft()
            self._data.popleft()
            self.writes += 1

    def _note_data(self, beat: dict[str, int]) -> None:
        """``length`` of data is known with the last beat."""
        if not self._data or self._data[-1].length:
            self._data.append(_Open(beat["id"], 0))
        data = self._data[-1]
        data.beats += 1
        if beat["id"] != data.id:
            self._fail(f"WID {beat['id']:#x} within the data of {data}")
        if len(self._data) > len(self._addresses):
            self.early += 1
        if beat["last"]:
            data.length = data.beats

    def _fail(self, text: str) -> NoReturn:
        raise ProtocolError(f"{self._prefix}, cycle {self.cycle}: {text}")
