"""`fractrain compare`: several runs side by side, on the terminal."""

from __future__ import annotations

import argparse

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import MACHINES, RUNS, file_option
from fractrain.host.files.atomic import write_whole
from fractrain.host.files.outputs import check_files, write_json
from fractrain.host.machines import mixes
from fractrain.host.machines.comparison import compare_machines, machines_document
from fractrain.host.machines.sources import load_traces
from fractrain.host.machines.tables import machines_page, machines_text
from fractrain.host.reports.document import comparison_document
from fractrain.host.reports.page import render_page
from fractrain.host.reports.run import load_runs
from fractrain.host.reports.terminal import comparison
from fractrain.hw.contract.errors import ParameterError
from fractrain.sim.progress import work

EPILOG = f"""\
A sentence says what was saved at what accuracy. Every figure in the tables says where it is from:
measured while the run ran, computed from what it did, or modelled for the FPGA. The first table
compares each run with its own steps at FW8/BW8; the second compares what the runs had spent when
they first reached the same accuracy, the lowest of their best ones, with what the static 8/8/8
run among them had spent.

With --machines: what each RUN costs on Bit Fusion, Eyeriss, arrays of DSPs and this project's
machine, time, energy and bytes, beside the same steps at FW8/BW8 on the same machine. One RUN is
enough then, and it may also be a trace file (`fractrain trace`), the summary.json of a run without
gates, or a mix of candidates:
  {mixes.FORM}
--json has every layer and pass, --html tables, bars and a roofline. All figures are modelled.

examples:
  fractrain compare static8 pfq fractrain
  fractrain compare --machines runs/latest --html machines.html
  fractrain compare --machines resnet38:8,8,8 'resnet38:3,4,6*0.2+4,4,6*0.8'
  fractrain compare runs/static8 runs/pfq --json comparison.json --html comparison.html"""

OPTIONS = (
    *RUNS,
    MACHINES,
    file_option("json", "write all figures, too"),
    file_option("html", "write a page, too: that of `fractrain report`, or of the machines"),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``compare`` and its options."""
    description = "Show training runs side by side: accuracy, cost, savings, settings."
    add_command(subparsers, "compare", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Read the runs, print the tables, write the files."""
    if args.machines:
        return _run_machines(args)
    if len(args.run) < 2:
        raise ParameterError(
            "RUN", " ".join(args.run), "two runs or more", hint="one run alone: fractrain report"
        )
    check_files(args.json, args.html)
    say = work()
    say("reading the runs")
    try:
        runs = load_runs(args.run, args.runs)
    finally:
        say("")
    print(comparison(runs))
    if args.json is not None:
        write_json(args.json, comparison_document(runs))
        print(f"\n{args.json}")
    if args.html is not None:
        write_whole(args.html, render_page(runs))
        print(f"\n{args.html}")
    return 0


def _run_machines(args: argparse.Namespace) -> int:
    """The same of machines."""
    check_files(args.json, args.html)
    say = work()
    say("reading the traces")
    try:
        results = compare_machines(load_traces(args.run, args.runs), say=say)
    finally:
        say("")
    print(machines_text(results))
    if args.json is not None:
        write_json(args.json, machines_document(results))
        print(f"\n{args.json}")
    if args.html is not None:
        write_whole(args.html, machines_page(results))
        print(f"\n{args.html}")
    return 0
