"""Values that an option does not take: every numeric option with every way to write no number."""

from __future__ import annotations

from collections.abc import Iterator

from tests.wrong_inputs.wrong_input import WrongInput

WHOLE = {
    "train": (
        "steps",
        "batch",
        "seed",
        "crop",
        "bn-group",
        "interval",
        "weight-bits",
        "cycles",
        "backward-bits",
    ),
    "cost": ("size", "batch"),
    "simulate": ("batch", "seed"),
    "bench": ("rounds",),
    "bitstream": ("jobs",),
}
REAL = {
    "train": ("lr", "momentum", "weight-decay", "epsilon", "alpha", "target", "beta", "dead-band"),
    "board power": ("seconds", "rate"),
}
NO_NUMBERS = (
    "",
    "many",
    "0x10",
    "010",
    "1_0",
    "٣",
    " 3",
    "3 ",
    "1,5",
    "−1",
    "nan",
    "inf",
    "1e",
    "½",
)
NO_WHOLE_NUMBERS = ("1.5", "3.0", "1e2", "0o7", "-1")
NO_REAL_NUMBERS = ("-inf", "infinity", "1e999", "--1", "1:30", "-0.5")

LISTS = {
    "precision": ("", "8", "8,8", "8,8,8,8", "8,8,x", "8;8;8", "8,8,17", "-1,8,8", "8,8,8.0"),
    "schedule-forward": ("", ",", "3,,4", "3 4", "[3,4]", "3,x", "17"),
    "candidates": (
        *("3/6", "3,6", "4/4/6", "4/4/6,8", "3/6/8/8,4/8", "3/6,4/99", "4/4/6,8/17/8", "3/6,4-8"),
        *("/,/", "4/4/6,8//8", "4/4/6;8/8/8", "4/4/6,skip"),
    ),
    "forward-bits": ("", "3", "3,8,8", "3-8", "3/8", "0,8", "3,17", "3,x", "3.0,8"),
    "targets": ("", "0", "1,nan", "1,inf", "1,-2", "1,1000", "1;2"),
}
NAMES = {
    **{name: name for name in ("a/b", "/etc", "..", ".", "latest", "-x", "--steps", " x", "x ")},
    **{"empty": "", "line end": "a\nb", "escape": "a\x1b[31mb", "tab": "a\tb", "hidden": ".git"},
    **{"long": "n" * 300, "long in bytes": "é" * 120 + "é", "right to left": "a\u202eb"},
    **{"no unicode": "a\udcffb", "no-break space": "a\xa0b"},
}
CHOICES = (
    ("train", "backend", "goldn", "golden"),
    ("train", "method", "static8", "static"),
    ("train", "lr-schedule", "cosinus", "cosine"),
    ("train", "mode", "Hardware", "hardware"),
    ("train", "decide", "lat", "late"),
    ("generate", "flavour", "simulatoin", "simulation"),
    ("synth", "part", "arry", "array"),
    ("bitstream", "flow", "vivad", "vivado"),
    ("simulate", "memory", "drr", "ddr"),
    ("simulate", "results", "ports", "port"),
    ("board status", "device", "locl", "local"),
)


def wrong_inputs() -> Iterator[WrongInput]:
    for kind, options, more in (
        ("a whole number", WHOLE, NO_WHOLE_NUMBERS),
        ("a number", REAL, NO_REAL_NUMBERS),
    ):
        for command, names in options.items():
            for name in names:
                for text in (*NO_NUMBERS, *more):
                    label = f"{command}-{name}-{text!r}"
                    says = rf"--{name}: got .*allowed: {kind}, "
                    yield WrongInput(label, [*command.split(), f"--{name}={text}"], says)
    for name, texts in LISTS.items():
        for text in texts:
            yield WrongInput(
                f"{name}-{text!r}", ["train", f"--{name}={text}"], rf"--{name}: got .*for example "
            )
    for label, name in NAMES.items():
        says = "--name: got .*allowed: the name of one folder"
        yield WrongInput(f"name {label}", ["train", f"--name={name}"], says)
    for command, name, given, meant in CHOICES:
        says = rf"--{name}: got '{given}', allowed: .*; did you mean {meant}\?"
        yield WrongInput(f"{command}-{name}", [*command.split(), f"--{name}", given], says)
    for config, code, says in (
        ("tyny", 3, "cannot read tyny: No such file.*did you mean tiny"),
        ("", 3, "cannot read"),
        ("n" * 5000, 3, "cannot read n.*File name too long"),
        ("/dev/zero", 3, "more than 256 KB"),
        ("/dev/null", 3, "holds nothing"),
        ("/", 3, "Is a directory"),
        ("a\nb", 3, r"cannot read a\\nb"),
    ):
        yield WrongInput(f"config {config[:9]!r}", ["cost", "--config", config], says, code=code)
