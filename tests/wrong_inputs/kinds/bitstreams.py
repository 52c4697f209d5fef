"""Bitstreams, syntheses and Verilog of machines that cannot be, by options that are none, to
folders that are somebody's: each refused before any work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from fractrain.gen.bitstream_manifest import (
    BITSTREAM_MANIFEST_NAME,
    BitstreamManifest,
    Slack,
    Utilization,
)
from fractrain.gen.manifest import MANIFEST_NAME, FileEntry, Manifest
from fractrain.gen.zynq.names import WRAPPER_NAME
from fractrain.hw.contract.parameters import load_parameters
from tests.wrong_inputs.wrong_input import WrongInput

TINY = load_parameters("tiny")
PRESET = Path(__file__).parents[3] / "configs" / "tiny.yaml"
BITSTREAM = ("bitstream", "--config", "tiny")
MAKERS = {
    "bitstream": BITSTREAM,
    "open bitstream": (*BITSTREAM, "--flow", "openxc7"),
    "project": (*BITSTREAM, "--generate-only"),
    "Verilog": ("generate", "--config", "tiny"),
}
"""Commands that write a folder ``--out``."""

Prepare = Callable[[Path], None]


def wrong_inputs() -> Iterator[WrongInput]:
    yield from _options()
    yield from _machines()
    yield from _folders()
    yield from _budgets()


def _options() -> Iterator[WrongInput]:
    for option, values, allowed in (
        ("--jobs", ("0", "-3"), r"1\.\.256"),
        ("--attempts", ("0", "-1", "7", "1000"), r"1\.\.6"),
        ("--tolerate", ("", " ", "Synth", "[Synth 8-689]", "xilinx.com:ip-1"), "an id as"),
    ):
        for value in values:
            yield WrongInput(
                f"{option} {value!r}",
                (*BITSTREAM, f"{option}={value}"),
                rf"{option}: got .*{value.strip('[]')}.*allowed: .*{allowed}",
            )
    for option, value in (("--attempts", "2"), ("--tolerate", "PSU-1")):
        yield WrongInput(
            f"{option} with open tools",
            (*MAKERS["open bitstream"], option, value),
            rf"{option}: got .*{value}.*with --flow vivado only",
        )


def _machines() -> Iterator[WrongInput]:
    """Configurations that exist, of machines that the ZC706 cannot carry or nothing can be."""
    changes = {
        "clock too fast": ("clock_mhz: 200", "clock_mhz: 333.333", "clock_mhz: got 333.333"),
        "clock of no PLL": ("clock_mhz: 200", "clock_mhz: 180", "nearest: 166.667, 200"),
        "clock that stands": ("clock_mhz: 200", "clock_mhz: 0", "clock_mhz: got 0"),
        "rows": ("array:\n", "array:\n  rows: 16\n", "array.rows: got 16, .*delete array.rows"),
        "no number": ("plane_words: 512", "plane_words: many", "buffers.plane_words: got 'many'"),
    }
    for name, (old, new, says) in changes.items():

        def prepare(folder: Path, old: str = old, new: str = new) -> None:
            (folder / "other.yaml").write_text(PRESET.read_text().replace(old, new))

        for command in ("bitstream", "generate"):
            if command == "generate" and name in ("clock too fast", "clock of no PLL"):
                continue  # the Verilog does not mind
            yield WrongInput(
                f"{command}: {name}",
                (command, "--config", "other.yaml", "--out", "out"),
                says,
                prepare=prepare,
                tells_progress=True,
            )
    for command in ("bitstream", "generate", "synth"):
        yield WrongInput(
            f"{command}: no such machine",
            (command, "--config", "zc7O6"),
            "read zc7O6: ",
            code=3,
        )


def _folders() -> Iterator[WrongInput]:
    """What must not be replaced; it stays as it is."""
    for maker, arguments in MAKERS.items():
        wanted = (*arguments, "--out", "out")
        yield WrongInput(f"{maker} to a file", wanted, "this is a file", prepare=_file)
        yield WrongInput(f"{maker} to a thesis", wanted, "choose another folder", prepare=_thesis)
        is_bitstream = maker in ("bitstream", "open bitstream")
        yield WrongInput(
            f"{maker} to an earlier one with a thesis in it",
            wanted,
            "move thesis.tex away first",
            prepare=_with_thesis(_bitstream if is_bitstream else _project),
        )
        if not is_bitstream:
            yield WrongInput(
                f"{maker} to a bitstream", wanted, "choose another folder", prepare=_bitstream
            )
    for maker in ("bitstream", "open bitstream"):
        yield WrongInput(
            f"{maker} to prepared files with a thesis among them",
            (*MAKERS[maker], "--out", "out"),
            "move thesis.tex away first",
            prepare=_with_thesis(_project),
        )
        yield WrongInput(
            f"{maker} to a damaged manifest",
            (*MAKERS[maker], "--out", "out"),
            f"{BITSTREAM_MANIFEST_NAME} is not a manifest",
            code=3,
            prepare=_damaged,
        )


def _budgets() -> Iterator[WrongInput]:
    synth = ("synth", "--config", "tiny", "--part", "array", "--budget", "limits.yaml")
    yield WrongInput("no budget", synth, "limits.yaml: No such file", code=3)
    yield WrongInput(
        "no budget of this preset",
        ("synth", "--config", "tiny", "--check"),
        "no budget for tiny.*--budget",
        code=3,
    )
    for name, text, says in (
        ("a budget of a part that is none", "arrays: {luts: 3}", "got 'arrays', allowed: array"),
        ("a budget of a figure that is none", "array: {lut: 3}", "got 'lut', allowed: luts"),
        ("a budget in words", "array: {luts: few}", "array.luts: got 'few', allowed: a number"),
        ("a budget below nothing", "array: {luts: -1}", "array.luts: got -1, allowed: a number"),
        ("a budget that is a truth", "array: {luts: true}", "array.luts: got True"),
        ("a budget for nothing", "array:", "array: got None, allowed: a mapping"),
    ):
        yield WrongInput(name, synth, says, prepare=_written("limits.yaml", text))
    for name, text, says in (
        ("a budget that is a list", "- luts", "limits.yaml holds a list"),
        ("a budget that is no YAML", "array: {", "limits.yaml is not YAML"),
    ):
        yield WrongInput(name, synth, says, code=3, prepare=_written("limits.yaml", text))


# -- folders that are there already ------------------------------------------------------------


def _written(name: str, text: str) -> Prepare:
    def prepare(folder: Path) -> None:
        (folder / name).write_text(text)

    return prepare


def _file(folder: Path) -> None:
    (folder / "out").write_text("a file")


def _thesis(folder: Path) -> None:
    (folder / "out").mkdir(exist_ok=True)
    (folder / "out" / "thesis.tex").write_text("years of work")


def _with_thesis(prepare: Prepare) -> Prepare:
    def both(folder: Path) -> None:
        prepare(folder)
        _thesis(folder)

    return both


def _bitstream(folder: Path) -> None:
    (folder / "out").mkdir()
    manifest = BitstreamManifest(
        config="tiny",
        build_hash="0badcafe" * 8,
        parameters=TINY,
        clock_mhz=200.0,
        flow="vivado",
        tool="Vivado 2023.2",
        utilization=Utilization(1, 2, 3, 4),
        slack_ns=Slack(0.1, 0.1),
        files=(FileEntry.of("a.bin", b"bits"),),
    )
    (folder / "out" / BITSTREAM_MANIFEST_NAME).write_text(manifest.to_json())
    (folder / "out" / "a.bin").write_bytes(b"bits")


def _damaged(folder: Path) -> None:
    _bitstream(folder)
    file = folder / "out" / BITSTREAM_MANIFEST_NAME
    document = json.loads(file.read_text())
    del document["files"]
    file.write_text(json.dumps(document))


def _project(folder: Path) -> None:
    (folder / "out").mkdir()
    manifest = Manifest(
        top=WRAPPER_NAME,
        flavour="synthesis",
        build_hash="0badcafe" * 8,
        parameters=TINY,
        ports=(),
        latencies={},
        tools={},
        files=(FileEntry.of("build.tcl", b"exit"),),
    )
    (folder / "out" / MANIFEST_NAME).write_text(manifest.to_json())
    (folder / "out" / "build.tcl").write_bytes(b"exit")
