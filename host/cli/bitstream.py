"""`fractrain bitstream`: configuration → bitstream of its target."""

from __future__ import annotations

import argparse
from pathlib import Path

from fractrain.gen.bitstream_manifest import FLOWS
from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import FLAG, config_option
from fractrain.host.plugins.option import Form, Option
from fractrain.host.process.stage_lines import StageLines
from fractrain.host.process.stopping import StopSignals
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.installation import needs_extra
from fractrain.hw.contract.parameters import DEFAULT_PRESET, load_parameters
from fractrain.hw.contract.values import OneWord, Whole

JOBS, USUAL_JOBS = Whole(1, 256), 4
"""The processors of the largest machines that run Vivado."""

ATTEMPTS = Whole(1, 6, "each takes another strategy")
"""As many as `gen.bitstream.strategies` has."""

EPILOG = f"""\
OUT gets fractrain_TARGET.bit, .bin (for Linux's FPGA manager) and .xsa (Vivado), reports/ and
bitstream.json: build hash, tool, actual clock, utilization (beside the budget, and the figures of
the last `fractrain synth` of this machine), slacks, checksums. It is written whole, after all
checks, or not at all: an earlier bitstream in OUT is removed before the tools start, and what a
failed build leaves is OUT-failed: logs, reports and the routed design, without anything to load.
Without tools, OUT gets what they need.

vivado   2020.1 or newer; an XC7Z045 needs a licence, for an XC7Z020 the free edition will do. The
         variable VIVADO or PATH says where it is. The build fails if timing is not met, anything is
         unconstrained or a critical warning appears. Close to the clock, --attempts N
         implements N times, each time by another strategy.
openxc7  yosys, nextpnr-xilinx, fasm2frames, xc7frames2bit on PATH; the variables CHIPDB and
         PRJXRAY_DB_DIR name their databases. Its timing is no evidence that the clock is met.

examples:
  fractrain bitstream                    the machine {DEFAULT_PRESET}
  fractrain bitstream --config z7020     in build/bitstream-z7020, for the ZedBoard
  fractrain bitstream --config tiny --flow openxc7
  fractrain bitstream --generate-only    Verilog, constraints and Tcl only
  VIVADO=/tools/Vivado/2023.2/bin/vivado fractrain bitstream --jobs 8

exit codes:
  1  a tool failed, or what it made did not pass a check
  2  a wrong option, or a machine that its target cannot carry
  3  a file cannot be read or written
  4  a tool is missing; everything up to it has been generated
  130, 143  interrupted, terminated: no bitstream, nothing left behind"""

OPTIONS = (
    config_option(DEFAULT_PRESET),
    Option("flow", "the tools", OneWord(FLOWS), "vivado"),
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
    description = "Make the bitstream of a machine for its target."
    add_command(subparsers, "bitstream", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Generate, run the tools, report."""
    for name in ("jobs", "attempts", "tolerate"):
        if (given := getattr(args, name)) and args.flow != "vivado":
            raise ParameterError(f"--{name}", given, "with --flow vivado only")
    parameters = load_parameters(args.config)
    with needs_extra("hardware"):
        from fractrain.gen.bitstream.flow import Request
        from fractrain.gen.bitstream.making import Order, make, prepare, summary
        from fractrain.gen.bitstream.messages import check_message_id
        from fractrain.gen.synthesis.budget import preset_budget
        from fractrain.gen.synthesis.kept_figures import kept_figures
    request = Request(
        parameters,
        args.jobs or USUAL_JOBS,
        [check_message_id(each) for each in args.tolerate],
        args.attempts or 1,
        budget=preset_budget(args.config, "top"),
        modelled=kept_figures(parameters, "top"),
    )
    order = Order(request, args.flow, Path(args.config).stem, args.out)
    with StopSignals(), needs_extra("hardware"):
        if args.generate_only:
            _print_files(*prepare(order, StageLines()))
            return 0
        manifest = make(order, StageLines())
    _print_files(order.folder, {each.path: each.size_bytes for each in manifest.files})
    print(summary(manifest))
    return 0


def _print_files(folder: Path, sizes: dict[str, int]) -> None:
    for name, size in sorted(sizes.items()):
        print(f"{folder / name}  {size:,} bytes")
