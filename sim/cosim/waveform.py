"""The signals of a simulation, cycle by cycle, for waveform viewers."""

from __future__ import annotations

import enum
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import BinaryIO

from fractrain.hw.contract.errors import MissingToolError, ParameterError
from fractrain.sim.cosim.toolchain import require_tools, tool_environment

MOST_BYTES = 1 << 30
"""Size at which a recording ends, as it is kept in memory."""

WIDEST = 64
"""Bits of a signal. Wider ones are operands of the whole array and most of the bytes."""

_FOREVER = (1 << 64) - 1
_HEADERS = "#include <lz4.h>\n#include <zlib.h>\n"


class Form(enum.Enum):
    """Formats of waveforms: FST is small, VCD is text that every tool reads."""

    FST = "fst"
    VCD = "vcd"

    @classmethod
    def of(cls, path: Path) -> Form:
        """By the ending of a file's name; `ParameterError` if that is no format."""
        try:
            return cls(path.suffix.removeprefix(".").lower())
        except ValueError:
            raise ParameterError(
                "trace", str(path), "a file name that ends in .fst, or in .vcd (much larger)"
            ) from None

    @property
    def verilator_arguments(self) -> list[str]:
        return [f"--trace-{self.value}", "--no-trace-top", "--trace-max-width", str(WIDEST)]


class Waveform:
    """The signals of a simulation in the cycles from ``first`` up to but not including ``end``
    (None: to the last).

    Give it to the simulation, close that, then `save` it. Until then it is in memory: however the
    simulation ends, it leaves no half file, and a full disk is an ordinary error. ``begun``: there
    are such cycles; ``full``: the recording ended early, at `MOST_BYTES`. It has no memories,
    nothing inside the array's units, and no signals of more than `WIDEST` bits.

    Raises `MissingToolError` if what compiles the writer of FST is not installed.
    """

    def __init__(self, form: Form, first: int = 0, end: int | None = None) -> None:
        if form is Form.FST:
            _require_compression()
        self.form, self.first = form, first
        self.end = _FOREVER if end is None else end
        self.begun = self.full = False
        self._file = open(os.memfd_create("waveform"), "rb")

    @property
    def path(self) -> bytes:
        """Where this process writes it."""
        return f"/proc/self/fd/{self._file.fileno()}".encode()

    @property
    def size_bytes(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def save(self, file: BinaryIO) -> None:
        """Write it to ``file``; `OSError` if that fails."""
        self._file.seek(0)
        shutil.copyfileobj(self._file, file, 1 << 20)

    def close(self) -> None:
        """Forget it; closing twice is no error."""
        self._file.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self.close()


def with_useful_signals(verilog: str, top: str) -> str:
    """``verilog`` with marks that keep two kinds of signals out of the waveform: names that begin
    with ``$``, which Amaranth makes up, and everything inside shared modules (those not named after
    ``top``), such as the units of the array. They are nine tenths of the bytes."""
    named = re.sub(
        r"^  (?:wire|reg) (?:\[\d+:\d+\] )?\\\$.*;$", _hidden, verilog, flags=re.MULTILINE
    )
    shared = rf"^module (?!\\?{re.escape(top)}).*?^endmodule$"
    return re.sub(shared, _hidden, named, flags=re.MULTILINE | re.DOTALL)


def _hidden(found: re.Match[str]) -> str:
    inside = found[0].replace("/*verilator tracing_on*/", "")
    return f"/*verilator tracing_off*/\n{inside}\n/*verilator tracing_on*/"


def _require_compression() -> None:
    """The headers of the libraries that Verilator's writer of FST compresses with."""
    require_tools()
    command = ["g++", "-E", "-x", "c++", "-o", os.devnull, "-"]
    found = subprocess.run(
        command, input=_HEADERS, text=True, capture_output=True, env=tool_environment()
    )
    if found.returncode:
        raise MissingToolError(
            "lz4.h and zlib.h are not installed; a waveform in FST needs them: "
            "apt install liblz4-dev zlib1g-dev (one in VCD, FILE.vcd, does not)"
        )
