"""`fractrain generate`: configuration → Verilog and manifest."""

from __future__ import annotations

import argparse
from pathlib import Path

from fractrain.host.cli.options import add_config
from fractrain.host.optional import needs_extra
from fractrain.hw.contract.parameters import load_parameters
from fractrain.sim.progress import activity

EPILOG = """\
OUT gets four files: fractrain_engine.v (the machine; its top module is fractrain_engine),
registers.md and commands.md (what drivers and compilers need) and manifest.json (parameters,
ports, latencies, build hash, checksums). The same configuration and sources always give the
same bytes."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``generate`` and its options."""
    parser = subparsers.add_parser(
        "generate",
        description="Write the Verilog of a machine and its manifest.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser, default="zc706")
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        help="folder to write; an earlier build in it is replaced (default: build/CONFIG)",
    )
    parser.add_argument(
        "--flavour",
        choices=("synthesis", "simulation"),
        default="synthesis",
        help="synthesis: as the configuration says, for the FPGA; simulation: the same behaviour "
        "written for speed under Verilator (default: synthesis)",
    )


def run(args: argparse.Namespace) -> int:
    """Generate, and say what was written."""
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
