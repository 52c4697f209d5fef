"""Verilog and a C++ harness become a shared library, once for every content."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

from fractrain.gen.plain_paths import plain_workspace
from fractrain.hw.contract.errors import FractrainError, ParameterError
from fractrain.sim.cosim.build_steps import Objects, run_watched
from fractrain.sim.cosim.cache import build_root, cached_folder, content_hash
from fractrain.sim.cosim.toolchain import cpu_model, require_tools, tool_environment, tool_versions
from fractrain.sim.cosim.waveform import Form, with_useful_signals
from fractrain.sim.progress import activity

LIBRARY = "libmodel.so"
LOG = "compile.log"
JOBS = 2
BEHIND_REGISTERS = "_behind_registers"

VERILATOR_ARGUMENTS = [
    *("--cc", "--exe", "--prefix", "Vmodel", "-Mdir", "obj", "-o", LIBRARY),
    "-O3",
    # two-state, and the same state every time
    *("--x-assign", "0", "--x-initial", "0"),
    "--no-timing",
    # one class for each module instead of one for the whole design: the array compiles five
    # times faster and runs as fast
    *("--inline-mult", "1"),
    # Verilator's warnings here concern the style of Amaranth's Verilog, not mistakes
    "-Wno-fatal",
    # several files for parallel compilation, each worth its headers
    *("--output-split", "20000"),
]
COMPILER_FLAGS = [
    "-march=native",
    "-fPIC",
    # several models live in one process: none may see the other's symbols
    "-fvisibility=hidden",
    "-fno-gnu-unique",
]
LINKER_FLAGS = ["-shared", "-Wl,-Bsymbolic"]
QUICK_VARIABLE = "FRACTRAIN_QUICK_COMPILE"


@dataclass(frozen=True)
class Design:
    """A generated design: the name of its top module and the Verilog of everything in it."""

    name: str
    verilog: str

    @property
    def ports(self) -> dict[str, int]:
        """Widths of the top module's ports, as the Verilog declares them."""
        return {name: width for name, (_, width) in self._declared_ports.items()}

    @cached_property
    def _declared_ports(self) -> dict[str, tuple[str, int]]:
        """Direction and width of every port."""
        body = re.search(
            rf"^module {re.escape(self.name)}\b.*?^endmodule",
            self.verilog,
            re.DOTALL | re.MULTILINE,
        )
        if body is None:
            raise ParameterError("top module", self.name, "a module of the Verilog text")
        declarations = re.findall(
            r"^\s*(input|output)\s+(?:\[(\d+):0\]\s+)?(\w+)\s*;", body.group(), re.MULTILINE
        )
        return {name: (direction, int(top or 0) + 1) for direction, top, name in declarations}

    def with_registered_inputs(self) -> Design:
        """This design with a register in front of every input but ``clk``.

        The design sees an input after the rising edge before which a harness sets it, as if from a
        register on the far side of the wire. All combinational paths then begin at registers, and
        the model evaluates them once a cycle. Otherwise it would evaluate paths from inputs at
        every evaluation, and everything with a reset begins at ``rst``.
        """
        name = f"{self.name}{BEHIND_REGISTERS}"
        declarations, moves, connections = [], [], []
        for port, (direction, width) in self._declared_ports.items():
            shape = f"[{width - 1}:0] " if width > 1 else ""
            declarations.append(f"  {direction} {shape}{port};")
            inner = port
            if direction == "input" and port != "clk":
                inner = f"{port}_held"
                declarations.append(f"  reg {shape}{inner};")
                moves.append(f"    {inner} <= {port};")
            connections.append(f".{port}({inner})")
        wrapper = [
            f"module {name}({', '.join(self.ports)});",
            *declarations,
            "  always @(posedge clk) begin",
            *moves,
            "  end",
            f"  {self.name} {self.name} ({', '.join(connections)});",
            "endmodule",
            "",
        ]
        return Design(name, self.verilog + "\n" + "\n".join(wrapper))

    def require_ports(self, expected: Mapping[str, int]) -> None:
        """Raise `ParameterError` unless the top module has these ports in these widths."""
        for name, width in expected.items():
            if self.ports.get(name) != width:
                raise ParameterError(
                    f"port {name} of {self.name}",
                    f"{self.ports[name]} bits" if name in self.ports else "no such port",
                    f"{width} bits",
                )


