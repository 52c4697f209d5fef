"""What every test gets: paths of the project, seeded random numbers, one environment."""

import os
import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest

from gen.plain_paths import temporary_root

# Before any test imports Amaranth: the Yosys of its wheel, never one that happens to be on PATH.
os.environ["AMARANTH_USE_YOSYS"] = "builtin"

# Folders of tests have plain names, or Vivado's refusal of others would be all that its tests see.
os.environ["TMPDIR"] = tempfile.tempdir = str(temporary_root())

# Who starts the tests in the background ignores these, and programs inherit that: what tests
# interrupt would run on.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for ignored in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(ignored, signal.SIG_DFL)


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that are the same for the same test, whatever else runs."""
    return np.random.default_rng(list(request.node.nodeid.encode()))
