"""`fractrain board power`: what the sensors say with the accelerator idle, clocked and running."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fractrain.host.board.power.protocol import PHASES, PhaseResult, measure
from fractrain.host.board.power.record import failure_line, part_line, sample_line, what_is_known
from fractrain.host.board.power.sampler import PowerSampler
from fractrain.host.cli.board import SUBCOMMANDS
from fractrain.host.cli.board_options import add_device, open_system
from fractrain.host.cli.options import RATE
from fractrain.host.cli.output import check_files, table, write_text
from fractrain.host.training.stopping import StopSignals
from fractrain.hw.contract.errors import MissingToolError, ParameterError
from fractrain.hw.contract.values import Real

if TYPE_CHECKING:
    from fractrain.host.board.device import BoardDevice
    from fractrain.host.board.system import System
    from fractrain.host.bringup.workload import Workload

AS_IT_IS = "now"
RATE_HZ = 20.0
SECONDS = 20.0
LONGEST_PHASE = 86400.0
"""A day."""

MOST_SAMPLES = 1_000_000
"""They are kept in memory, in the board's 1 GB some 300 bytes each."""

MODELLED = (
    "the sensor is simulated: its watts are modelled (docs/step_model.md), nothing was measured"
)
RUN_SECONDS = 2e-3
SIMULATED_RUN_SECONDS = 5e-5

DESCRIPTION = """\
Read every sensor of hwmon at a steady rate, in three phases of the accelerator: its clock
stopped, clocked with nothing to do, and running one convolution after the other. Shown are
all channels, and power where a sensor reports it or a device labels a voltage and a
current alike. No rail is assumed to be that of the FPGA. What differs between the phases
is what the accelerator takes, and the processor that starts it."""

