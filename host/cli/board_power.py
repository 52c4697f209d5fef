"""`fractrain board power`: power with the accelerator idle, clocked and running."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal

from fractrain.host.board.power.protocol import PHASES
from fractrain.host.board.power.record import measurement_lines, what_is_known
from fractrain.host.board.power.sampler import RATE, PowerSampler
from fractrain.host.bringup.power_phases import AS_IT_IS, measured_phases, parse_phases
from fractrain.host.bringup.power_tables import channels_text, phase_text
from fractrain.host.cli.board import SUBCOMMANDS
from fractrain.host.cli.board_options import DEVICE_OPTIONS, open_system
from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import file_option
from fractrain.host.files.atomic import write_whole
from fractrain.host.files.outputs import check_files
from fractrain.host.plugins.option import Option
from fractrain.host.process.stopping import StopSignals
from fractrain.hw.contract.errors import MissingToolError, ParameterError
from fractrain.hw.contract.values import Real

RATE_HZ = 20.0
SECONDS = 20.0
LONGEST_PHASE = 86400.0
"""A day."""

MOST_SAMPLES = 1_000_000
"""Samples stay in memory, about 300 bytes each; the board has 1 GB."""

MODELLED = (
    "the sensor is simulated: its watts are modelled (docs/step_model.md), nothing was measured"
)
DESCRIPTION = """\
Read every sensor of hwmon at a steady rate, in three phases of the accelerator: its clock
stopped, clocked with nothing to do, and running one convolution after the other. Shown are
all channels, and power where a sensor reports it or a device labels a voltage and a
current alike. No rail is assumed to be the FPGA's. What differs between the phases
is what the accelerator takes, and the processor that starts it."""

EPILOG = """\
examples:
  sudo fractrain board power                          20 s a phase, 20 samples a second
  sudo fractrain board power --seconds 60 --out power.jsonl
  fractrain board power --phases now                  the sensors only; nothing is touched
  fractrain board power --device simulated --seconds 1   anywhere, with a modelled sensor

The clock is stopped and started through /dev/mem: for all phases but `now`, be root."""

OPTIONS = (
    Option(
        "seconds",
        "how long each phase takes",
        Real(0, LONGEST_PHASE, above=True),
        SECONDS,
        metavar="S",
    ),
    Option("rate", "samples a second; what was reached is shown", RATE, RATE_HZ, metavar="HZ"),
    Option(
        "phases",
        f"some of {', '.join(PHASES)}, in this order; or {AS_IT_IS}: as the board is",
        default=",".join(PHASES),
        metavar="PHASE,…",
    ),
    file_option("out", "write all samples there, one JSON object a line"),
    *DEVICE_OPTIONS,
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``power`` and its options."""
    add_command(subparsers, "power", DESCRIPTION, EPILOG, OPTIONS, help=SUBCOMMANDS["power"])


def run(args: argparse.Namespace) -> int:
    """Measure, print, write."""
    phases = parse_phases(args.phases)
    if (count := args.seconds * args.rate) > MOST_SAMPLES:
        most = f"at most {MOST_SAMPLES:,} samples a phase"
        allowed = f"{most}; with --rate {args.rate:g} it has {count:,.0f}"
        raise ParameterError("--seconds", args.seconds, allowed)
    check_files(args.out)
    # the terminal may hang up while the clock is stopped
    with StopSignals(signal.SIGHUP), open_system(args) as system:
        sampler = PowerSampler(system, args.rate)
        if not sampler.channels:
            raise MissingToolError(f"{what_is_known((), ())} See docs/board.md")
        results = []
        measured = measured_phases(system, phases, sampler, args.seconds)
        with contextlib.closing(measured):
            for result, workload in measured:
                results.append(result)
                print(f"{phase_text(result, workload)}\n", flush=True)
    known = MODELLED if system.simulated else what_is_known(sampler.channels, sampler.rails)
    print(f"{channels_text(results)}\n\n{known}")
    if args.out is not None:
        lines = measurement_lines(sampler, results)
        write_whole(args.out, "".join(f"{json.dumps(each)}\n" for each in lines))
        print(f"\n{args.out}")
    return 0
