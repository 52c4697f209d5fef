"""What every test gets: paths of the project, seeded random numbers, one environment."""

import os
import signal
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from fractrain.gen.plain_paths import temporary_root
from fractrain.sim import progress
from fractrain.sim.cosim.compile import QUICK_VARIABLE

# Before any test imports Amaranth: the Yosys of its wheel, never one that happens to be on PATH.
os.environ["AMARANTH_USE_YOSYS"] = "builtin"

# Folders of tests have plain names, or Vivado's refusal of others would be all that its tests see.
os.environ["TMPDIR"] = tempfile.tempdir = str(temporary_root())

# How long an example takes says something of the computer and what else it has to do.
# With CI in the environment the examples are the same each time: what new ones find is for whoever
# looks for it, and no reason against a change that has nothing to do with it.
settings.register_profile(
    "any computer",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any computer")

# Who starts the tests in the background ignores these, and programs inherit that: what tests
# interrupt would run on.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for ignored in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(ignored, signal.SIG_DFL)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """What is slow, compilations above all, says so where pytest itself writes: the first run is
    not silent for minutes, and no test finds such a line in what a command said.

    Simulations are compiled quickly, but for the slow set, where they run for longer than that."""
    if "not slow" in config.option.markexpr:
        os.environ.setdefault(QUICK_VARIABLE, "1")
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        lines = Lines(os.dup(2))
    progress.redirect(lines)
    config.add_cleanup(lines.close)


class Lines:
    """A file in which each text begins on a line of its own, behind pytest's dots."""

    def __init__(self, descriptor: int) -> None:
        self._file: TextIO = os.fdopen(descriptor, "w")

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        return self._file.write(f"\n{text}")

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        progress.redirect(None)
        self._file.close()


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that are the same for the same test, whatever else runs."""
    return np.random.default_rng(list(request.node.nodeid.encode()))