def optimization() -> list[str]:
    """Levels by Verilator's classes of code: what runs in every cycle, once, and its own library.

    -Os runs a third faster than -O2, presumably as an engine's code is larger than the caches and
    nearly all of it runs in every cycle, and compiles in less time; -O3 is no faster than -O2. With
    ``FRACTRAIN_QUICK_COMPILE`` set, -O1: a sixth less time to compile, three fifths of the speed.
    `ParameterError` if it is neither 0 nor 1.
    """
    quick = os.environ.get(QUICK_VARIABLE) or "0"
    if quick not in ("0", "1"):
        raise ParameterError(QUICK_VARIABLE, quick, "0 or 1")
    return [f"OPT_FAST={'-O1' if quick == '1' else '-Os'}", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2"]


def compile_model(
    design: Design, harness: str, constants: Mapping[str, int], *, form: Form | None = None
) -> Path:
    """The shared library of ``design`` under the C++ file ``harness`` of this package.

    ``constants`` reach the harness as macros; with ``form`` the model can record
    a waveform (and is slower). The result is cached by everything that goes into it; the first
    compilation takes a minute or more and shows its progress on stderr.

    Raises `MissingToolError` without compiler or Verilator, `FractrainError` if they fail.
    """
    require_tools()
    name = design.name.removesuffix(BEHIND_REGISTERS)
    sources = {
        "model.v": with_useful_signals(design.verilog, name) if form else design.verilog,
        "ports.h": _ports_header(design, constants),
        "model.h": _package_file("model.h"),
        "harness.cpp": _package_file(harness),
    }
    sources |= _own_headers(sources)
    arguments = [*VERILATOR_ARGUMENTS, "--top-module", design.name]
    if form:
        arguments += form.verilator_arguments
    levels = optimization()
    key = content_hash(
        *(part for item in sources.items() for part in item),
        *arguments,
        *COMPILER_FLAGS,
        *LINKER_FLAGS,
        *levels,
        *tool_versions(),
        cpu_model(),
    )

    def build(folder: Path) -> None:
        with (
            activity(f"compiling the simulation of {name}, once") as tell,
            plain_workspace(folder) as work,
        ):
            for file, text in sources.items():
                (work / file).write_text(text, encoding="utf-8")
            _verilate(work, arguments, levels, folder / LOG, tell)
            shutil.rmtree(work / "obj")

    return cached_folder(build_root() / "cosim", key, build) / LIBRARY


def _verilate(
    folder: Path,
    arguments: list[str],
    levels: list[str],
    kept_log: Path,
    tell: Callable[[str], None],
) -> None:
    """Compile in ``folder``; an error names the log at its final place."""
    flags = ["-CFLAGS", " ".join([*COMPILER_FLAGS, "-I.."]), "-LDFLAGS", " ".join(LINKER_FLAGS)]
    command = ["verilator", *arguments, *flags, "harness.cpp", "model.v"]
    _execute(command, folder, kept_log, lambda: tell("Verilog to C++"))
    make = ["make", f"-j{JOBS}", "-C", "obj", "-f", "Vmodel.mk", *levels]
    objects = Objects(make, folder, folder / "obj", tool_environment())
    _execute(make, folder, kept_log, lambda: tell(objects.progress()))
    shutil.move(folder / "obj" / LIBRARY, folder / LIBRARY)


def _execute(command: list[str], folder: Path, kept_log: Path, watch: Callable[[], None]) -> None:
    log = folder / LOG
    if run_watched(command, folder, log, tool_environment(), watch):
        cause = _cause(log.read_text("utf-8", "replace").splitlines())
        raise FractrainError(f"{command[0]} failed: {cause}; its whole output is in {kept_log}")


def _cause(lines: list[str]) -> str:
    """The first error of a compiler, else its last line."""
    said = [line.strip() for line in lines if line.strip()]
    errors = (line for line in said if re.search(r"%Error|\berror:|Error \d", line))
    return next(errors, said[-1] if said else "it said nothing")


def _ports_header(design: Design, constants: Mapping[str, int]) -> str:
    """Macros: the member of Verilator's class for every port, and the harness's constants."""
    lines = [f"#define PORT_{name} {_member_name(name)}" for name in design.ports]
    lines += [f"#define {name} {value}" for name, value in constants.items()]
    return "\n".join([*lines, ""])


def _own_headers(sources: Mapping[str, str]) -> dict[str, str]:
    """The headers of this package that ``sources`` include, directly or not, beyond themselves."""
    found = dict(sources)
    waiting = list(sources.values())
    while waiting:
        for name in re.findall(r'^#include "(\w+\.h)"$', waiting.pop(), re.MULTILINE):
            if name not in found and (resources.files("fractrain.sim.cosim") / name).is_file():
                found[name] = _package_file(name)
                waiting.append(found[name])
    return {name: text for name, text in found.items() if name not in sources}


RESERVED_NAMES = {"interrupt"}
"""Port names of ours that Verilator keeps for C++ or SystemC."""


def _member_name(port: str) -> str:
    """How Verilator spells ``port`` in C++, where names with ``__`` are its own."""
    if port in RESERVED_NAMES:
        return f"__SYM__{port}"
    return port.replace("__", "___05F")


def _package_file(name: str) -> str:
    return (resources.files("fractrain.sim.cosim") / name).read_text(encoding="utf-8")
