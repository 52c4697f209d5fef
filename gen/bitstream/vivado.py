"""The Vivado flow: runs its script in batch mode and checks all its results."""

from __future__ import annotations

import io
import math
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fractrain.gen.bitstream.bit_file import parse_bit, to_bin
from fractrain.gen.bitstream.constraints import VIVADO, vivado_constraints
from fractrain.gen.bitstream.flow import Made, Request
from fractrain.gen.bitstream.messages import first_fatal
from fractrain.gen.bitstream.script_runs import RUN, Say, run_script
from fractrain.gen.bitstream.vivado_script import SCRIPT_NAME, vivado_script
from fractrain.gen.bitstream_manifest import Slack, Utilization, output_name
from fractrain.gen.plain_paths import is_plain
from fractrain.gen.zynq.sources import sources
from fractrain.hw.contract.errors import DataError, FractrainError, MissingToolError, ParameterError
from fractrain.hw.targets.target import Target

__all__ = ["REPORTS", "VivadoFlow"]

REPORTS = (
    *("timing_summary", "utilization", "utilization_hierarchical", "route_status", "drc"),
    *("methodology", "cdc", "clock_utilization", "power"),
)
"""Files of ``reports/``, without their suffix ``.rpt``."""

RESULT_NAME = "result.txt"
RESULT_FORMAT = "fractrain-vivado-result/1"
CLOCK_TOLERANCE_MHZ = 0.001


class VivadoFlow:
    """Vivado in batch mode; the variable VIVADO or PATH says where it is."""

    name = "vivado"
    log = "console.log"
    """Its output; ``vivado.log`` beside it is Vivado's own log."""
    loadable: tuple[str, ...] = ("outputs",)

    def prepare(self, request: Request) -> dict[str, bytes]:
        verilog = sources(request.parameters)
        script = vivado_script(
            request.parameters,
            list(verilog),
            jobs=request.jobs,
            tolerated=request.tolerated,
            attempts=request.attempts,
        )
        return {
            **verilog,
            VIVADO: vivado_constraints(request.parameters.target).encode(),
            SCRIPT_NAME: script.encode(),
        }

    def find_tools(self, target: Target) -> None:
        given = os.environ.get("VIVADO")
        if _vivado() is None:
            where = f"VIVADO is {given!r}, no program" if given else "no vivado on PATH"
            raise MissingToolError(
                f"Vivado 2020.1 or newer with Zynq-7000 devices is missing ({where}; the variable "
                "VIVADO may name it)"
            )

    def check_place(self, out: Path) -> None:
        if _vivado() is not None and not is_plain(out.resolve()):
            raise ParameterError(
                "--out",
                str(out.resolve()),
                "with Vivado, a path of letters, digits and ._+@- only",
                hint="its scripts and makefiles break on others: choose a folder elsewhere",
            )

    def make(self, folder: Path, request: Request, say: Say) -> Made:
        command = [_vivado() or "vivado", "-mode", "batch", "-notrace", "-nojournal"]
        command += ["-log", "vivado.log", "-source", SCRIPT_NAME]
        run_script(command, folder, tool="Vivado", log=self.log, say=say)
        result = _read_result(folder / RESULT_NAME)
        _check_figures(result, request)
        _check_messages(folder, result["run"], request)
        target = request.parameters.target
        names = [output_name(target, suffix) for suffix in (".bit", ".xsa")]
        bit, platform = (_read(folder / "outputs" / name) for name in names)
        to_bin(bit, target, names[0])
        _check_platform(platform, bit, names)
        used = Utilization(
            lut=int(result["lut"]),
            ff=int(result["ff"]),
            bram36=result["bram36"],
            dsp=int(result["dsp"]),
            memory_lut=int(result["memory_lut"]),
        )
        return Made(
            bit=bit,
            clock_mhz=result["clock_mhz"],
            tool=f"Vivado {result['vivado']}",
            utilization=used,
            strategy=result["strategy"],
            slack_ns=Slack(result["setup_slack_ns"], result["hold_slack_ns"]),
            others={names[1]: platform, **_reports(folder)},
        )


