"""`fractrain trace`: the bits of every block and step of a run, as a small file."""

from __future__ import annotations

import argparse
from pathlib import Path

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import RUN_FOLDER
from fractrain.host.files.outputs import check_files
from fractrain.host.machines import mixes
from fractrain.host.machines.sources import load_trace
from fractrain.host.machines.trace import EIGHT
from fractrain.host.machines.trace_files import write_trace
from fractrain.host.plugins.option import Form, Option
from fractrain.host.reports.page_file import as_seen_from_here
from fractrain.host.reports.quantities import percent
from fractrain.hw.contract.tables import terminal_table
from fractrain.sim.progress import work

EPILOG = f"""\
A trace says which network was trained and which bits every block had in every step: all that the
models of machines need. Its file is some twenty kilobytes for thousands of steps, so that it can be
committed beside the summary of a run. `fractrain compare --machines` and `fractrain rebuttal` read
it. RUN may also be another trace, the summary.json of a run without gates, or a mix of candidates:
  {mixes.FORM}

examples:
  fractrain trace runs/latest
  fractrain trace fractrain-s0 --out docs/results/integers/traces/fractrain-s0.json
  fractrain trace 'resnet38:3,4,6*0.2+4,4,6*0.8' --out mix.json"""

OPTIONS = (
    Option("run", "what to make a trace of", form=Form.ARGUMENT, metavar="RUN"),
    RUN_FOLDER,
    Option("out", "the trace", Path, metavar="FILE", shown="NAME-trace.json"),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``trace`` and its options."""
    description = "Write the bits of every block and step of a run to a small file."
    add_command(subparsers, "trace", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Read the run, write its trace, say what is in it."""
    say = work()
    say("reading the run")
    try:
        trace = load_trace(args.run, args.runs)
    finally:
        say("")
    kept = "".join(each if each.isalnum() or each in "-_." else "-" for each in trace.name)
    target = args.out or Path(f"{kept}-trace.json")
    check_files(target)
    write_trace(target, trace)
    saved = 1 - trace.effective_macs / trace.at(EIGHT).effective_macs
    rows = [
        ["steps", f"{trace.steps:,.6g}"],
        ["blocks", str(trace.blocks)],
        ["images", f"{trace.batch} of {'x'.join(map(str, trace.images))}"],
        ["mean cp of the blocks", f"{trace.cp:.4g} %"],
        ["effective MACs saved", percent(saved)],
    ]
    print(terminal_table([trace.model, trace.name], rows))
    print(as_seen_from_here(target))
    return 0
