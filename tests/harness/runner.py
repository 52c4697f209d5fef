"""The pytest side: a component becomes Verilog, a compiled model and a verdict."""

import functools
import importlib.metadata
import json
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch
from xml.etree import ElementTree

import cocotb_tools.config
import pytest
from amaranth.lib import wiring
from cocotb_tools.runner import get_runner

from fractrain.gen.plain_paths import plain_path, plain_workspace, temporary_root
from fractrain.gen.verilog import emit
from fractrain.sim.cosim.cache import build_root, cached_folder, content_hash
from fractrain.sim.cosim.compile import Design
from fractrain.sim.cosim.toolchain import require_tools, tool_environment, tool_versions
from fractrain.sim.progress import activity

DEFAULT_SEED = 1
COCOTB_FOLDERS = ("libs_dir", "share_dir")
LOG_LINES = 60

# The simulation runs inside a Python process, as a shared library: see that file.
INSIDE_PYTHON = Path(__file__).with_name("inside_python.cpp")
BUILD_ARGUMENTS = [
    *("--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal"),
    *("-CFLAGS", "-fPIC -Dmain=simulation_main", "-LDFLAGS", "-shared -ldl"),
]
# cocotb's runner asks for all signals, which then stay even where nothing uses them. Benches read
# and drive ports, and `_public_ports` names those; a waveform shall have everything.
PORTS_ONLY = ["--no-public-flat-rw"]
# No level among CFLAGS: it would hold for the files that run once as well, and one of them, the
# table of all signals, takes minutes to optimize.
OPTIMIZATION = "OPT_FAST=-O1 OPT_GLOBAL=-O1 OPT_SLOW=-O0"


def run_bench(
    component: wiring.Component,
    name: str,
    test_module: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    testcase: str | None = None,
    models: str = "",
) -> None:
    """Run the tests of ``test_module`` on ``component``; a failure there fails the pytest test.

    component : the design, not elaborated yet; its domain is ``sync``
    name : the Verilog module's name, also that of the waveform
    test_module : dotted name, for example ``tests.hw.mac.bench_plane_dot``
    parameters : anything JSON can hold, for the tests to read as ``bench.parameters``
    testcase : run only the test of this name, with all its parametrizations
    models : Verilog of modules that the design instantiates and does not contain

    The compiled model is cached by the content of the Verilog, so every test of one design
    shares one build, whatever its test module and parameters.
    """
    require_tools()
    waves = os.environ.get("BENCH_WAVES", "0") not in ("", "0")
    verilog = _verilog(component, name) + models
    with activity(f"compiling the model of {name}"):
        model = _build(verilog, name, waves)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=temporary_root()) as folder:
        results, log = Path(folder, "results.xml"), Path(folder, "log.txt")
        trace = build_root() / "waves" / f"{name}.vcd"
        trace.parent.mkdir(parents=True, exist_ok=True)
        with _environment(_inside_python(Path(folder), model / name)), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                get_runner("verilator").test(
                    test_module=test_module,
                    hdl_toplevel=name,
                    hdl_toplevel_lang="verilog",
                    test_filter=testcase and rf"\.{re.escape(testcase)}(/|$)",
                    seed=os.environ.get("BENCH_SEED", DEFAULT_SEED),
                    extra_env={"BENCH_PARAMETERS": json.dumps(dict(parameters or {}))},
                    build_dir=model,
                    test_dir=folder,
                    results_xml=str(results),
                    log_file=log,
                    waves=waves,
                    test_args=["--trace-file", str(trace)] if waves else [],
                )
            except (RuntimeError, SystemExit):
                pass  # the results say what failed; without any, the log does
        _judge(results, log)


@functools.lru_cache(maxsize=2)
def _verilog(component: wiring.Component, name: str) -> str:
    """Once for the tests that share ``component``."""
    return emit(component, name)


