"""Tools that are run and watched, and how far a compilation is."""

import os
import sys
import time
from pathlib import Path

import pytest

from fractrain.sim.cosim.build_steps import Objects, run_watched
from fractrain.sim.cosim.compile import Design, compile_model

MAKEFILE = """\
all: a.o b.o c.o
a.o: ; g++ -O2 -c -o a.o ../a.cpp
b.o: ; g++ -O2 -MMD -c b.cpp
c.o: pch ; g++ -c c.cpp
pch: ; g++ -x c++-header c.h -o c.h.gch
"""


def test_a_command_is_watched_to_its_end(tmp_path: Path) -> None:
    log, seen = tmp_path / "log", []
    command = [sys.executable, "-c", "print('out'); import sys; sys.exit('err')"]
    assert run_watched(command, tmp_path, log, os.environ, lambda: seen.append(log.exists())) == 1
    assert log.read_text() == "out\nerr\n" and seen and all(seen)


def test_whatever_ends_the_wait_ends_the_command(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    log = tmp_path / "log"
    script = "sleep 600 & echo $!; wait"  # as make and its compilers

    def once_it_runs() -> None:
        if log.read_text().strip():
            interrupt()

    with pytest.raises(KeyboardInterrupt):
        run_watched(["sh", "-c", script], tmp_path, log, os.environ, once_it_runs)
    child = Path("/proc", log.read_text().strip(), "stat")
    for _ in range(1000):  # until its new parent has taken notice
        if not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.01)
    pytest.fail("the child goes on")


def test_objects_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "obj"
    folder.mkdir()
    (folder / "Makefile").write_text(MAKEFILE)
    objects = Objects(["make", "-C", "obj"], tmp_path, folder, os.environ)
    assert objects.progress() == "0 of 3 files"
    (folder / "b.o").touch()
    (folder / "c.h.gch").touch()
    assert objects.progress() == "1 of 3 files"


def test_a_compilation_says_what_it_is_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for Verilator and the compiler, and the real make."""
    tools, said = tmp_path / "tools", []
    tools.mkdir()
    for name, script in (
        (
            "verilator",
            f"mkdir obj; printf '%s' '{MAKEFILE}' > obj/Vmodel.mk",
        ),
        ("g++", 'for last; do :; done; case $* in (*"-c "*) touch $(basename $last .cpp).o;; esac'),
    ):
        (tools / name).write_text(f"#!/bin/sh\nset -e\n{script}\n")
        (tools / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr("fractrain.sim.cosim.compile.tool_environment", lambda: environment)
    monkeypatch.setattr(
        "fractrain.sim.progress._Task.tell", lambda task, far: said.append((task.text, far))
    )
    monkeypatch.setattr("shutil.move", lambda source, target: Path(target).touch())
    compile_model(Design("top", "module top(clk);\n  input clk;\nendmodule\n"), "array.cpp", {})
    assert {text for text, _ in said} == {"compiling the simulation of top, once"}
    assert said[0][1] == "Verilog to C++"
    counts = [far for _, far in said if "files" in far]
    assert counts[0] == "0 of 3 files" and all(far.endswith("of 3 files") for far in counts)
