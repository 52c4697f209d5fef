"""The build hash changes with everything that changes the hardware, and with nothing else."""

import dataclasses
from pathlib import Path

import pytest

from fractrain.gen.build_hash import build_hash, hash_register
from fractrain.hw.contract.parameters import Parameters, load_parameters


@pytest.fixture
def parameters() -> Parameters:
    return load_parameters("tiny")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "mac").mkdir()
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "mac" / "array.py").write_text("lanes = 1\n")
    return tmp_path


def test_is_a_sha256_and_its_first_32_bits(parameters: Parameters) -> None:
    digest = build_hash(parameters)
    assert len(digest) == 64
    assert hash_register(digest) == int(digest, 16) >> (256 - 32)


def test_parameters_count(parameters: Parameters, sources: Path) -> None:
    other = dataclasses.replace(parameters, clock_mhz=parameters.clock_mhz + 1)
    assert build_hash(other, sources) != build_hash(parameters, sources)


def test_sources_count_by_content_name_and_place(parameters: Parameters, sources: Path) -> None:
    seen = {build_hash(parameters, sources)}
    file = sources / "mac" / "array.py"
    file.write_text("lanes = 2\n")
    seen.add(build_hash(parameters, sources))
    file = file.rename(sources / "mac" / "unit.py")
    seen.add(build_hash(parameters, sources))
    file.rename(sources / "unit.py")
    seen.add(build_hash(parameters, sources))
    assert len(seen) == 4


def test_text_that_moves_between_files_counts(parameters: Parameters, sources: Path) -> None:
    (sources / "a.py").write_text("x")
    (sources / "b.py").write_text("yz")
    before = build_hash(parameters, sources)
    (sources / "a.py").write_text("xy")
    (sources / "b.py").write_text("z")
    assert build_hash(parameters, sources) != before


def test_boards_count_by_name_only(parameters: Parameters, sources: Path) -> None:
    before = build_hash(parameters, sources)
    (sources / "targets" / "boards").mkdir(parents=True)
    (sources / "targets" / "boards" / "another.py").write_text("TARGET = 1")
    assert build_hash(parameters, sources) == before
    (sources / "targets" / "zynq.py").write_text("REGISTERS_BASE = 1")
    assert build_hash(parameters, sources) != before
    other = dataclasses.replace(parameters, target=load_parameters("z7020").target)
    assert build_hash(other, sources) != build_hash(parameters, sources)


def test_caches_and_notes_do_not_count(parameters: Parameters, sources: Path) -> None:
    before = build_hash(parameters, sources)
    (sources / "mac" / "__pycache__").mkdir()
    (sources / "mac" / "__pycache__" / "array.pyc").write_bytes(b"x")
    (sources / "README.md").write_text("x")
    assert build_hash(parameters, sources) == before