def _vivado() -> str | None:
    return shutil.which(os.environ.get("VIVADO") or "vivado")


def _read_result(path: Path) -> dict[str, Any]:
    """The script's last file; `FractrainError` if any of it is missing."""
    lines = _read(path).decode("ascii", errors="replace").splitlines()
    pairs = dict(line.split(" ", 1) for line in lines if " " in line)
    if pairs.pop("format", None) != RESULT_FORMAT or lines[-1:] != ["end"]:
        raise FractrainError(f"Vivado's {path.name} is incomplete")
    texts = ("vivado", "run", "strategy")
    result: dict[str, Any] = {name: pairs.pop(name, "") for name in texts}
    if missing := [name for name in texts if not result[name]]:
        raise FractrainError(f"Vivado's {path.name} does not say: {', '.join(missing)}")
    for name in (
        *("clock_mhz", "setup_slack_ns", "hold_slack_ns"),
        *("lut", "memory_lut", "ff", "bram36", "dsp"),
    ):
        try:
            result[name] = float(pairs.pop(name))
        except (KeyError, ValueError) as error:
            raise FractrainError(f"Vivado's {path.name} has no number for {name}") from error
        if not math.isfinite(result[name]):
            raise FractrainError(f"Vivado's {path.name} has no number for {name}")
    return result


def _check_figures(result: dict[str, Any], request: Request) -> None:
    """Check again what the script has checked."""
    wanted = request.parameters.clock_mhz
    if abs(result["clock_mhz"] - wanted) >= CLOCK_TOLERANCE_MHZ:
        raise FractrainError(f"the clock is {result['clock_mhz']} MHz, wanted were {wanted} MHz")
    for name in ("setup", "hold"):
        if (slack := result[f"{name}_slack_ns"]) < 0:
            raise FractrainError(f"timing is not met: {name} slack {slack} ns")


def _check_messages(folder: Path, run: str, request: Request) -> None:
    """Check every log of the chosen implementation, ``run``, independently of the script."""
    logs = [*folder.glob("project/*.runs/synth_1/runme.log")]
    logs += [each for each in folder.glob("project/*.runs/*/runme.log") if each.parent.name == run]
    for log in (folder / "vivado.log", *logs):
        lines = _read(log).decode("utf-8", errors="replace").splitlines()
        if fatal := first_fatal(_lines_about(lines, run), request.tolerated):
            raise FractrainError(f"{log.relative_to(folder)}: {fatal}")


def _lines_about(lines: Iterable[str], run: str) -> Iterator[str]:
    """The logs of the session and of the implementation ``run``: the session's log repeats the
    messages of every run that it waited for, and the script marks which."""
    about = ""
    for line in lines:
        if line.startswith(RUN):
            about = line.removeprefix(RUN).strip()
        if about in ("", run):
            yield line


def _check_platform(platform: bytes, bit: bytes, names: Sequence[str]) -> None:
    """`FractrainError` unless the .xsa holds this very bitstream; ``names`` of .bit and .xsa."""
    bit_name, xsa_name = names
    try:
        with zipfile.ZipFile(io.BytesIO(platform)) as archive:
            bits = [archive.read(name) for name in archive.namelist() if name.endswith(".bit")]
        inside = [parse_bit(each, xsa_name).data for each in bits]
    except (zipfile.BadZipFile, DataError) as error:
        raise FractrainError(f"{xsa_name} is damaged: {error}") from error
    if parse_bit(bit, bit_name).data not in inside:
        raise FractrainError(f"{xsa_name} does not hold the bitstream {bit_name}")


def _reports(folder: Path) -> dict[str, bytes]:
    """Name → content; `FractrainError` for one that was not written."""
    names = [f"reports/{name}.rpt" for name in REPORTS]
    files = {name: _read(folder / name) for name in names}
    for log in ("vivado.log", SCRIPT_NAME):
        files[f"reports/{log}"] = _read(folder / log)
    return files


def _read(path: Path) -> bytes:
    """A file that Vivado must have written, not empty."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FractrainError(f"Vivado left no {path.name} ({error.strerror})") from error
    if not content:
        raise FractrainError(f"Vivado left an empty {path.name}")
    return content
