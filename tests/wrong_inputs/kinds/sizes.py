"""Numbers that nobody means: answered at once, not after minutes or with no memory left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.wrong_inputs.wrong_input import WrongInput

COUNTS = {
    ("train",): ("steps", "epochs", "batch", "bn-group", "seed", "test-images", "crop"),
    ("train", "--method", "pfq"): ("interval", "evaluate-every", "checkpoint-every"),
    ("simulate",): ("batch", "seed"),
    ("calibrate",): ("batch", "seed"),
    ("cost",): ("batch", "size"),
    ("bench",): ("rounds",),
    ("bitstream",): ("jobs",),
    ("sweep", "any.yaml"): ("workers",),
}
AMOUNTS = {
    ("train",): ("lr", "weight-decay", "dead-band", "beta", "epsilon"),
    ("board", "power"): ("seconds", "rate"),
}
DEEPEST = "1202"

SWEEPS = {
    "repeats": "repeats: 100000",
    "repeats-of-astronomy": "repeats: 1" + "0" * 18,
    "grid": "grid: {"
    + ", ".join(f"{name}: {list(range(1, 60))}" for name in ("steps", "batch"))
    # 59 x 59 x 59 combinations: more than memory would hold as lists
    + f", seed: {list(range(1, 60))}"
    + "}",
    "grid-with-repeats": "{grid: {lr: [0.1, 0.2]}, repeats: 9000}",
    "points-with-seeds": f"{{points: [{{lr: 0.1}}, {{lr: 0.2}}], seeds: {list(range(5001))}}}",
}


def wrong_inputs() -> Iterator[WrongInput]:
    for command, names in COUNTS.items():
        for name in names:
            for number in ("1" + "0" * 19, "9" * 39, "9" * 5000):
                arguments = [*command, f"--{name}", number]
                label = f"{'-'.join(command[:1])}-{name}-{len(number)}-digits"
                yield WrongInput(label, arguments, rf"--{name}: got .*allowed: a whole number, \d+")
    for command, names in AMOUNTS.items():
        for name in names:
            for number in ("1e30", "1e999"):
                label = f"{'-'.join(command)}-{name}-{number}"
                says = rf"--{name}: got .*allowed: a number, "
                yield WrongInput(label, [*command, f"--{name}", number], says)
    for model in ("resnet8000000", "resnet1208", "resnet" + "8" * 4000, "resnet٢٠"):
        for command in (("train", "--model"), ("simulate", "--model"), ("cost", "--networks")):
            says = f"model: got .*resnet{DEEPEST}"
            yield WrongInput(f"{command[0]}-{model[:14]}", [*command, model], says)
    yield WrongInput(
        "simulate-batch",
        ["simulate", "--model", "resnet20", "--batch", "300"],
        "at most 237 images",
    )
    yield WrongInput(
        "check-batch",
        ["cost", "--check", "--networks", "resnet1202", "--batch", "128"],
        "at most 11 images of resnet1202 with --check",
    )
    yield WrongInput(
        "epochs of one image", ["train", "--epochs", "999999", "--batch", "1"], "at most 69541: an"
    )
    yield WrongInput("host", ["cost", "--host", "--batch", "8193"], "at most 8192 images of that")
    yield WrongInput(
        "samples", ["board", "power", "--seconds", "80000", "--rate", "1000"], "at most 1,000,000"
    )
    yield WrongInput("blocks", ["simulate", "--blocks", "0..99999999"], "--blocks: got ")
    yield WrongInput("targets", ["train", "--targets", "1," * 99_999 + "1"], "--targets: got ")
    yield WrongInput("precisions", ["cost", "--precisions", "+".join(["8,8,8"] * 9999)], "1..600")
    for name, text in SWEEPS.items():

        def prepare(folder: Path, text: str = text) -> None:
            (folder / "s.yaml").write_text(text)

        says = r"(repeats|runs) in s.yaml: got .*allowed: (a whole number, 1..10000|at most 10,000)"
        yield WrongInput(f"sweep-{name}", ["sweep", "s.yaml"], says, prepare=prepare)