def _build(verilog: str, name: str, waves: bool) -> Path:
    key = content_hash(
        verilog,
        *BUILD_ARGUMENTS,
        *PORTS_ONLY,
        _public_ports(verilog, name),
        OPTIMIZATION,
        INSIDE_PYTHON.read_text(),
        f"waves {waves}",
        *tool_versions(),
        f"cocotb {importlib.metadata.version('cocotb')}",
        str(cocotb_tools.config.libs_dir),  # the program is linked to this folder
    )

    def build(folder: Path) -> None:
        with plain_workspace(folder) as work:
            _compile(work, verilog, name, waves)
            for file in work.iterdir():
                if file.name != name:  # objects and precompiled headers are most of the bytes
                    file.unlink()

    return cached_folder(build_root() / "benches", key, build)


def _compile(folder: Path, verilog: str, name: str, waves: bool) -> None:
    """Leave the program ``name`` in ``folder``, and much else."""
    source, log, ports = folder / f"{name}.v", folder / "build.log", folder / "ports.vlt"
    source.write_text(verilog)
    ports.write_text(_public_ports(verilog, name))
    arguments = [*BUILD_ARGUMENTS, *(() if waves else PORTS_ONLY), str(ports)]
    print(f"compiling the model of {name} ...", file=sys.stderr, flush=True)
    make_flags = f"{tool_environment()['MAKEFLAGS']} {OPTIMIZATION}"
    with _environment({"MAKEFLAGS": make_flags}), _plain_cocotb():
        try:
            get_runner("verilator").build(
                sources=[source],
                hdl_toplevel=name,
                build_dir=folder,
                build_args=[*arguments, str(plain_path(INSIDE_PYTHON))],
                waves=waves,
                log_file=log,
            )
        except (RuntimeError, SystemExit) as error:
            text = log.read_text() if log.exists() else ""
            pytest.fail(f"compiling {name} failed: {error}\n{_tail(text)}", pytrace=False)


def _public_ports(verilog: str, name: str) -> str:
    """Verilator's control file by which cocotb reaches the ports of ``name`` and nothing else."""
    ports = Design(name, verilog).ports
    lines = [f'public_flat_rw -module "{name}" -var "{port}"' for port in ports]
    return "\n".join(["`verilator_config", *lines, ""])


def _plain_cocotb() -> Any:
    """Within it the makefile that Verilator writes names cocotb's files by plain paths."""
    folders = {name: plain_path(getattr(cocotb_tools.config, name)) for name in COCOTB_FOLDERS}
    return patch.multiple(cocotb_tools.config, **folders)


def _inside_python(folder: Path, library: Path) -> dict[str, str]:
    """Settings of cocotb's runner that start Python and preload the simulation into it."""
    # links, because neither list below can have a path with spaces
    preloaded, python = folder / "simulation.so", folder / "python"
    preloaded.symlink_to(library)
    python.symlink_to(sys.executable)
    return {"SIM_CMD_PREFIX": f"env LD_PRELOAD={preloaded} {python}"}


def _environment(settings: Mapping[str, str]) -> Any:
    """The environment that cocotb's runner reads its tools and ``settings`` from."""
    environment = tool_environment() | {"LC_ALL": "C.UTF-8"} | settings  # Python's, too
    library, function = cocotb_tools.config.pygpi_entry_point().rsplit(",", 1)
    environment["GPI_USERS"] = f"{plain_path(Path(library))},{function}"  # and no libpython
    inherited = environment.get("LD_LIBRARY_PATH")
    # The program names this folder, too, but a link may have been there when it was compiled.
    libraries = [str(plain_path(cocotb_tools.config.libs_dir)), *filter(None, [inherited])]
    environment["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
    return patch.dict(os.environ, environment, clear=True)


def _judge(results: Path, log: Path) -> None:
    """Fail unless there are results, at least one test among them, and all of them passed."""
    text = log.read_text() if log.exists() else ""
    if not results.is_file():
        pytest.fail(f"the simulation ended without results\n{_tail(text)}", pytrace=False)
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    failed = [case for case in cases if case.find("failure") is not None]
    failed += [case for case in cases if case.find("error") is not None]
    if not cases:
        pytest.fail(f"the test module has no tests\n{_tail(text)}", pytrace=False)
    if failed:
        names = ", ".join(case.get("name", "?") for case in failed)
        pytest.fail(
            f"{len(failed)} of {len(cases)} tests failed: {names}\n{_tail(text)}", pytrace=False
        )


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-LOG_LINES:])
