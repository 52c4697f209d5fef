"""What every test gets: paths of the project, seeded random numbers, one environment."""

import os
from pathlib import Path

import numpy as np
import pytest

# Before any test imports Amaranth: the Yosys of its wheel, never one that happens to be on PATH.
os.environ["AMARANTH_USE_YOSYS"] = "builtin"


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that are the same for the same test, whatever else runs."""
    return np.random.default_rng(list(request.node.nodeid.encode()))
