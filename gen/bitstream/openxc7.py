"""The open flow: Yosys, nextpnr-xilinx and Project X-Ray, on the same RTL with a bare PS7.

None of its tools knows the delays of the device, so it gives no slack. Its bitstreams are an
experiment: none of this core has been reported to run on a board.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from importlib import resources
from pathlib import Path

from fractrain.gen.bitstream.bit_file import to_bin
from fractrain.gen.bitstream.constraints import BARE_CLOCK, bare_constraints
from fractrain.gen.bitstream.flow import Made, Request
from fractrain.gen.bitstream.script_runs import Say, run_script
from fractrain.gen.bitstream.template import fill
from fractrain.gen.bitstream_manifest import Slack, Utilization, output_name
from fractrain.gen.synthesis.area import area_of_cells
from fractrain.gen.synthesis.cells import cell_kind
from fractrain.gen.zynq.names import BARE_NAME
from fractrain.gen.zynq.sources import sources
from fractrain.hw.contract.errors import DataError, FractrainError, MissingToolError
from fractrain.hw.targets.target import Target

__all__ = ["OpenFlow"]

SCRIPT_NAME = "build.sh"
TEMPLATE = "openxc7.sh"
TOOLS = ("yosys", "nextpnr-xilinx", "fasm2frames", "xc7frames2bit")
CHIPDB, DATABASE = "CHIPDB", "PRJXRAY_DB_DIR"
REPORTS = ("versions.txt", "synthesis.log", "stat.json", "placement_and_routing.log")

# "Yosys 0.38 (git sha1 ...)", "nextpnr-xilinx -- Next Generation Place and Route (Version 0.8.2)"
YOSYS_VERSION = re.compile(r"^Yosys (\S+)", re.MULTILINE)
NEXTPNR_VERSION = re.compile(r"\(Version ([^)\s]+)\)")


class OpenFlow:
    """Yosys, nextpnr-xilinx, fasm2frames and xc7frames2bit, all on PATH."""

    name = "openxc7"
    log = "build.log"
    # Each of the two files is one short step from a bitstream.
    loadable: tuple[str, ...] = ("outputs", "frames.txt", "routed.fasm")

    def prepare(self, request: Request) -> dict[str, bytes]:
        target = request.parameters.target
        verilog = sources(request.parameters, bare=True)
        template = resources.files("fractrain.gen.bitstream") / "templates" / TEMPLATE
        script = fill(
            template.read_text(encoding="utf-8"),
            TEMPLATE,
            title=target.title,
            part=target.part.name,
            family=target.primitives.yosys_family,
            xray_database=target.primitives.xray_database,
            top=BARE_NAME,
            sources=" ".join(verilog),
            constraints=BARE_CLOCK,
            bit_name=output_name(target, ".bit"),
        )
        return {
            **verilog,
            BARE_CLOCK: bare_constraints(request.parameters).encode(),
            SCRIPT_NAME: script.encode(),
        }

    def find_tools(self, target: Target) -> None:
        missing = [name for name in TOOLS if shutil.which(name) is None]
        database = os.environ.get(DATABASE)
        folder = target.primitives.xray_database
        part = Path(database or ".", folder, target.part.name, "part.yaml")
        if not Path(os.environ.get(CHIPDB) or "/nowhere").is_file():
            device = target.part.device.lower()
            missing.append(f"{CHIPDB} (variable: nextpnr-xilinx's chip database of the {device})")
        if not database:
            missing.append(f"{DATABASE} (variable: Project X-Ray's database, which has {folder}/)")
        elif not part.is_file():
            missing.append(f"{part} ({DATABASE} names no database with this part)")
        if missing:
            raise MissingToolError(f"missing for the open flow: {', '.join(missing)}")

    def check_place(self, out: Path) -> None:
        """Any: the script names nothing but files in its own folder."""

    def make(self, folder: Path, request: Request, say: Say) -> Made:
        absolute = {
            name: str(Path(os.environ.get(name, "")).resolve()) for name in (CHIPDB, DATABASE)
        }
        run_script(
            ["sh", SCRIPT_NAME],
            folder,
            tool="the open flow",
            log=self.log,
            say=say,
            environment=absolute,
        )
        target = request.parameters.target
        name = output_name(target, ".bit")
        bit = _read(folder / "outputs" / name)
        to_bin(bit, target, name)
        reports = {f"reports/{name}": _read(folder / "reports" / name) for name in REPORTS}
        reports[f"reports/{self.log}"] = _read(folder / self.log)
        reports[f"reports/{SCRIPT_NAME}"] = _read(folder / SCRIPT_NAME)
        return Made(
            bit=bit,
            clock_mhz=float(request.parameters.clock_mhz),
            tool=_tool(reports["reports/versions.txt"].decode("utf-8", errors="replace")),
            utilization=_utilization(reports["reports/stat.json"]),
            slack_ns=Slack(None, None),
            others=reports,
        )


def _tool(versions: str) -> str:
    """Names and versions of the two tools that determine the bitstream."""
    yosys, nextpnr = YOSYS_VERSION.search(versions), NEXTPNR_VERSION.search(versions)
    return (
        f"nextpnr-xilinx {nextpnr[1] if nextpnr else 'of unknown version'}, "
        f"Yosys {yosys[1] if yosys else 'of unknown version'}"
    )


def _utilization(statistics: bytes) -> Utilization:
    """What Yosys mapped to, counted as `gen.synthesis` does; nextpnr may add a few LUTs."""
    try:
        counts = dict(json.loads(statistics)["design"]["num_cells_by_type"])
        area = area_of_cells({kind: int(n) for kind, n in counts.items() if _is_fabric(kind)})
    except (ValueError, KeyError, TypeError) as error:
        raise FractrainError("Yosys's stat.json has no number of cells by type") from error
    return Utilization(
        lut=area.luts,
        ff=area.flip_flops,
        bram36=area.bram36,
        dsp=area.dsps,
        memory_lut=area.memory_luts,
    )


def _is_fabric(kind: str) -> bool:
    """Whether cells of ``kind`` take anything that `Utilization` counts (a PS7 does not)."""
    try:
        return bool(cell_kind(kind))
    except DataError:
        return False


def _read(path: Path) -> bytes:
    """A file that the tools must have written, not empty."""
    content = path.read_bytes() if path.is_file() else b""
    if not content:
        what = "an empty" if path.is_file() else "no"
        raise FractrainError(f"the open flow left {what} {path.name}")
    return content
