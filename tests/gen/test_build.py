"""A whole build: what is in it, and that it is the same every time."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fractrain.gen.build import generate
from fractrain.gen.build_hash import build_hash, hash_register
from fractrain.gen.designs import ENGINE_NAME
from fractrain.gen.manifest import MANIFEST_NAME, Manifest, read_manifest
from fractrain.gen.port import Port
from fractrain.gen.reference_pages import reference_pages
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.mac.flavour import Flavour

FLAVOURS = [pytest.param(each, id=each.value) for each in Flavour]


@pytest.fixture(scope="module", params=FLAVOURS)
def build(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Manifest]:
    out = tmp_path_factory.mktemp("build") / "tiny"
    return out, generate(load_parameters("tiny"), out, request.param)


def declared_ports(verilog: str, module: str) -> set[Port]:
    """The ports that the text declares for ``module``."""
    body = re.search(rf"^module \\?{module} ?\(.*?^endmodule", verilog, re.M | re.S)
    assert body, f"no module {module}"
    declarations = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+) ?;", body[0], re.M)
    return {Port(name, way, int(high or 0) + 1) for way, high, name in declarations}


def test_files_are_those_of_the_manifest(build: tuple[Path, Manifest]) -> None:
    out, manifest = build
    assert {file.name for file in out.iterdir()} == {
        MANIFEST_NAME,
        *(entry.path for entry in manifest.files),
    }
    for entry in manifest.files:
        content = (out / entry.path).read_bytes()
        assert entry.sha256 == hashlib.sha256(content).hexdigest()
        assert entry.size_bytes == len(content)


def test_manifest_reads_back(build: tuple[Path, Manifest]) -> None:
    out, manifest = build
    assert read_manifest(out / MANIFEST_NAME) == manifest
    assert manifest.parameters == load_parameters("tiny")


def test_ports_are_those_of_the_verilog(build: tuple[Path, Manifest]) -> None:
    out, manifest = build
    verilog = (out / f"{ENGINE_NAME}.v").read_text()
    assert declared_ports(verilog, ENGINE_NAME) == set(manifest.ports)
    widths = {port.name: (port.direction, port.width) for port in manifest.ports}
    assert widths["axi_lite__wdata"] == ("input", 32)
    for port in range(manifest.parameters.memory.ports):
        assert widths[f"hp{port}__rdata"] == ("input", 64)
        assert widths[f"hp{port}__awlen"] == ("output", 4)
    assert f"hp{manifest.parameters.memory.ports}__rdata" not in widths
    assert widths["port__valid"] == ("output", 1)
    beat = manifest.parameters.results_per_beat * SUM_BITS
    assert widths["port__payload"] == ("output", beat + 1)
    assert widths["interrupt"] == ("output", 1)


def test_build_hash_is_in_the_hardware(build: tuple[Path, Manifest]) -> None:
    out, manifest = build
    assert manifest.build_hash == build_hash(manifest.parameters)
    value = hash_register(manifest.build_hash)
    verilog = (out / f"{ENGINE_NAME}.v").read_text()
    assert re.search(rf"32'(d{value}|h0*{value:x})\b", verilog)


def test_reference_pages_are_there(build: tuple[Path, Manifest]) -> None:
    out, manifest = build
    for name, content in reference_pages(manifest.parameters).items():
        assert (out / name).read_bytes() == content


def test_every_module_is_defined_once(build: tuple[Path, Manifest]) -> None:
    out, _ = build
    names = re.findall(r"^module (\S+?) ?\(", (out / f"{ENGINE_NAME}.v").read_text(), re.M)
    assert len(names) == len(set(names))


def test_same_bytes_from_another_process_folder_and_hash_seed(tmp_path: Path) -> None:
    """No date, no path and no order of a set or dictionary gets into the files."""
    builds = []
    for seed, name in (("1", "one"), ("2", "the other")):
        folder = tmp_path / name
        folder.mkdir()
        subprocess.run(
            [sys.executable, "-m", "fractrain", "generate", "--config", "tiny", "--out", "out"],
            cwd=folder,
            env=os.environ
            | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            check=True,
            capture_output=True,
            timeout=120,
        )
        builds.append({file.name: file.read_bytes() for file in (folder / "out").iterdir()})
    assert builds[0] == builds[1]
    for content in builds[0].values():
        assert str(tmp_path).encode() not in content
        assert os.getcwd().encode() not in content
