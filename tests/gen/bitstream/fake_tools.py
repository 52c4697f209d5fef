"""Programs that stand for Vivado and the open tools, and a machine whose Verilog takes no time."""

import functools
import shlex
import sys
import zipfile
from pathlib import Path

from fractrain.gen.zynq.interfaces import wrapper_interfaces
from fractrain.gen.zynq.names import ACCELERATOR_NAME
from fractrain.gen.zynq.sources import surroundings
from fractrain.hw.contract.parameters import Parameters
from tests.gen.bitstream.bit_files import bit_file

SCRIPTED_VIVADO = Path(__file__).parent / "scripted_vivado" / "main.tcl"

# As `VivadoFlow` calls it.
VIVADO_ARGUMENTS = "-mode batch -notrace -nojournal -log vivado.log -source build.tcl"

FAKE_VIVADO = """\
#!/bin/sh
test "$*" = "{arguments}" || {{ echo "ERROR: unknown arguments: $*"; exit 98; }}
exec tclsh "{scripted}" build.tcl
"""

# Each looks at its arguments, and at what the one before it must have left.
FAKE_OPEN_TOOLS = {
    "yosys": """\
if argv == ["-V"]:
    print("Yosys 0.38 (git sha1 543faed9c8c, fake)")
else:
    log, script = option("-l"), option("-p")
    lines = [line.strip() for line in script.splitlines() if line.strip()]
    for name in lines[0].split()[1:]:
        require(Path(name).stat().st_size, f"{name} is empty")
    require("check -assert" in lines, "no check")
    Path(log).write_text("synthesized\\n")
    Path("reports/stat.json").write_text(STATISTICS)
    Path("netlist.json").write_text("{}")
""",
    "nextpnr-xilinx": """\
if argv == ["--version"]:
    print("nextpnr-xilinx -- Next Generation Place and Route (Version 0.8.2-f)", file=sys.stderr)
else:
    require(Path(option("--chipdb")).is_file(), "no chip database")
    clock = "create_clock -period " + os.environ.get("FAKE_PERIOD", "5.000") + " "
    require(clock in Path(option("--xdc")).read_text(), "no clock")
    require(Path(option("--json")).is_file(), "no netlist")
    Path(option("--log")).write_text("Info: Max frequency 150 MHz\\n")
    Path(option("--fasm")).write_text("TILE.FEATURE\\n")
""",
    "fasm2frames": """\
require(option("--part") == os.environ.get("FAKE_PART", "xc7z045ffg900-2"), "part")
require(Path(option("--db-root")).name == "zynq7", "database")
require(Path(argv[-1]).is_file(), "no FASM")
print("0x00000000 0x00000000")
""",
    "xc7frames2bit": """\
require(Path(option("--part_file")).is_file(), "no part.yaml")
require(Path(option("--frm_file")).stat().st_size, "no frames")
Path(option("--output_file")).write_bytes(Path(os.environ["FAKE_BIT"]).read_bytes())
""",
}

PYTHON_SCRIPT = """\
#!/bin/sh
''':'
exec {python} "$0" "$@"
'''
"""
"""First lines of a program in Python; one that names a Python directly cannot have blanks."""

PRELUDE = """\
import atexit, os, signal, sys, time
from pathlib import Path

argv = sys.argv[1:]
STATISTICS = '''{statistics}'''

def option(name):
    require(name in argv, f"{{name}} is not given")
    return argv[argv.index(name) + 1]

def require(condition, text):
    if not condition:
        sys.exit(f"ERROR: {{text}}")

fault = os.environ.get("FAKE_FAULT", "")
if fault == "fail {name}" and argv[-1] not in ("-V", "--version"):
    sys.exit("ERROR: {name} does not like it")
if fault == "nothing {name}" and argv[-1] not in ("-V", "--version"):
    sys.exit(0)

def fail_after_all():
    print("ERROR: {name} does not like it", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(1)

if fault == "fail late {name}" and argv[-1] not in ("-V", "--version"):
    atexit.register(fail_after_all)

"""

STATISTICS = """{"creator": "Yosys", "design": {"num_cells_by_type": {
"LUT6": 100, "LUT6_2": 20, "RAM32M": 2, "FDRE": 300, "RAMB36E1": 4, "RAMB18E1": 1, "DSP48E1": 8,
"PS7": 1, "BUFG": 1}}}"""


@functools.cache
def quick_sources(parameters: Parameters, *, bare: bool = False) -> dict[str, bytes]:
    """As `gen.zynq.sources.sources`: the real wrapper, around an accelerator of one register."""
    texts = {ACCELERATOR_NAME: quick_accelerator(parameters), **surroundings(parameters, bare=bare)}
    return {f"{name}.v": text.encode() for name, text in texts.items()}


def quick_accelerator(parameters: Parameters) -> str:
    """A module with the accelerator's ports; every output shows a register of all inputs."""
    ports = [
        (port.direction, port.width, port.inner)
        for interface in wrapper_interfaces(parameters)
        for port in interface.ports
        if port.inner
    ]
    declarations = [f"{way} [{width - 1}:0] {name}" for way, width, name in ports]
    inputs = ", ".join(name for way, _, name in ports if way == "input")
    shown = [f"assign {name} = {{{width}{{q}}}};" for way, width, name in ports if way == "output"]
    return "\n".join(
        [
            f"module {ACCELERATOR_NAME} (input clk, input rst, {', '.join(declarations)});",
            "reg q = 0;",
            f"always @(posedge clk) q <= !rst & ^{{{inputs}}};",
            *shown,
            "endmodule\n",
        ]
    )


def write_vivado(folder: Path) -> Path:
    """A program ``vivado`` in ``folder``: the scripted Vivado."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "vivado"
    program.write_text(FAKE_VIVADO.format(arguments=VIVADO_ARGUMENTS, scripted=SCRIPTED_VIVADO))
    program.chmod(0o755)
    return program


def write_made_files(folder: Path, bit: bytes | None = None, inside: bytes | None = None) -> Path:
    """What the scripted Vivado "makes": a .bit, and an .xsa that has ``inside`` (that .bit)."""
    folder.mkdir(parents=True, exist_ok=True)
    bit = bit_file() if bit is None else bit
    (folder / "made.bit").write_bytes(bit)
    with zipfile.ZipFile(folder / "made.xsa", "w") as archive:
        archive.writestr("xsa.xml", "<Project/>")
        archive.writestr("system_wrapper.bit", bit if inside is None else inside)
    return folder


def write_open_tools(folder: Path) -> None:
    """The four programs of the open flow in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in FAKE_OPEN_TOOLS.items():
        write_python(folder / name, PRELUDE.format(statistics=STATISTICS, name=name) + body)


def write_python(path: Path, text: str) -> None:
    """The program ``path``, which this Python runs."""
    path.write_text(PYTHON_SCRIPT.format(python=shlex.quote(sys.executable)) + text)
    path.chmod(0o755)
