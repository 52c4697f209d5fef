"""A simulated board under Linux: the board driver's system, with the generated RTL behind it.

Everything that is a plain file on the board is one here, in a folder of its own; registers, the
interrupt, the buffer and the processor's control registers are models.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.board import tree
from fractrain.sim.board.buffer import MappedBuffer, SharedBuffer
from fractrain.sim.board.devices import UioDevice
from fractrain.sim.board.fpga import Fpga
from fractrain.sim.board.injections import INJECTIONS
from fractrain.sim.board.sensors import POWER, modelled_watts
from fractrain.sim.board.slcr import SLCR_ADDRESS, SLCR_BYTES, SlcrModel
from fractrain.sim.cosim.convolution import ConvolutionSimulation
from fractrain.sim.memory_model import MemoryModel

__all__ = ["SimulatedBoard"]

MEMORY_ADDRESS = 0x1000_0000
MARGIN_BYTES = 1 << 20
"""Bytes of memory before and behind the buffer: stray writes of the machine go there unseen."""

BUFFER_BYTES = 64 << 20
SHORT_BUFFER_BYTES = 8 << 10


class SimulatedBoard:
    """The driver's system (`host.board.system.System`) on a board that is simulated.

    parameters : of the machine in the FPGA; its target is the board; the manifest of its
        bitstream lies where one is installed. It is not loaded at first, and FCLK0 is as after
        U-Boot
    injected : what is wrong with the board, names of `sim.board.INJECTIONS`
    buffer_bytes : size of the u-dma-buf
    memory : how DDR behaves

    An access to the FPGA that would hang the processor raises `BusHang`. Raises `ParameterError`
    for an unknown name, and what `sim.cosim` raises without its tools.
    """

    simulated = True

    def __init__(
        self,
        parameters: Parameters,
        injected: Collection[str] = (),
        *,
        buffer_bytes: int = BUFFER_BYTES,
        memory: MemoryModel | None = None,
    ) -> None:
        for name in injected:
            if name not in INJECTIONS:
                raise ParameterError("injected", name, ", ".join(INJECTIONS))
        self.injected = set(injected)
        """The current injections; the models read them at each use."""
        self._parameters = parameters
        self.environment: Mapping[str, str] = {}
        if "short-buffer" in injected:
            buffer_bytes = SHORT_BUFFER_BYTES
        self.fpga = Fpga(
            parameters,
            self.injected,
            memory_bytes=buffer_bytes + 2 * MARGIN_BYTES,
            base_address=MEMORY_ADDRESS,
            memory=memory or MemoryModel.ideal(),
        )
        self._folder = tempfile.TemporaryDirectory(prefix="fractrain-board-")
        self.root = Path(self._folder.name)
        self.buffer_address = MEMORY_ADDRESS + MARGIN_BYTES
        self.buffer_memory = self.engine.memory[MARGIN_BYTES : MARGIN_BYTES + buffer_bytes]
        self._buffer = SharedBuffer(self.buffer_memory, self.injected)
        tree.write_tree(self.root, parameters, (self.buffer_address, buffer_bytes), injected)
        self._locked = False
        self._hooks: dict[str, Callable[[str], None]] = {
            f"{tree.MANAGER}/firmware": self._load,
            f"{tree.UDMABUF}/sync_for_device": self._buffer.sync_for_device,
            f"{tree.UDMABUF}/sync_for_cpu": self._buffer.sync_for_processor,
        }
        if "mainline" in injected:
            self.fpga.configure()
            self.slcr.switched_by_linux(self.fpga.wanted_mhz)

    @property
    def engine(self) -> ConvolutionSimulation:
        """The machine in the FPGA."""
        return self.fpga.engine

    @property
    def slcr(self) -> SlcrModel:
        """The registers of the processor system."""
        return self.fpga.slcr

    # -- files ---------------------------------------------------------------------------------

    def exists(self, path: str) -> bool:
        return self._place(path).exists()

    def read_text(self, path: str) -> str:
        if path == POWER:
            fpga = self.fpga
            watts = modelled_watts(self._parameters, clocked=fpga.clocked, running=fpga.running)
            return str(round(watts * 1e6))
        return self._place(path).read_text(encoding="utf-8").strip()

    def read_bytes(self, path: str) -> bytes:
        return self._place(path).read_bytes()

    def write_text(self, path: str, text: str) -> None:
        place = self._place(path)
        if not place.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        for name, start in (("fpga-manager", tree.MANAGER), ("sync", f"{tree.UDMABUF}/sync_for")):
            if path.startswith(start):
                self._permit(name, path)
        if path in self._hooks:
            self._hooks[path](text)
        else:
            place.write_text(text, encoding="utf-8")

    def replace_text(self, path: str, text: str) -> None:
        place = self._place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def remove(self, path: str) -> None:
        self._place(path).unlink(missing_ok=True)

    def glob(self, pattern: str) -> list[str]:
        skipped = len(str(self.root))
        return sorted(each[skipped:] for each in glob.glob(glob.escape(str(self.root)) + pattern))

    def _place(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _permit(self, name: str, path: str) -> None:
        if f"permission-{name}" in self.injected:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    # -- devices -------------------------------------------------------------------------------

    def open_uio(self, path: str, offset: int, size: int) -> UioDevice:
        self._permit("uio", path)
        if self._locked or "busy" in self.injected:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)
        if (path, offset) != ("/dev/uio0", 0) or size > 0x1000:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        self._locked = True
        return UioDevice(self.fpga, self._buffer, self.injected, self._release)

    def map_physical(self, address: int, size: int) -> SlcrModel:
        self._permit("mem", "/dev/mem")
        if address != SLCR_ADDRESS or size > SLCR_BYTES:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), "/dev/mem")
        return self.slcr

    def map_buffer(self, path: str, size: int, *, cached: bool) -> MappedBuffer:
        self._permit("udmabuf", path)
        return self._buffer.map(path, size, cached=cached)

    def _release(self) -> None:
        """The UIO device is free again."""
        self._locked = False

    # -- the FPGA ------------------------------------------------------------------------------

    def _load(self, name: str) -> None:
        """Linux's FPGA manager is given a file."""
        place = self._place(f"{tree.FIRMWARE}/{name.strip()}")
        if not place.is_file():
            self._fail_to_load("firmware request error", errno.ENOENT)
        if tree.SYNC_WORD not in place.read_bytes() or "fpga-manager-error" in self.injected:
            self._fail_to_load("write init error", errno.EINVAL)
        self.fpga.configure()
        self._place(f"{tree.MANAGER}/state").write_text("operating\n", encoding="utf-8")

    def _fail_to_load(self, state: str, number: int) -> None:
        self._place(f"{tree.MANAGER}/state").write_text(f"{state}\n", encoding="utf-8")
        raise OSError(number, os.strerror(number), f"{tree.MANAGER}/firmware")

    def power_cycle(self) -> None:
        """Switch it off and on: nothing is configured, and Linux has booted afresh."""
        self.fpga.power_cycle()
        self._locked = False
        shutil.rmtree(self._place("/run"))
        self._place("/run").mkdir()
        self._place(f"{tree.MANAGER}/state").write_text("unknown\n", encoding="utf-8")

    # -- time ----------------------------------------------------------------------------------

    def now(self) -> float:
        return self.fpga.now()

    def sleep(self, seconds: float) -> None:
        self.fpga.pass_time(seconds, stop_at_interrupt=False)

    def close(self) -> None:
        """Release the model and remove the folder; closing twice is no error."""
        self.engine.close()
        self._folder.cleanup()

    def __enter__(self) -> SimulatedBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
