"""Verilator's library is compiled once, with a compiler that notes its calls."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fractrain.sim.cosim.shared_objects import main

COMPILER = """#!/bin/sh
echo "$*" >> {calls}
case "$*" in *broken*) exit 3;; esac
while [ "$1" != -o ]; do shift; done
echo "object $*" > "$2"
"""

Compile = Callable[..., int]


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    found = tmp_path / "calls"
    found.touch()
    return found


@pytest.fixture
def compile_(tmp_path: Path, calls: Path) -> Compile:
    program = tmp_path / "compiler"
    program.write_text(COMPILER.format(calls=calls))
    program.chmod(0o755)

    def run(source: Path | str, target: Path, *flags: str) -> int:
        command = [str(program), *flags, "-c", "-o", str(target), str(source)]
        return main(str(tmp_path / "objects"), command)

    (tmp_path / "objects").mkdir()
    return run


def library(tmp_path: Path, name: str = "verilated.cpp") -> Path:
    return tmp_path / "include" / name


def test_an_object_of_the_library_is_made_once(
    compile_: Compile, tmp_path: Path, calls: Path
) -> None:
    one, other = tmp_path / "one.o", tmp_path / "other.o"
    assert compile_(library(tmp_path), one) == compile_(library(tmp_path), other) == 0
    assert one.read_text() == other.read_text() != ""
    assert len(calls.read_text().splitlines()) == 1
    assert len(list((tmp_path / "objects").iterdir())) == 1


def test_wherever_the_library_is_linked_to(compile_: Compile, tmp_path: Path, calls: Path) -> None:
    for place in ("a", "b"):
        source = tmp_path / place / "include" / "verilated.cpp"
        assert compile_(source, tmp_path / f"{place}.o", f"-I{source.parent}") == 0
    assert len(calls.read_text().splitlines()) == 1


@pytest.mark.parametrize("flags", [["-O2"], ["-DVM_TRACE=1"]])
def test_other_arguments_make_another(
    compile_: Compile, tmp_path: Path, calls: Path, flags: list[str]
) -> None:
    for each in ([], flags):
        assert compile_(library(tmp_path), tmp_path / "x.o", *each) == 0
    assert len(calls.read_text().splitlines()) == 2


def test_a_model_is_compiled_each_time(compile_: Compile, tmp_path: Path, calls: Path) -> None:
    for _ in range(2):
        assert compile_("Vmodel__0.cpp", tmp_path / "x.o") == 0
        assert compile_(tmp_path / "inside_python.cpp", tmp_path / "y.o") == 0
    assert len(calls.read_text().splitlines()) == 4
    assert not list((tmp_path / "objects").iterdir())


def test_nothing_is_kept_of_a_failure(compile_: Compile, tmp_path: Path) -> None:
    assert compile_(library(tmp_path), tmp_path / "x.o", "--broken") == 3
    assert not list((tmp_path / "objects").iterdir())
    assert not (tmp_path / "x.o").exists()


def test_a_linker_call_passes(tmp_path: Path) -> None:
    assert main(str(tmp_path), [sys.executable, "-c", "raise SystemExit(4)"]) == 4
