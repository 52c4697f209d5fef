"""`fractrain generate`: configuration → Verilog and manifest."""

from __future__ import annotations

import argparse
from pathlib import Path

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import config_option
from fractrain.host.plugins.option import Option
from fractrain.hw.contract.installation import needs_extra
from fractrain.hw.contract.parameters import DEFAULT_PRESET, load_parameters
from fractrain.hw.contract.values import OneWord
from fractrain.sim.progress import activity

EPILOG = """\
OUT gets four files: fractrain_engine.v (the machine; its top module is fractrain_engine),
registers.md and commands.md (what drivers and compilers need) and manifest.json (parameters,
ports, latencies, build hash, checksums). The same configuration and sources always give the
same bytes."""

OPTIONS = (
    config_option(DEFAULT_PRESET),
    Option(
        "out",
        "folder to write; an earlier build in it is replaced",
        Path,
        metavar="FOLDER",
        shown="build/CONFIG",
    ),
    Option(
        "flavour",
        "synthesis: as the configuration says, for the FPGA; simulation: the same behaviour "
        "written for speed under Verilator",
        OneWord(("synthesis", "simulation")),
        "synthesis",
    ),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``generate`` and its options."""
    add_command(
        subparsers, "generate", "Write the Verilog of a machine and its manifest.", EPILOG, OPTIONS
    )


def run(args: argparse.Namespace) -> int:
    """Generate, and print the files written."""
    parameters = load_parameters(args.config)
    with needs_extra("hardware"):
        from fractrain.gen.build import generate
        from fractrain.gen.designs import Flavour
    out = args.out or Path("build", Path(args.config).stem)
    with activity(f"generating the Verilog of {args.config}"):
        manifest = generate(parameters, out, Flavour(args.flavour))
    for entry in manifest.files:
        print(f"{out / entry.path}  {entry.size_bytes:,} bytes")
    print(f"build hash {manifest.build_hash[:8]}")
    return 0
