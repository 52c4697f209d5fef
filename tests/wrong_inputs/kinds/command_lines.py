"""Command lines that argparse refuses: one line, the likely option, and where help is."""

from __future__ import annotations

from collections.abc import Iterator

from fractrain.host.cli.main import COMMANDS
from tests.wrong_inputs.wrong_input import WrongInput

MISSPELLED = {
    "train": ("stpes", "datset", "learning-rate", "bngroup", "outt", "weight_decay", "epsilom"),
    "sweep": ("worker", "dryrun"),
    "generate": ("flavor", "configuration"),
    "simulate": ("block", "precison"),
    "cost": ("network", "precision"),
    "machine": ("layers", "pe", "clock"),
    "trace": ("outs",),
    "rebuttal": ("trace", "result"),
    "synth": ("parts", "chek"),
    "bench": ("round",),
    "bitstream": ("generate_only", "job"),
    "report": ("figure",),
    "compare": ("htm",),
    "calibrate": ("uniforms",),
    "board power": ("second", "phase"),
    "board bringup": ("injects",),
}
NEEDS = {
    **{"sweep": ["x.yaml"], "report": ["x"], "compare": ["x", "y"], "machine": ["eyeriss"]},
    "trace": ["x"],
}

WITHOUT_VALUE = (
    *("train --batch", "train --lr", "train --name", "train --steps --epochs 3"),
    *("cost --networks", "cost --batch", "simulate --blocks", "generate --out", "synth --json"),
    *("board power --seconds", "bitstream --tolerate", "report x --figures"),
    *("machine eyeriss --layer", "machine eyeriss --pes", "trace x --out", "rebuttal --traces"),
)


def wrong_inputs() -> Iterator[WrongInput]:
    for command in COMMANDS:
        wrong = f"{command[:-2]}{command[-1]}x"
        says = rf"COMMAND: got '{wrong}', allowed: train, .*did you mean {command}\?"
        yield WrongInput(f"command {wrong}", [wrong], says)
        if command == "board":  # which looks for a subcommand first
            continue
        yield WrongInput(
            f"{command} --no-such-thing",
            [command, *NEEDS.get(command, []), "--no-such-thing", "3"],
            rf"unknown option: --no-such-thing.*\(fractrain {command} --help\)",
        )
    for command, names in MISSPELLED.items():
        for name in names:
            arguments = [*command.split(), *NEEDS.get(command, []), f"--{name}", "1"]
            says = rf"unknown option: --{name}; did you mean --[a-z-]+\? \(fractrain {command} --h"
            if name == "learning-rate":
                says = r"unknown option: --learning-rate"
            yield WrongInput(f"{command} --{name}", arguments, says)
    for line in WITHOUT_VALUE:
        says = r"argument --[a-z-]+: expected (one|at least one) argument \(fractrain .*--help\)"
        yield WrongInput(f"{line} without a value", line.split(), says)
    for command in ("sweep", "report", "compare", "machine", "trace"):
        says = rf"the following arguments are required: .*\(fractrain {command} --help\)"
        yield WrongInput(f"{command} without arguments", [command], says)
    for abbreviated in ("--back", "--epo", "--weight-d", "--sched"):
        yield WrongInput(abbreviated, ["train", abbreviated, "1"], f"unknown option: {abbreviated}")
    for label, arguments, says in (
        ("argument", ["train", "cifar10"], "unexpected argument: 'cifar10'"),
        ("arguments", ["generate", "a", "b"], "unexpected argument: 'a'"),
        ("flag with a value", ["train", "--overwrite=yes"], "--overwrite: ignored explicit arg"),
        ("option before", ["--seed", "3", "train"], "COMMAND: got '3'|unknown option: --seed"),
        ("single dash", ["train", "-batch", "3"], "unknown option: -batch; did you mean --batch"),
        ("long option", ["train", "--" + "x" * 5000], "unknown option: --xxx"),
        ("control characters", ["train", "--a\x1b[2Jb"], r"unknown option: --a\\x1b"),
        ("long command", ["y" * 5000], "COMMAND: got 'yyy"),
        ("empty command", [""], "COMMAND: got ''"),
        ("subcommand", ["board", "powr"], "SUBCOMMAND: got 'powr', .*did you mean power"),
    ):
        yield WrongInput(label, arguments, says)
