"""A simulated board under Linux: the board driver's system, with the generated RTL behind it.

Everything that is a plain file on the board is one here, in a folder of its own; registers, the
interrupt, the buffer and the processor's control registers are models. Time is the machine's:
nobody waits for a clock on the wall.
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
from fractrain.hw.contract.registers import DRAINING, IDLE, STATUS
from fractrain.sim.board import tree
from fractrain.sim.board.caches import TO_DEVICE, CachedView
from fractrain.sim.board.devices import MappedBuffer, UioDevice
from fractrain.sim.board.hang import BusHang
from fractrain.sim.board.injections import INJECTIONS
from fractrain.sim.board.sensors import POWER, modelled_watts
from fractrain.sim.board.slcr import SLCR_ADDRESS, SLCR_BYTES, SlcrModel
from fractrain.sim.cosim.convolution import ConvolutionSimulation
from fractrain.sim.cosim.convolution_faults import BusFaults, ErrorRegion
from fractrain.sim.memory_model import MemoryModel

__all__ = ["SimulatedBoard"]

MEMORY_ADDRESS = 0x1000_0000
MARGIN_BYTES = 1 << 20
"""Of memory before and behind the buffer: what the machine writes there goes wrong unseen."""

BUFFER_BYTES = 64 << 20
SHORT_BUFFER_BYTES = 8 << 10
FIRST_CHUNK_CYCLES, CHUNK_CYCLES = 1 << 6, 1 << 16
"""Between two looks at whether the machine has anything to do."""

CLOCK_TOLERANCE = 1e-3
FASTER = 1.25
"""What another driver makes of FCLK0: a divider less at 200 MHz. The design still answers."""


class SimulatedBoard:
    """The driver's system (`host.board.system.System`) on a board that is simulated.

    parameters : of the machine in the FPGA, whose target is the board; the manifest of its
        bitstream lies where one is installed. It is not loaded at first, and FCLK0 is as after
        U-Boot
    injected : what is wrong with the board, names of `sim.board.INJECTIONS`
    buffer_bytes : size of the u-dma-buf
    memory : how DDR behaves

    An access to the FPGA that would hang the processor raises `BusHang`. A bitstream that is loaded
    while the machine moves data leaves memory that does not answer, until `power_cycle`. Raises
    `ParameterError` for an unknown name, and what `sim.cosim` raises without its tools.
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
        self.injected = frozenset(injected)
        self._parameters = parameters
        self.environment: Mapping[str, str] = {}
        if "short-buffer" in injected:
            buffer_bytes = SHORT_BUFFER_BYTES
        self.engine = ConvolutionSimulation(
            parameters,
            memory_bytes=buffer_bytes + 2 * MARGIN_BYTES,
            base_address=MEMORY_ADDRESS,
        )
        self.engine.configure(memory or MemoryModel.ideal())
        self._folder = tempfile.TemporaryDirectory(prefix="fractrain-board-")
        self.root = Path(self._folder.name)
        self.buffer_address = MEMORY_ADDRESS + MARGIN_BYTES
        self.buffer_memory = self.engine.memory[MARGIN_BYTES : MARGIN_BYTES + buffer_bytes]
        self.wanted_mhz = self._paced_mhz = float(parameters.clock_mhz)
        tree.write_tree(self.root, parameters, (self.buffer_address, buffer_bytes), injected)
        self.slcr = SlcrModel(parameters.target.clocks, injected)
        self.caches: CachedView | None = None
        self._configured = False
        self._wedged = False
        self._locked = False
        self._running = False
        """For the sensor, which another thread reads: it must not touch the engine."""
        self._seconds = 0.0
        self._hooks: dict[str, Callable[[str], None]] = {
            f"{tree.MANAGER}/firmware": self._load,
            f"{tree.UDMABUF}/sync_for_device": self._sync_for_device,
            f"{tree.UDMABUF}/sync_for_cpu": self._sync_for_processor,
        }
        if "mainline" in injected:
            self._configure()
            self.slcr.switched_by_linux(self.wanted_mhz)

    # -- files ---------------------------------------------------------------------------------

    def exists(self, path: str) -> bool:
        return self._place(path).exists()

    def read_text(self, path: str) -> str:
        if path == POWER:
            clocked = self._configured and not self.slcr.obstacle
            watts = modelled_watts(self._parameters, clocked=clocked, running=self._running)
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
        return UioDevice(self)

    def map_physical(self, address: int, size: int) -> SlcrModel:
        self._permit("mem", "/dev/mem")
        if address != SLCR_ADDRESS or size > SLCR_BYTES:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), "/dev/mem")
        return self.slcr

    def map_buffer(self, path: str, size: int, *, cached: bool) -> MappedBuffer:
        self._permit("udmabuf", path)
        if path != f"/dev/{tree.UDMABUF.rpartition('/')[2]}" or size > len(self.buffer_memory):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        if not cached:
            return MappedBuffer(self.buffer_memory[:size])
        self.caches = CachedView(self.buffer_memory[:size])
        return MappedBuffer(self.caches.data, self._forget_caches)

    def _forget_caches(self) -> None:
        """Nothing is seen through them any more."""
        self.caches = None

    # -- the buffer's caches -------------------------------------------------------------------

    def _sync_for_device(self, text: str) -> None:
        if self.caches is not None and "unwritten-caches" not in self.injected:
            self.caches.for_device(*self._command(text))

    def _sync_for_processor(self, text: str) -> None:
        if self.caches is not None and "stale-caches" not in self.injected:
            self.caches.for_processor(*self._command(text))

    def _command(self, text: str) -> tuple[int, int, int]:
        """First byte, size and direction of a command to u-dma-buf."""
        word = int(text, 0)
        first, size, direction = word >> 32, word & 0xFFFF_FFF0, word >> 2 & 3
        if not word & 1 or first + size > len(self.buffer_memory):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), tree.UDMABUF)
        half = f"half-{'written' if direction == TO_DEVICE else 'stale'}-caches"
        return first, size // 2 if half in self.injected else size, direction

    # -- the FPGA ------------------------------------------------------------------------------

    def _load(self, name: str) -> None:
        """Linux's FPGA manager is given a file."""
        place = self._place(f"{tree.FIRMWARE}/{name.strip()}")
        if not place.is_file():
            self._fail_to_load("firmware request error", errno.ENOENT)
        if tree.SYNC_WORD not in place.read_bytes() or "fpga-manager-error" in self.injected:
            self._fail_to_load("write init error", errno.EINVAL)
        self._configure()
        self._place(f"{tree.MANAGER}/state").write_text("operating\n", encoding="utf-8")

    def _fail_to_load(self, state: str, number: int) -> None:
        self._place(f"{tree.MANAGER}/state").write_text(f"{state}\n", encoding="utf-8")
        raise OSError(number, os.strerror(number), f"{tree.MANAGER}/firmware")

    def power_cycle(self) -> None:
        """Off and on again: nothing is configured, and what Linux kept for this boot is gone."""
        self._configured = self._wedged = self._locked = False
        self.slcr = SlcrModel(self._parameters.target.clocks, self.injected)
        shutil.rmtree(self._place("/run"))
        self._place("/run").mkdir()
        self._place(f"{tree.MANAGER}/state").write_text("unknown\n", encoding="utf-8")

    def _configure(self) -> None:
        self._seconds = self.now()
        # the ports of the processor system wait for ever for the rest of what was under way
        self._wedged |= self._configured and not self._at_rest()
        self.engine.reset()
        self.engine.drop_results()
        self.engine.inject(self._bus_faults())
        self._configured = True
        self.slcr.configured()

    def _bus_faults(self) -> BusFaults:
        everything = 0, (1 << 32) - 1
        if "axi-error" in self.injected:
            return BusFaults((ErrorRegion(*everything, writes=False),))
        if "axi-write-error" in self.injected:
            return BusFaults((ErrorRegion(*everything, reads=False),))
        stuck = self._wedged or "stuck-memory" in self.injected
        return BusFaults(stuck_from=0 if stuck else None)

    def _at_rest(self) -> bool:
        """The machine wants nothing of memory, and memory owes it nothing."""
        status = self.engine.read_register(STATUS)
        return bool(IDLE.extract(status)) and not DRAINING.extract(status)

    def require_answer(self) -> None:
        """Raise `BusHang` unless the FPGA answers an access now."""
        obstacle = "the FPGA is not configured" if not self._configured else self.slcr.obstacle
        if not obstacle and abs(self.slcr.clock_mhz / self._paced_mhz - 1) > CLOCK_TOLERANCE:
            obstacle = f"FCLK0 is at {self.slcr.clock_mhz:.4g} MHz, not at {self._paced_mhz:g}"
        if not obstacle and "mainline" in self.injected and not self.slcr.design_was_reset:
            obstacle = "its flip-flops may hold anything since FCLK0 was switched under them"
        if obstacle:
            raise BusHang(f"an access to the FPGA although {obstacle}: the processor would hang")

    def started(self) -> None:
        """A program has just begun."""
        if "fclk-stopped" in self.injected:
            self.slcr.stopped_by_another()
        if "fclk-changed" in self.injected:
            now, self._paced_mhz = self.now(), FASTER * self.wanted_mhz
            self._seconds += now - self.now()
            self.slcr.switched_by_linux(self._paced_mhz)

    # -- time ----------------------------------------------------------------------------------

    def now(self) -> float:
        return self._seconds + self.engine.cycles / (1e6 * self._paced_mhz)

    def sleep(self, seconds: float) -> None:
        self.pass_time(seconds, stop_at_interrupt=False)

    def pass_time(self, seconds: float, *, stop_at_interrupt: bool) -> None:
        """Let the machine run, or the time pass while it has nothing to do."""
        if not self._configured or self.slcr.obstacle:
            self._seconds += seconds
            return
        cycles, chunk = round(seconds * 1e6 * self._paced_mhz), FIRST_CHUNK_CYCLES
        while cycles > 0:
            self._running = True
            before = self.engine.cycles
            came = self.engine.advance(min(cycles, chunk), until_interrupt=stop_at_interrupt)
            if came and stop_at_interrupt:
                return
            cycles -= self.engine.cycles - before
            if IDLE.extract(self.engine.read_register(STATUS)):
                # nothing happens any more, and an idle machine need not be simulated
                self._running = False
                self._seconds += max(0, cycles) / (1e6 * self._paced_mhz)
                return
            chunk = CHUNK_CYCLES

    def close(self) -> None:
        """Release the model and remove the folder; closing twice is no error."""
        self.engine.close()
        self._folder.cleanup()

    def release(self) -> None:
        """The UIO device is free again."""
        self._locked = False

    def __enter__(self) -> SimulatedBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
