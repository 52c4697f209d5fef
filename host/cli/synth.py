"""`fractrain synth`: area, logic depth and fan-out of a machine, against its budget."""

from __future__ import annotations

import argparse

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import FLAG, config_option, file_option
from fractrain.host.files.outputs import check_files, write_json
from fractrain.host.plugins.option import Option
from fractrain.hw.contract.errors import MismatchError, ParameterError
from fractrain.hw.contract.installation import needs_extra
from fractrain.hw.contract.parameters import DEFAULT_PRESET, Parameters, load_parameters
from fractrain.hw.contract.values import OneWord
from fractrain.sim.progress import activity

PARTS = ("array", "engine", "vector", "top")
ALL = ("array", "vector", "top")
"""The top contains the engine, which alone takes as long again: only on request."""

EPILOG = """\
Parts: array, the MAC array alone; engine, the machine with its ports to memory and registers;
vector, its vector unit, if it has one; top, the board's design, which is the engine behind AXI3 on
a bare PS7 (so that "all" leaves the engine alone out). A vector unit is synthesized by itself, also
that of engine and top: nothing is optimized across its ports, and paths over them may have more
levels than in one piece. Sources with a latch, a net without a driver or with two, or a module that
is missing are refused.

Every figure is of Yosys's synth_xilinx and modelled: nothing was placed or routed. A LUT6_2
counts as one LUT. Results are kept in build/synth; only what changed is synthesized again, which
takes minutes for a large machine."""

OPTIONS = (
    config_option(DEFAULT_PRESET),
    Option("part", "what to map", OneWord((*PARTS, "all")), "all", shown="all but engine"),
    file_option("json", "write the figures there, too"),
    Option(
        "check", "end with code 6 if a figure is beyond its budget in configs/budgets", form=FLAG
    ),
    file_option("budget", "compare with this budget instead"),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``synth`` and its options."""
    description = "Map a machine to the FPGA's cells; report area, logic depth and fan-out."
    add_command(subparsers, "synth", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Synthesize, print the table, compare."""
    parameters = load_parameters(args.config)
    with needs_extra("hardware"):
        from fractrain.gen.synthesis.budget import excesses, read_budget
        from fractrain.gen.synthesis.figures import synthesize_part
        from fractrain.gen.synthesis.kept_figures import CACHE, keep_figures
        from fractrain.gen.synthesis.report import document, table
    check_files(args.json)
    parts = _parts(args.part, args.config, parameters)
    budget = read_budget(args.config, args.budget) if args.check or args.budget else None
    results = {}
    for part in parts:
        with activity(f"synthesizing {part}") as tell:
            results[part] = synthesize_part(part, parameters, CACHE, tell)
        keep_figures(parameters, part, results[part])
    print(table(results, parameters.target.part, budget))
    if args.json:
        write_json(args.json, document(results, args.config, parameters.target.part))
    if budget is not None:
        if found := excesses(results, budget):
            raise MismatchError("beyond the budget: " + "; ".join(found))
        print("\nwithin the budget")
    return 0


def _parts(asked: str, config: str, parameters: Parameters) -> tuple[str, ...]:
    """Those to synthesize; `ParameterError` for one that the machine lacks."""
    there = tuple(each for each in PARTS if each != "vector" or parameters.vector is not None)
    if asked == "all":
        return tuple(each for each in ALL if each in there)
    if asked not in there:
        raise ParameterError(
            "--part", asked, f"{', '.join(there)}, all", where=f"{config} has no vector unit"
        )
    return (asked,)
