"""Drivers and receivers of Amaranth streams (payload, valid, ready) inside the simulator.

All of them act at the rising edge: they read what was settled before it, and what they
write takes effect after it, as registers do.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from cocotb.handle import SimHandleBase
from cocotb.triggers import Event, RisingEdge


class StreamSource:
    """Drives an input stream of the design: items wait in a queue and leave in order.

    ``encode`` makes the integer of the payload from an item. As the stream rules demand,
    valid does not wait for ready, and neither valid nor payload changes before the transfer.
    """

    def __init__(
        self,
        dut: SimHandleBase,
        name: str,
        stalls: Iterator[bool],
        encode: Callable[[Any], int],
    ) -> None:
        self.name = name
        self.transferred = 0
        self._clk = dut.clk
        self._payload = getattr(dut, f"{name}__payload")
        self._valid = getattr(dut, f"{name}__valid")
        self._ready = getattr(dut, f"{name}__ready")
        self._stalls = stalls
        self._encode = encode
        self._queue: deque[Any] = deque()
        self._empty = Event()
        self._abandoned = False
        self._valid.value = 0
        self._payload.value = 0

    def send(self, *items: Any) -> None:
        """Queue ``items``; returns at once."""
        self._queue.extend(items)
        self._empty.clear()

    def abandon(self) -> None:
        """Forget all items and take back what is on offer, as a reset of the sender would."""
        self._queue.clear()
        self._empty.set()
        self._abandoned = True

    async def drained(self) -> None:
        """Wait until every queued item has been transferred."""
        if self._queue:
            await self._empty.wait()

    async def run(self) -> None:
        driving = False
        while True:
            await RisingEdge(self._clk)
            if self._abandoned:
                driving = self._abandoned = False
            if driving and int(self._ready.value):
                driving = False
                self.transferred += 1
                self._queue.popleft()
                if not self._queue:
                    self._empty.set()
            stalled = next(self._stalls)
            if not driving and self._queue and not stalled:
                driving = True
                self._payload.value = self._encode(self._queue[0])
            self._valid.value = int(driving)


class StreamSink:
    """Receives an output stream of the design and checks that it obeys the stream rules.

    ``decode`` makes an item from the integer of the payload. A valid that drops, or a
    payload that changes, before the transfer fails the test.
    """

    def __init__(
        self,
        dut: SimHandleBase,
        name: str,
        stalls: Iterator[bool],
        decode: Callable[[int], Any],
    ) -> None:
        self.name = name
        self.items: list[Any] = []
        """Everything received and not yet taken by `receive`."""
        self.paused = False
        """While True, nothing is accepted."""
        self.transferred = 0
        self._clk = dut.clk
        self._payload = getattr(dut, f"{name}__payload")
        self._valid = getattr(dut, f"{name}__valid")
        self._ready = getattr(dut, f"{name}__ready")
        self._stalls = stalls
        self._decode = decode
        self._arrived = Event()
        self._abandoned = False
        self._ready.value = 0

    async def receive(self, count: int) -> list[Any]:
        """Wait for ``count`` items and take them."""
        while len(self.items) < count:
            self._arrived.clear()
            await self._arrived.wait()
        taken, self.items = self.items[:count], self.items[count:]
        return taken

    def abandon(self) -> None:
        """Forget what came and what is on offer; in the next cycle, valid may have dropped."""
        self.items.clear()
        self._abandoned = True

    async def run(self) -> None:
        accepting = False
        offered: int | None = None  # a payload that was offered and not yet transferred
        while True:
            await RisingEdge(self._clk)
            valid = int(self._valid.value) and not self._abandoned
            if self._abandoned:
                self.items.clear()
                offered, self._abandoned = None, False
            if offered is not None and not valid:
                raise AssertionError(f"stream {self.name}: valid dropped before the transfer")
            if valid:
                payload = int(self._payload.value)
                if offered is not None and payload != offered:
                    raise AssertionError(
                        f"stream {self.name}: payload changed before the transfer, "
                        f"{offered:#x} to {payload:#x}"
                    )
                offered = None if accepting else payload
                if accepting:
                    self.transferred += 1
                    self.items.append(self._decode(payload))
                    self._arrived.set()
            accepting = not next(self._stalls) and not self.paused
            self._ready.value = int(accepting)
