"""`fractrain simulate`: a training step on the RTL, every convolution compared with the model."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host.accelerator import open_accelerator
from host.backends.checked import CheckedAccelerator, CheckedCall
from host.cli.options import add_config
from host.cli.output import table, write_json
from host.datasets import load_dataset
from host.networks.classifier import softmax_cross_entropy
from host.networks.effective_macs import EffectiveMacs
from host.networks.execution import Execution, Training
from host.networks.resnet import build_network
from host.numerics.quantization import StochasticRounding
from host.random_streams import Stream, generator
from hw.contract.errors import ParameterError
from hw.contract.parameters import Parameters, load_parameters
from hw.contract.precision import Precision

EPILOG = """\
One batch goes forward and backward through the network. Each of its convolutions is computed
by the simulated machine and by the golden model, and the two must agree in every integer;
if not, the command says where and ends with code 6.

Cycles and utilization are measured in the RTL, with streams that never stall and convolutions
lowered to matrix products on the host. Utilization is array-busy cycles / cycles; efficiency
counts the useful bit-products only (tiles and slices that a layer does not fill are lost).

examples:
  fractrain simulate
  fractrain simulate --config zc706 --model resnet8 --batch 4 --precision 4,4,6"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``simulate`` and its options."""
    parser = subparsers.add_parser(
        "simulate",
        description="Run the convolutions of a training step on the generated RTL and check them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    add_config(parser, default="tiny")
    option("--model", default="resnet8", help="resnet8, resnet14, resnet20, … (default: resnet8)")
    option("--dataset", default="digits", help="where the images come from (default: digits)")
    option("--batch", type=int, default=2, metavar="N", help="images (default: 2)")
    option(
        "--precision",
        default="4,4,6",
        metavar="A,W,E",
        help="bits of activations, weights and errors in the blocks (default: 4,4,6)",
    )
    option("--seed", type=int, default=0, help="of images, weights and rounding (default: 0)")
    option("--json", type=Path, metavar="FILE", help="write the figures there, too")


@dataclass(frozen=True)
class Row:
    """Calls of one pass that look alike, added up."""

    call: CheckedCall
    count: int
    macs: int
    cycles: int
    busy_cycles: int
    bytes_moved: int

    def figures(self, parameters: Parameters) -> dict[str, float]:
        """Utilization, efficiency, and GOPS (two operations a MAC) at the configured clock."""
        bit_products = self.macs * self.call.bits[0] * self.call.bits[1]
        seconds = self.cycles / (parameters.clock_mhz * 1e6)
        return {
            "utilization": self.busy_cycles / self.cycles,
            "efficiency": bit_products / (self.cycles * parameters.bit_products_per_cycle),
            "gops": 2 * self.macs / seconds / 1e9,
        }


def run(args: argparse.Namespace) -> int:
    """Simulate, print the table."""
    parameters = load_parameters(args.config)
    precision = Precision.parse(args.precision)
    if 0 in (precision.activation, precision.weight, precision.error):
        raise ParameterError("precision", args.precision, "at least 1 bit of each operand")
    if args.batch < 1:
        raise ParameterError("batch", args.batch, "at least 1")
    started = time.monotonic()
    calls = _training_step(args, parameters, precision)
    seconds = time.monotonic() - started
    rows = _rows(calls)
    print(_format(rows, parameters))
    cycles = sum(row.cycles for row in rows)
    print(
        f"\n{len(calls)} convolutions on {args.config} equal the golden model bit for bit: "
        f"{cycles:,} cycles (measured in RTL), "
        f"{cycles / (parameters.clock_mhz * 1e3):.3f} ms at {parameters.clock_mhz} MHz; "
        f"simulated in {seconds:.1f} s"
    )
    if args.json:
        write_json(args.json, _document(args, rows, parameters))
    return 0


def _training_step(
    args: argparse.Namespace, parameters: Parameters, precision: Precision
) -> list[CheckedCall]:
    """Forward and backward once; returns the checked convolutions in their order."""
    dataset = load_dataset(args.dataset)
    network = build_network(
        args.model,
        channels=dataset.channels,
        classes=dataset.classes,
        rng=generator(args.seed, Stream.WEIGHTS),
    )
    images, labels = next(iter(dataset.epoch(args.batch, seed=args.seed, epoch=0)))
    calls: list[CheckedCall] = []

    def observe(call: CheckedCall) -> None:
        calls.append(call)
        if sys.stderr.isatty():
            text = f"{len(calls)}: {call.pass_.label} {call.geometry}, equal"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    machine = open_accelerator("cosim", parameters)
    reference = open_accelerator("golden", parameters)
    with CheckedAccelerator(machine, reference, observe) as accelerator:
        training = Training(StochasticRounding(args.seed, 0), EffectiveMacs())
        execution = Execution(accelerator, precision, training)
        logits = network.forward(images, execution)
        _, error = softmax_cross_entropy(execution.xp, logits, labels)
        network.backward(error, execution)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return calls


def _rows(calls: list[CheckedCall]) -> list[Row]:
    groups: dict[tuple[str, str, tuple[int, int]], list[CheckedCall]] = {}
    for call in calls:
        groups.setdefault((call.pass_.label, call.geometry, call.bits), []).append(call)
    return [
        Row(
            group[0],
            len(group),
            sum(call.macs for call in group),
            sum(call.cost.cycles for call in group),
            sum(call.cost.busy_cycles for call in group),
            sum(call.cost.bytes_in + call.cost.bytes_out for call in group),
        )
        for group in groups.values()
    ]


def _format(rows: list[Row], parameters: Parameters) -> str:
    lines = []
    for row in rows:
        figures = row.figures(parameters)
        lines.append(
            [
                row.call.pass_.label,
                row.call.geometry,
                f"{row.call.bits[0]}x{row.call.bits[1]}",
                str(row.count),
                f"{row.cycles:,}",
                f"{100 * figures['utilization']:.1f} %",
                f"{100 * figures['efficiency']:.1f} %",
                f"{figures['gops']:.2f}",
                f"{row.bytes_moved / 1024:,.0f}",
            ]
        )
    heads = ["pass", "geometry", "bits", "calls", "cycles", "utilization", "efficiency"]
    return table([*heads, "GOPS", "KiB moved"], lines)


def _document(args: argparse.Namespace, rows: list[Row], parameters: Parameters) -> dict[str, Any]:
    return {
        "config": args.config,
        "model": args.model,
        "batch": args.batch,
        "precision": args.precision,
        "seed": args.seed,
        "source": "measured in RTL co-simulation, streams never stall",
        "rows": [
            {
                "pass": row.call.pass_.label,
                "geometry": " ".join(row.call.geometry.split()),
                "bits": list(row.call.bits),
                "calls": row.count,
                "macs": row.macs,
                "cycles": row.cycles,
                "busy_cycles": row.busy_cycles,
                "bytes_moved": row.bytes_moved,
                **row.figures(parameters),
            }
            for row in rows
        ],
    }
