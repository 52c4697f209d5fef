"""Options of `fractrain train` that contradict each other, before anything is read or compiled."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from fractrain.host.accelerator import Accelerator, find_backend
from fractrain.host.networks.registry import check_model
from fractrain.hw.contract.errors import ParameterError

MACHINES = ("cosim", "board")
DEVICES_OF = {"torch": ("cpu", "cuda"), "board": ("zc706", "simulated")}


def option(name: str) -> str:
    """As it is written on the command line."""
    return f"--{name.replace('_', '-')}"


def check_options(args: argparse.Namespace) -> None:
    """Raise `ParameterError` for the first option that does not go with another one."""
    check_model(args.model)
    for name, allowed in _contradictions(args):
        raise ParameterError(option(name), getattr(args, name), allowed)


def _contradictions(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Option and what would be right."""
    if args.power is not None and args.backend != "board":
        yield "power", "with --backend board only: no other has sensors"
    if args.power is not None and args.device == "simulated":
        yield "power", "with --device zc706 only: a simulated board has no watts to be measured"
    if args.overwrite and args.name is None:
        yield "overwrite", "together with --name only"
    if args.bn_group is not None and args.batch % args.bn_group:
        yield "bn_group", f"a divisor of --batch, which is {args.batch}"
    yield from _of_the_mode(args)
    yield from _of_the_backend(args)


def _of_the_mode(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    if args.mode == "reference":
        if args.weight_levels is not None:
            yield "weight_levels", "with --mode hardware only"
        if args.decide == "late":
            yield "decide", "early, or nothing, with --mode reference"
    elif args.published_range:
        yield "published_range", "with --mode reference only"


def _of_the_backend(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Found without opening it: that may take minutes, or another machine."""
    backend = find_backend(args.backend)
    devices = DEVICES_OF.get(args.backend, ())
    if args.device is not None and args.device not in devices:
        yield "device", f"{' or '.join(devices) or 'none'} with --backend {args.backend}"
    if args.mode == "reference" and backend.real_convolutions is Accelerator.real_convolutions:
        yield "mode", f"hardware with --backend {args.backend}: machines multiply integers"
    if args.log_programs and args.backend not in MACHINES:
        yield "log_programs", f"with a backend that runs a machine: {' or '.join(MACHINES)}"
