"""Configurations of machines that cannot be: values, sizes that do not fit, memories too small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from fractrain.hw.contract.parameters import load_parameters
from tests.wrong_inputs.wrong_input import WrongInput

FILE = "machine.yaml"
COMMANDS = (
    ("generate", "--config", FILE, "--out", "out"),
    ("simulate", "--config", FILE, "--blocks", "0", "--batch", "1", "--out", "out"),
    ("cost", "--config", FILE, "--networks", "resnet8"),
)

# what no machine can have: path of the field, value, what the line must say
VALUES: tuple[tuple[str, Any, str], ...] = (
    ("array.cluster_rows", 0, r"array\.cluster_rows: got 0, .*1\.\.16"),
    ("array.cluster_rows", 16.5, r"array\.cluster_rows: got 16\.5, .*whole number"),
    ("array.cluster_columns", "8", r"array\.cluster_columns: got '8'"),
    ("array.spatial_bits", 3, r"spatial_bits: got 3, allowed: 1 or 2 or 4 or 8"),
    ("array.spatial_bits", 16, r"spatial_bits: got 16"),
    ("array.dot", "dsp", r"array\.dot: got 'dsp', allowed: lut6 or inferred"),
    ("array.accumulator", None, r"array\.accumulator: got None"),
    ("block.channels", -8, r"block\.channels: got -8, allowed: 8 or 16"),
    ("block.channels", 4, r"block\.channels: got 4, allowed: 8 or 16"),
    ("block.channels", 32, r"block\.channels: got 32, allowed: 8 or 16"),
    ("precision.max_bits", 17, r"max_bits: got 17, .*1\.\.16"),
    ("precision.slots", 257, r"slots: got 257, .*1\.\.256"),
    ("queues.commands", 1, r"commands: got 1, .*2\.\.256"),
    ("queues.result_tiles", 65, r"result_tiles: got 65, .*2\.\.64"),
    ("memory.ports", 5, r"ports: got 5, .*1\.\.4"),
    ("memory.ports", True, r"ports: got True"),
    ("memory.outstanding", 0, r"outstanding: got 0, .*1\.\.16"),
    ("clock_mhz", 0, r"clock_mhz: got 0, .*at least 1, at most 1000"),
    ("clock_mhz", [200], r"clock_mhz: got \[200\]"),
    ("buffers.plane_words", 65537, r"plane_words: got 65537, .*65536"),
    ("buffers.patterns", 129, r"patterns: got 129, .*128"),
    ("buffers", 512, r"buffers: got 512, allowed: a mapping"),
    ("block", {}, r"missing key: got 'channels'"),
    ("memory.speed", 3, r"unknown key: got 'speed', allowed: ports, outstanding"),
)

# the buffers of tiny with S and max_bits as they are, one word less than the least
LEAST: tuple[tuple[int, int, str, int], ...] = tuple(
    (spatial, widest, name, least)
    for spatial, widest in ((1, 16), (1, 5), (2, 16), (4, 8), (8, 16))
    for name, least in (
        ("plane_words", max(16, 18 * (widest // spatial))),
        ("column_words", max(4, 2 * (widest // spatial))),
        ("gradient_words", 4),
        ("patterns", 16),
    )
)

# several fields of tiny that do not fit each other
TOGETHER: tuple[tuple[dict[str, Any], str], ...] = (
    ({"array.cluster_rows": 3}, r"array\.rows: got 16, allowed: a multiple of .*cluster_rows"),
    ({"array.cluster_columns": 5}, r"array\.columns: got 8, allowed: a multiple of"),
    ({"array.cluster_columns": 16}, r"array\.columns: got 8, allowed: a multiple of"),
    ({"array.spatial_bits": 8, "precision.max_bits": 12}, r"max_bits: got 12, .*multiple of"),
    ({"block.channels": 16, "array.cluster_rows": 5}, r"array\.rows: got 32, allowed: a multiple"),
)

# what older files have, and what follows from the rest now
DELETED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"array.rows": 16}, r"array\.rows: got 16, .*2 \* block\.channels .*; delete array\.rows"),
    ({"array.columns": 4}, r"array\.columns: got 4, .*always block\.channels"),
    ({"array.lanes": "72"}, r"array\.lanes: got '72', .*always 9 \* block\.channels"),
    ({"array.max_bits": 16}, r"array\.max_bits: got 16, .*always precision\.max_bits"),
    ({"precision.accumulator_bits": 47}, r"accumulator_bits: got 47, .*always 48"),
    (
        {"array.rows": 16, "array.lanes": 72, "precision.accumulator_bits": 48},
        r"delete array\.rows, array\.lanes, precision\.accumulator_bits",
    ),
)


def wrong_inputs() -> Iterator[WrongInput]:
    """Each with one of the commands in turn: all read configurations in the same way."""
    cases: list[tuple[str, dict[str, Any], str]] = [
        (f"{path}={value}", {path: value}, says) for path, value, says in VALUES
    ]
    for spatial, widest, name, least in LEAST:
        changes = {"array.spatial_bits": spatial, "precision.max_bits": widest}
        given = {**changes, f"buffers.{name}": least - 1}
        says = rf"buffers\.{name}: got {least - 1}, allowed: .*{least}"
        cases.append((f"S {spatial}, {widest} bits, {name} {least - 1}", given, says))
    for changes, says in (*TOGETHER, *DELETED):
        name = ", ".join(f"{path}={value}" for path, value in changes.items())
        cases.append((name, changes, says))
    for number, (name, changes, says) in enumerate(cases):
        yield WrongInput(
            name=name,
            arguments=COMMANDS[number % len(COMMANDS)],
            says=rf"^(?=.*{FILE}).*{says}",
            prepare=_writer(changes),
        )


def _writer(changes: dict[str, Any]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        document: dict[str, Any] = load_parameters("tiny").to_mapping()
        for path, value in changes.items():
            *sections, key = path.split(".")
            place = document
            for section in sections:
                place = place[section]
            place[key] = value
        (folder / FILE).write_text(yaml.safe_dump(document), encoding="utf-8")

    return write
