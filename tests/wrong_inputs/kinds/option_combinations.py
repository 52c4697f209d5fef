"""Options that are right one by one, and contradict each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from fractrain.host.methods.registry import METHODS, methods_that_read
from tests.wrong_inputs.wrong_input import WrongInput

VALUES = {
    "precision": "4,4,6",
    "schedule_forward": "3,4",
    "schedule_backward": "6,8",
    "epsilon": "0.1",
    "alpha": "0.5",
    "interval": "10",
    "candidates": "3/6,4/8",
    "weight_bits": "4",
    "forward_bits": "3,8",
    "backward_bits": "8",
    "cycles": "4",
    "target": "3",
    "targets": "1.5,3",
    "beta": "0.01",
    "dead_band": "0.1",
    "decide": "early",
}
FALLING = (
    ("fractrain", "targets", "3,2"),
    ("fractrain", "targets", "1,2,3,2.9"),
    ("pfq", "schedule-forward", "8,6,4,3"),
    ("pfq", "schedule-backward", "6,8,8,6"),
)
OTHERS = (
    ("steps and epochs", "train --steps 3 --epochs 1", "--epochs: not allowed with .*--steps"),
    ("power off the board", "train --power 5", "--power: got 5.0, allowed: with --backend board"),
    ("power simulated", "train --backend board --device simulated --power", "a simulated board"),
    ("overwrite what", "train --overwrite", "--overwrite: .*together with --name"),
    ("programs of no machine", "train --log-programs", "cosim or board"),
    ("cuda on golden", "train --device cuda", "--device: got 'cuda', allowed: none with"),
    ("cuda on a board", "train --backend board --device cuda", "local or simulated with"),
    ("board on torch", "train --backend torch --device local", "cpu or cuda with --backend torch"),
    ("levels in reference", "train --mode reference --weight-levels odd", "hardware or float only"),
    ("range of old", "train --published-range", "unknown option: --published-range"),
    ("late in reference", "train --mode reference --decide late", "--decide: got 'late'"),
    ("reference on rtl", "train --mode reference --backend cosim", "float with --backend cosim"),
    ("lengths", "train --method pfq --schedule-forward 3,4", "two of the same length"),
    ("half a skip", "train --method pfq --schedule-forward 0,4 --schedule-backward 6,8", "0/0 to"),
    ("twice the same", "train --candidates 3/6,3/6", "--candidates: .*all different"),
    ("the same as a pair", "train --candidates 3/4/6,3/6", "--candidates: .*all different"),
    (
        "part of a skip",
        "train --candidates 4/0/6,8/8/8",
        "--candidates: got '4/0/6'.*0/0/0 to skip",
    ),
    ("half of one", "train --candidates 4/0,8/8", "--candidates: got '4/0', allowed: .* 0/0 to"),
    (
        "weights of none",
        "train --candidates 4/4/6,8/8/8 --weight-bits 6",
        "--weight-bits: got 6, allowed: with candidates F/B only",
    ),
    ("skip of none", "train --method pfq --skip", "--skip: got True, .*with --method dfq or frac"),
    (
        "no skip of none",
        "train --method static --no-skip",
        "--skip: got False, allowed: with --met",
    ),
    (
        "bits fall",
        "train --method cpt --forward-bits 8,3",
        "--forward-bits: got '8,3', .*lower one",
    ),
    (
        "cycles of no step",
        "train --method cpt --steps 9 --cycles 10",
        "cycles: got 10, .*at most 9",
    ),
    ("static of 0 bits", "train --method static --precision 0,8,8", "at least 1 bit of each"),
    ("resume and name", "train --resume x --name y", "--resume: got 'x'"),
    ("check and host", "cost --check --host", "--check: .*without --host only"),
    (
        "mix and precisions",
        "cost --whole-step --mix 60:4,4,6+40:6,4,8 --precisions 8,8,8",
        "--precisions: .*without --mix",
    ),
    (
        "rate and memory",
        "cost --whole-step --rate 3.4 --memory ddr",
        "--memory: .*without --rate",
    ),
    ("gates alone", "cost --gates", "--gates: .*with --host only"),
    ("json alone", "cost --json x.json", "--json: .*with --host only"),
    ("run and batch", "calibrate --run x --batch 3", "--batch: got '3', allowed: without --run"),
    ("run and config", "calibrate --run x --config tiny", "--config: .*without --run only"),
    ("run and uniform", "calibrate --run x --uniform", "--uniform: .*without --run only"),
    ("runs alone", "calibrate --runs x", "--runs: got 'x', allowed: with --run only"),
    ("memory alone", "calibrate --memory ddr", "--memory: got 'ddr', allowed: with --run only"),
    ("skipped alone", "simulate --precision 4,0,6", "--precision: got '4,0,6', allowed: at least"),
    ("blocks backwards", "simulate --blocks 2..1", "--blocks: got '2..1'"),
    ("blocks of others", "simulate --blocks 1..3", "--blocks: got 3, allowed: 0..2, resnet8"),
    (
        "jobs of yosys",
        "bitstream --flow openxc7 --jobs 3",
        "--jobs: got 3, allowed: with --flow viv",
    ),
    ("critical of yosys", "bitstream --flow openxc7 --tolerate x", "--tolerate: .*--flow vivado"),
    ("bench twice", "bench --only pack,pack", "each benchmark once"),
    ("workers of a cluster", "sweep x.yaml --workers 2 --scheduler tcp://a:1", "not allowed with"),
    ("break a real board", "board bringup --inject busy", "--inject: .*--device simulated only"),
    ("phases twice", "board power --phases idle,idle", "--phases: got 'idle,idle'"),
    ("one run compared", "compare x", "two runs or more"),
)


def wrong_inputs() -> Iterator[WrongInput]:
    for (name, value), method in itertools.product(VALUES.items(), METHODS.names):
        if method in methods_that_read(name):
            continue
        option = f"--{name.replace('_', '-')}"
        says = rf"{option}: got .*allowed: with --method [a-z ]+ only"
        yield WrongInput(f"{method}-{name}", ["train", "--method", method, option, value], says)
    for batch, group in itertools.product((4, 6, 10), (3, 4, 7, 11, 64)):
        if batch % group:
            arguments = ["train", "--batch", str(batch), "--bn-group", str(group)]
            says = f"--bn-group: got {group}, allowed: a divisor of --batch, which is {batch}"
            yield WrongInput(f"group-{group}-of-{batch}", arguments, says)
    for method, name, value in FALLING:
        arguments = ["train", "--method", method, f"--{name}", value]
        says = rf"--{name}: got '[\d.,]+', allowed: values that never fall"
        yield WrongInput(f"falling-{name}-{value}", arguments, says)
    for label, line, says in OTHERS:
        yield WrongInput(label, line.split(), says)
    for method in METHODS.names:

        def prepare(folder: Path, method: str = method) -> None:
            (folder / "r.yaml").write_text(f"method: {method}\n")

        other = "static" if method != "static" else "dfq"
        yield WrongInput(
            f"recipe-{method}",
            ["train", "--recipe", "r.yaml", "--method", other],
            f"method in r.yaml: got '{method}', allowed: {other}.*or add --method {method}",
            prepare=prepare,
        )
