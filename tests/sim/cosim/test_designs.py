"""The cache of generated Verilog: once per content, and never older than the sources."""

import os
import time
from pathlib import Path

import pytest

from fractrain.hw.contract.parameters import load_parameters
from fractrain.sim.cosim import designs
from fractrain.sim.cosim.designs import cached_design, process_start

TINY, LARGE = load_parameters("tiny"), load_parameters("zc706")


@pytest.fixture(autouse=True)
def own_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Packages of a file each, written long before this process began."""
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(designs, "_own", {})
    for name in ("hw", "gen"):
        package = tmp_path / name
        package.mkdir()
        file = package / "__init__.py"
        file.write_text(f"# {name}\n")
        os.utime(file, (1e9, 1e9))
        monkeypatch.setattr(designs, name, type("Package", (), {"__file__": str(file)}))
    return tmp_path


def test_is_emitted_once() -> None:
    texts = iter(["first", "second", "third", "fourth"])
    made = [cached_design("top", TINY, lambda: next(texts)).verilog for _ in range(3)]
    assert made == ["first"] * 3
    assert cached_design("top", LARGE, lambda: next(texts)).verilog == "second"
    assert cached_design("other", TINY, lambda: next(texts)).verilog == "third"


@pytest.mark.parametrize("package", ["hw", "gen"])
def test_other_sources_are_another_design(package: str, own_sources: Path) -> None:
    assert cached_design("top", TINY, lambda: "old").verilog == "old"
    file = own_sources / package / "__init__.py"
    file.write_text("# changed before the process began\n")
    os.utime(file, (1e9, 1e9))
    assert cached_design("top", TINY, lambda: "new").verilog == "new"


def test_sources_newer_than_the_process_bypass_the_cache(own_sources: Path) -> None:
    assert cached_design("top", TINY, lambda: "cached").verilog == "cached"
    os.utime(own_sources / "hw" / "__init__.py")
    texts = iter(["fresh", "of another machine"])
    made = [cached_design("top", TINY, lambda: next(texts)).verilog for _ in range(3)]
    assert made == ["fresh"] * 3  # once in this process, whose code does not change
    assert cached_design("top", LARGE, lambda: next(texts)).verilog == "of another machine"
    os.utime(own_sources / "hw" / "__init__.py", (1e9, 1e9))
    assert cached_design("top", TINY, lambda: "again").verilog == "cached"


def test_process_start_is_in_the_past() -> None:
    start = process_start()
    assert start is not None and start < time.time()


def test_an_unknown_start_bypasses_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cached_design("top", TINY, lambda: "cached").verilog == "cached"
    monkeypatch.setattr(designs, "process_start", lambda: None)
    assert cached_design("top", TINY, lambda: "own").verilog == "own"
