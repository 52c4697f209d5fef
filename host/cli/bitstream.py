"""`fractrain bitstream`: configuration → bitstream of the ZC706."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import FLAG, config_option
from fractrain.host.plugins.option import Form, Option
from fractrain.host.process.stopping import StopSignals
from fractrain.hw.contract.errors import MissingToolError, ParameterError
from fractrain.hw.contract.installation import needs_extra
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.values import Choice, Whole

if TYPE_CHECKING:
    from fractrain.gen.bitstream.manifest import BitstreamManifest

# As in gen.bitstream.build, which needs Amaranth to be imported.
FLOWS = ("vivado", "openxc7")
JOBS, USUAL_JOBS = Whole(1, 256), 4
"""The processors of the largest machines that run Vivado."""

ATTEMPTS = Whole(1, 6, "each takes another strategy")
"""As many as `gen.bitstream.strategies` has."""

BY_HAND = {"vivado": "vivado -mode batch -source build.tcl", "openxc7": "sh build.sh"}

EPILOG = """\
OUT gets fractrain_zc706.bit, .bin (for Linux's FPGA manager) and .xsa (Vivado), reports/ and
bitstream.json: build hash, tool, actual clock, utilization (beside the budget, and the figures of
the last `fractrain synth` of this machine), slacks, checksums. It is written whole, after all
checks, or not at all: an earlier bitstream in OUT is removed before the tools start, and what a
failed build leaves is OUT-failed: logs, reports and the routed design, without anything to load.
Without tools, OUT gets what they need.

vivado   2020.1 or newer, with a licence for the Z-7045; the variable VIVADO or PATH says where. The
         build fails if timing is not met, anything is unconstrained or a critical warning appears.
         Close to the clock, --attempts N implements N times, each time by another strategy.
openxc7  yosys, nextpnr-xilinx, fasm2frames, xc7frames2bit on PATH; the variables CHIPDB and
         PRJXRAY_DB_DIR name their databases. Its timing is no evidence that the clock is met.

examples:
  fractrain bitstream                            the ZC706 machine, build/bitstream-zc706
  fractrain bitstream --config tiny --flow openxc7
  fractrain bitstream --generate-only            Verilog, constraints and Tcl in build/vivado-zc706
  VIVADO=/tools/Vivado/2023.2/bin/vivado fractrain bitstream --jobs 8

exit codes:
  1  a tool failed, or what it made did not pass a check
  2  a wrong option, or a machine that the ZC706 cannot carry
  3  a file cannot be read or written
  4  a tool is missing; everything up to it has been generated
  130, 143  interrupted, terminated: no bitstream, nothing left behind"""

OPTIONS = (
    config_option("zc706"),
    Option("flow", "the tools", Choice(FLOWS), "vivado"),
    Option(
        "out",
        "folder to write",
        Path,
        metavar="FOLDER",
        shown="build/bitstream-CONFIG; with --generate-only, or without the tools, "
        "build/FLOW-CONFIG",
    ),
    Option("generate_only", "write what the tools need, and run none of them", form=FLAG),
    Option("jobs", "processes that Vivado may use", JOBS, metavar="N", shown=f"{USUAL_JOBS}"),
    Option(
        "attempts",
        "implementations by Vivado, each by another strategy; the one with the most slack of "
        "those that pass all checks is taken",
        ATTEMPTS,
        metavar="N",
        shown="1",
    ),
    Option(
        "tolerate",
        'a critical warning of Vivado\'s that you have judged, such as "Synth 8-689", which shall '
        "not end the build; may be given more than once",
        default=(),
        form=Form.REPEATED,
        metavar="ID",
        shown="",
    ),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``bitstream`` and its options."""
    description = "Make the bitstream of a machine for the ZC706."
    add_command(subparsers, "bitstream", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Generate, run the tools, say what came of it."""
    for name in ("jobs", "attempts", "tolerate"):
        if (given := getattr(args, name)) and args.flow != "vivado":
            raise ParameterError(f"--{name}", given, "with --flow vivado only")
    parameters = load_parameters(args.config)
    with needs_extra("hardware"):
        from fractrain.gen.bitstream import build
        from fractrain.gen.bitstream.flow import Request
        from fractrain.gen.bitstream.manifest import BITSTREAM_MANIFEST_NAME
        from fractrain.gen.bitstream.messages import check_message_id
        from fractrain.gen.publish import check_replaceable
        from fractrain.gen.synthesis.budget import preset_budget
        from fractrain.gen.synthesis.kept_figures import kept_figures
    name = Path(args.config).stem
    request = Request(
        parameters,
        args.jobs or USUAL_JOBS,
        [check_message_id(each) for each in args.tolerate],
        args.attempts or 1,
        budget=preset_budget(args.config, "top"),
        modelled=kept_figures(parameters, "top"),
    )
    flow = build.FLOWS[args.flow]
    project_folder = args.out or Path("build", f"{args.flow}-{name}")
    out = args.out or Path("build", f"bitstream-{name}")
    if args.generate_only:
        check_replaceable(project_folder)
    else:
        # What tools that were missing left to be done there is done now.
        check_replaceable(out, build.kind_of(out) or BITSTREAM_MANIFEST_NAME)
        flow.check_place(out)
        if build.kind_of(project_folder) == BITSTREAM_MANIFEST_NAME:
            project_folder = out.with_name(f"{out.name}-{args.flow}")
    say = _StageLines()
    say("Verilog")
    with needs_extra("hardware"):
        project = build.prepare_project(flow, request)
    if args.generate_only:
        build.write_project(project_folder, project)
        _print_files(project_folder, {name: len(content) for name, content in project.items()})
        return 0
    try:
        flow.find_tools()
    except MissingToolError as missing:
        build.write_project(project_folder, project)
        raise MissingToolError(_without_tools(str(missing), project_folder, args.flow)) from missing
    with StopSignals():
        manifest = build.make_bitstream(flow, request, project, name, out, say)
    _print_files(out, {each.path: each.size_bytes for each in manifest.files})
    print(_summary(manifest))
    return 0


class _StageLines:
    """One line a stage on standard error, with the time since the beginning."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def __call__(self, stage: str) -> None:
        seconds = int(time.monotonic() - self.started)
        minutes, seconds = divmod(seconds, 60)
        print(f"{minutes:4d}:{seconds:02d}  {stage} ...", file=sys.stderr, flush=True)


def _without_tools(missing: str, folder: Path, flow: str) -> str:
    """What is missing, what was done nevertheless, and what else can be done, in one line."""
    other = "; --flow openxc7 needs open tools only" if flow == "vivado" else ""
    return (
        f"{missing}. Everything up to it is in {folder}: run this command, or `{BY_HAND[flow]}` in "
        f"that folder, on a machine that has it{other}; `fractrain simulate`, `synth` and `train` "
        "need none of it"
    )


def _print_files(folder: Path, sizes: dict[str, int]) -> None:
    for name, size in sorted(sizes.items()):
        print(f"{folder / name}  {size:,} bytes")


def _summary(manifest: BitstreamManifest) -> str:
    """What the tools reported, in three lines."""
    from fractrain.gen.synthesis.device import XC7Z045

    used, slack = manifest.utilization, manifest.slack_ns
    shares = (
        ("LUT", used.lut, XC7Z045.luts),
        ("FF", used.ff, XC7Z045.flip_flops),
        ("BRAM36", used.bram36, XC7Z045.bram36),
        ("DSP48", used.dsp, XC7Z045.dsps),
    )
    timing = (
        "no evidence that the clock is met: this flow places with default delays"
        if slack.setup is None or slack.hold is None
        else f"met, slack {slack.setup:.3f} ns (setup), {slack.hold:.3f} ns (hold)"
    )
    return "\n".join(
        [
            ", ".join(f"{name} {count:,g} ({count / of:.1%})" for name, count, of in shares),
            f"timing at {manifest.clock_mhz:g} MHz: {timing}",
            f"build hash {manifest.build_hash[:8]}, {manifest.tool}",
        ]
    )
