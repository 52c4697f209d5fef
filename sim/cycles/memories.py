"""Where an address is: in the memory behind the ports, or in a second one for the stash."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cycles.fluid import PIECE_BYTES, FluidMemory, FluidReader, FluidWriter
from fractrain.sim.cycles.kernel import Kernel, Process
from fractrain.sim.cycles.memory import Ddr
from fractrain.sim.cycles.reader import Reader
from fractrain.sim.cycles.writer import Writer
from fractrain.sim.memory_model import MemoryModel


@dataclass(frozen=True)
class SecondMemory:
    """A memory for all addresses from ``first`` on, up to ``end`` if it has one, which behaves as
    ``model`` says, behind ``ports`` ports of 8 bytes each."""

    first: int
    model: MemoryModel
    ports: int = 8
    end: int | None = None

    def has(self, address: int) -> bool:
        return self.first <= address and (self.end is None or address < self.end)


class Memories:
    """A `Reader` and a `Writer` for each memory; commands are in the first. ``fluid``: those that
    leave bursts out (`sim.cycles.fluid`). What is written moves in pieces of ``piece_bytes``."""

    def __init__(
        self,
        kernel: Kernel,
        parameters: Parameters,
        model: MemoryModel,
        second: SecondMemory | None = None,
        *,
        fluid: bool = False,
    ) -> None:
        self.fluid = fluid
        self.piece_bytes = PIECE_BYTES if fluid else parameters.block_bytes
        self._second = second
        models = [(model, parameters.memory.ports)]
        if second is not None:
            models.append((second.model, second.ports))
        self._readers: list[Reader | FluidReader] = []
        self._writers: list[Writer | FluidWriter] = []
        for each, ports in models:
            if fluid:
                streams = FluidMemory(kernel, each, ports)
                self._readers.append(FluidReader(kernel, streams, parameters, each, ports))
                self._writers.append(FluidWriter(kernel, streams, parameters, each, ports))
            else:
                ddr = Ddr(kernel, each)
                self._readers.append(Reader(kernel, ddr, parameters, each, ports))
                self._writers.append(Writer(kernel, ddr, parameters, each, ports))

    def start(self) -> None:
        for reader, writer in zip(self._readers, self._writers, strict=True):
            reader.start()
            writer.start()

    def reader(self, address: int) -> Reader | FluidReader:
        """Of the memory that has ``address``."""
        return self._readers[self._number(address)]

    def writer(self, address: int) -> Writer | FluidWriter:
        return self._writers[self._number(address)]

    def _number(self, address: int) -> int:
        return int(self._second is not None and self._second.has(address))

    def wait_idle(self, client: int) -> Process:
        """Until all that ``client`` has written has been acknowledged."""
        for each in self._writers:
            yield from each.wait_idle(client)
