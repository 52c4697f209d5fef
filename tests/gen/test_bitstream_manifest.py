"""The manifest of a bitstream reads back, and nothing else is taken for one."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from fractrain.gen.bitstream_manifest import (
    BITSTREAM_MANIFEST_NAME,
    BitstreamManifest,
    Slack,
    Utilization,
    read_bitstream_manifest,
)
from fractrain.gen.manifest import FileEntry
from fractrain.hw.contract.errors import DataError
from fractrain.hw.contract.parameters import load_parameters

BIN = "fractrain_zc706.bin"
MANIFEST = BitstreamManifest(
    config="tiny",
    build_hash="0badcafe" * 8,
    parameters=load_parameters("tiny"),
    clock_mhz=200.0,
    flow="vivado",
    tool="Vivado v2023.2",
    utilization=Utilization(lut=1000, ff=2000, bram36=3.5, dsp=8),
    slack_ns=Slack(setup=0.125, hold=0.05),
    files=(FileEntry.of(BIN, b"bits"),),
    resources={"lut": {"used": 1000, "budget": 1200.0, "synth": None}},
    strategy="Performance_Explore",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / BITSTREAM_MANIFEST_NAME).write_text(MANIFEST.to_json())
    (tmp_path / BIN).write_bytes(b"bits")
    return tmp_path


def test_reads_back(folder: Path) -> None:
    manifest = read_bitstream_manifest(folder / BITSTREAM_MANIFEST_NAME)
    assert manifest == MANIFEST
    assert manifest.bin_name == BIN
    assert manifest.build_hash_register == 0x0BADCAFE
    assert manifest.content(folder, BIN) == b"bits"


def test_no_timing_evidence_is_null(tmp_path: Path) -> None:
    manifest = dataclasses.replace(MANIFEST, flow="openxc7", slack_ns=Slack(None, None))
    file = tmp_path / BITSTREAM_MANIFEST_NAME
    file.write_text(manifest.to_json())
    assert json.loads(file.read_text())["slack_ns"] == {"setup": None, "hold": None}
    assert read_bitstream_manifest(file) == manifest


def test_bitstreams_of_earlier_versions_say_less(tmp_path: Path) -> None:
    document = json.loads(MANIFEST.to_json())
    del document["resources"], document["strategy"], document["utilization"]["memory_lut"]
    file = tmp_path / BITSTREAM_MANIFEST_NAME
    file.write_text(json.dumps(document))
    assert read_bitstream_manifest(file) == dataclasses.replace(MANIFEST, resources={}, strategy="")


def test_damaged_missing_and_unlisted_files_are_named(folder: Path) -> None:
    with pytest.raises(DataError, match=r"lists no other\.bin, only fractrain_zc706\.bin"):
        MANIFEST.content(folder, "other.bin")
    (folder / BIN).write_bytes(b"bit")
    with pytest.raises(DataError, match=r"fractrain_zc706\.bin is not the file.*3 bytes"):
        MANIFEST.content(folder, BIN)
    (folder / BIN).unlink()
    with pytest.raises(DataError, match=r"fractrain_zc706\.bin: No such file"):
        MANIFEST.content(folder, BIN)


def test_an_older_machine_says_what_it_lacks(tmp_path: Path) -> None:
    document = json.loads(MANIFEST.to_json())
    assert document["parameters"].pop("target") == "zc706"
    (tmp_path / BITSTREAM_MANIFEST_NAME).write_text(json.dumps(document))
    with pytest.raises(DataError, match="missing key: got 'target'"):
        read_bitstream_manifest(tmp_path / BITSTREAM_MANIFEST_NAME)


def test_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_bitstream_manifest(tmp_path / BITSTREAM_MANIFEST_NAME)


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\xff", json.dumps({"format": "x"})])
def test_something_else_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / BITSTREAM_MANIFEST_NAME
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match="not a manifest of a bitstream"):
        read_bitstream_manifest(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "fractrain-bitstream/2"),
        ("config", 5),
        ("build_hash", "0badcafe"),
        ("parameters", {}),
        ("clock_mhz", None),
        ("clock_mhz", True),
        ("clock_mhz", float("nan")),
        ("flow", "quartus"),
        ("tool", ["Vivado"]),
        ("utilization", {"lut": 1}),
        ("utilization", {"lut": "1", "ff": 1, "bram36": 1, "dsp": 1}),
        ("utilization", {"lut": None, "ff": 1, "bram36": 1, "dsp": 1}),
        ("utilization", {"lut": 1, "ff": 1, "bram36": 1, "dsp": 1, "memory_lut": "few"}),
        ("resources", ["lut"]),
        ("resources", {"lut": {"used": "many"}}),
        ("strategy", 3),
        ("slack_ns", {"setup": "met", "hold": None}),
        ("files", [{"path": "a"}]),
        ("files", [{"path": "/etc/passwd", "sha256": "0" * 64, "size_bytes": 1}]),
        ("files", [{"path": "../a", "sha256": "0" * 64, "size_bytes": 1}]),
        ("files", [{"path": "a", "sha256": "0", "size_bytes": 1}]),
        ("files", [{"path": "a", "sha256": "0" * 64, "size_bytes": "1"}]),
        ("extra", 1),
    ],
)
def test_wrong_field_is_refused(key: str, value: Any, tmp_path: Path) -> None:
    file = tmp_path / BITSTREAM_MANIFEST_NAME
    file.write_text(json.dumps(json.loads(MANIFEST.to_json()) | {key: value}))
    with pytest.raises(DataError, match="not a manifest of a bitstream"):
        read_bitstream_manifest(file)