EPILOG = """\
examples:
  sudo fractrain board power                          20 s a phase, 20 samples a second
  sudo fractrain board power --seconds 60 --out power.jsonl
  fractrain board power --phases now                  the sensors only; nothing is touched
  fractrain board power --device simulated --seconds 1   anywhere, with a modelled sensor

The clock is stopped and started through /dev/mem: for all phases but `now`, be root."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``power`` and its options."""
    parser = subparsers.add_parser(
        "power",
        help=SUBCOMMANDS["power"],
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seconds",
        type=Real(0, LONGEST_PHASE, above=True),
        default=SECONDS,
        metavar="S",
        help="how long each phase takes (default: %(default)g)",
    )
    parser.add_argument(
        "--rate",
        type=RATE,
        default=RATE_HZ,
        metavar="HZ",
        help="samples a second (default: %(default)g); what was reached is shown",
    )
    parser.add_argument(
        "--phases",
        default=",".join(PHASES),
        metavar="PHASE,…",
        help=f"some of {', '.join(PHASES)}, in this order; or {AS_IT_IS}: as the board is "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write all samples there, one JSON object a line"
    )
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, show, keep."""
    phases = _phases(args.phases)
    if (count := args.seconds * args.rate) > MOST_SAMPLES:
        most = f"at most {MOST_SAMPLES:,} samples a phase"
        allowed = f"{most}; with --rate {args.rate:g} it has {count:,.0f}"
        raise ParameterError("--seconds", args.seconds, allowed)
    check_files(args.out)
    # the terminal may go, too, while the clock is stopped
    with StopSignals(signal.SIGHUP), open_system(args) as system:
        sampler = PowerSampler(system, args.rate)
        if not sampler.channels:
            raise MissingToolError(f"{what_is_known((), ())} See docs/board.md")
        results = []
        measured = _measured(system, phases, sampler, args.seconds)
        with contextlib.closing(measured):
            for result, workload in measured:
                results.append(result)
                print(f"{_headline(result, workload)}\n\n{_rails(result)}\n", flush=True)
    known = MODELLED if system.simulated else what_is_known(sampler.channels, sampler.rails)
    print(f"{_channels(results)}\n\n{known}")
    if args.out is not None:
        write_text(args.out, "".join(f"{json.dumps(each)}\n" for each in _lines(sampler, results)))
        print(f"\n{args.out}")
    return 0


def _phases(text: str) -> list[str]:
    names = text.split(",")
    if names != [AS_IT_IS] and (not set(names) <= set(PHASES) or len(set(names)) != len(names)):
        allowed = f"{AS_IT_IS}, or some of {', '.join(PHASES)} with commas"
        raise ParameterError("--phases", text, allowed)
    return [name for name in (AS_IT_IS, *PHASES) if name in names]


# -- measuring -----------------------------------------------------------------------------------


def _measured(
    system: System, phases: Sequence[str], sampler: PowerSampler, seconds: float
) -> Generator[tuple[PhaseResult, Workload | None], None, None]:
    """Each phase's result as soon as it is there; what ran, in the phase in which something did.

    No register is accessed while the clock is stopped: the access would never end.
    """
    if phases == [AS_IT_IS]:
        yield measure(sampler, AS_IT_IS, seconds), None
        return
    from fractrain.host.board.device import BoardDevice

    with BoardDevice(system) as device:
        device.reserve()
        device.configure()
        device.set_clock()
        device.identify()  # which also ends what an earlier process has left running
        if "idle" in phases:
            try:
                device.stop_clock()
                idle = measure(sampler, "idle", seconds)
            finally:
                device.set_clock()  # who comes next must find it running
            yield idle, None
        if "clocked" in phases:
            yield measure(sampler, "clocked", seconds), None
        if "running" in phases:
            yield _running(device, sampler, seconds)


def _running(
    device: BoardDevice, sampler: PowerSampler, seconds: float
) -> tuple[PhaseResult, Workload]:
    from fractrain.host.bringup.workload import Workload

    device.map_buffer()
    run_seconds = SIMULATED_RUN_SECONDS if device.system.simulated else RUN_SECONDS
    workload = Workload.prepare(device, round(run_seconds * device.clock_hz))
    return measure(sampler, "running", seconds, workload), workload


# -- showing -------------------------------------------------------------------------------------


def _headline(result: PhaseResult, workload: Workload | None) -> str:
    what = PHASES.get(result.name, "as the board is")
    rate = result.sample_rate_hz
    reached = "" if rate is None else f", {rate:.4g} a second"
    text = f"{result.name}: {what}; {result.seconds:.1f} s, {len(result.samples)} samples{reached}"
    if workload is None:
        return text
    device, cycles = workload.device, workload.cycles_per_run
    text += f"\n  {workload.runs} programs of {cycles:,} cycles"
    if device.system.simulated:
        return f"{text}, simulated: no figure here is of the accelerator"
    busy = cycles * workload.runs / device.clock_hz / result.seconds
    return f"{text}, {100 * busy:.1f} % of the time"


def _rails(result: PhaseResult) -> str:
    if not result.rails:
        return "  power of no rail is known"
    rows = [
        [
            each.rail.name,
            each.rail.how,
            *_figures((each.power.mean, each.power.deviation) if each.power else (None, None)),
            str(each.power.count if each.power else 0),
            *_figures((each.joules, each.joules_per_repetition)),
        ]
        for each in result.rails
    ]
    heads = ["rail", "from", "mean W", "deviation", "samples", "J", "J per program"]
    return table(heads, rows)


def _channels(results: Sequence[PhaseResult]) -> str:
    rows = []
    for channel in results[0].channels:
        row = [channel.identity, channel.device, channel.label or "-", channel.unit]
        for result in results:
            found = result.values(channel)
            row.append("-" if found is None else f"{found.mean:.5g} ± {found.deviation:.2g}")
        rows.append(row)
    return table(["sensor", "device", "label", "unit", *(each.name for each in results)], rows)


def _figures(values: Sequence[float | None]) -> list[str]:
    return ["-" if each is None else f"{each:.4g}" for each in values]


# -- keeping -------------------------------------------------------------------------------------


def _lines(sampler: PowerSampler, results: Sequence[PhaseResult]) -> Iterator[dict[str, Any]]:
    yield part_line(sampler.channels, sampler.rails, sampler.rate_hz)
    for failure in sampler.take_failures():
        yield failure_line(failure)
    for result in results:
        yield from map(sample_line, result.samples)
        yield {
            "kind": "phase",
            "name": result.name,
            "begin": round(result.begin, 6),
            "end": round(result.end, 6),
            "samples": len(result.samples),
            "sample_rate_hz": result.sample_rate_hz,
            "repetitions": result.repetitions,
            "rails": {
                each.rail.name: {
                    "watts": each.power and each.power.mean,
                    "deviation": each.power and each.power.deviation,
                    "joules": each.joules,
                    "joules_per_repetition": each.joules_per_repetition,
                }
                for each in result.rails
            },
        }
