"""Boards that are broken, incomplete or not there, and options that no board can follow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from fractrain.sim.board.injections import INJECTIONS, MENDED
from tests.wrong_inputs.wrong_input import WrongInput

SLOW = ("stuck-memory", "no-interrupt", "fclk-stopped")
"""What they break is waited for, in simulated time; tests/host/board has them."""

LAST = "bringup.json"


def wrong_inputs() -> Iterator[WrongInput]:
    """Faults of the simulated board, one and two at a time; a PC that is no board; options."""
    yield from _faults()
    yield from _no_board()
    yield from _options()


def _faults() -> Iterator[WrongInput]:
    bringup = ("board", "bringup", "--device", "simulated", "--json", LAST)
    for name in INJECTIONS:
        if name not in (*MENDED, *SLOW):
            yield _fault(name, [*bringup, "--inject", name])
    # the first that is in the way is told, whatever else is wrong
    for first, second in product(("no-uio", "wrong-id", "half-written-caches"), ("stuck-bit",)):
        yield _fault(f"{first} and {second}", [*bringup, "--inject", first, "--inject", second])


def _fault(name: str, arguments: list[str]) -> WrongInput:
    return WrongInput(
        name=name,
        arguments=arguments,
        says=r"\w{3,}.* \w{3,}.* \w{3,}",
        code=CODES.get(name.partition(" ")[0], 5),
        after=_is_told,
        changes=[LAST],
        tells_progress=True,
    )


CODES = (
    dict.fromkeys(("no-bitstream", "damaged-bitstream", "no-ps-clock"), 3)
    | {name: 3 for name in INJECTIONS if name.startswith("permission-")}
    | dict.fromkeys(("no-uio", "other-uio", "no-fpga-manager", "mainline-empty", "no-udmabuf"), 4)
    | dict.fromkeys(("fclk-unreachable", "short-buffer"), 2)
    | {name: 6 for name in INJECTIONS if name.endswith("-caches")}
    | {"stuck-bit": 6}
)
"""Exit codes; 5, the machine's, for all others."""


def _is_told(folder: Path) -> Iterator[str]:
    """The file says what the terminal did."""
    document = json.loads((folder / LAST).read_text())
    failed = [each for each in document["stages"] if not each["passed"]]
    if document["passed"] or [document["stages"][-1]] != failed:
        yield f"{LAST} has {len(failed)} failed stages"


def _no_board() -> Iterator[WrongInput]:
    """This computer has no bitstream installed."""
    train = ["train", "--backend", "board", "--steps", "1", "--batch", "4"]
    for name, arguments in {
        "load": ["board", "load"],
        "load again": ["board", "load", "--again"],
        "a configuration": ["board", "load", "--config", "tiny"],
        "train": train,
        "train with power": [*train, "--power", "5"],
    }.items():
        yield WrongInput(
            name=f"no board: {name}",
            arguments=arguments,
            says=r"no bitstream: there is no /lib/firmware",
            code=3,
        )


def _options() -> Iterator[WrongInput]:
    simulated = ["--device", "simulated"]
    wrong: dict[str, tuple[list[str], str]] = {
        "an unknown fault": (["bringup", *simulated, "--inject", "fire"], "injected: got 'fire'"),
        "no fault": (["bringup", *simulated, "--inject", ""], "injected: got ''"),
        "a fault of a real board": (["bringup", "--inject", "no-uio"], "--inject: got 'no-uio'"),
        "phases twice": (["power", "--phases", "idle,idle"], "--phases: got 'idle,idle'"),
        "no phase": (["power", "--phases", ""], "--phases: got ''"),
        "an unknown phase": (["power", "--phases", "idle,fast"], "--phases: got"),
        "now and idle": (["power", "--phases", "now,idle"], "--phases: got"),
    }
    for seconds in ("0", "-1", "nan", "inf"):
        wrong[f"{seconds} s"] = (["power", "--seconds", seconds], "--seconds: got")
    for name, (arguments, says) in wrong.items():
        yield WrongInput(name=name, arguments=["board", *arguments], says=says)
