"""A machine that is generated at once, and folders of fake tools."""

from pathlib import Path

import pytest

from gen.bitstream import openxc7, vivado
from tests.gen.bitstream.fake_tools import quick_sources


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both flows take the real wrapper with next to nothing in it."""
    monkeypatch.setattr(vivado, "sources", quick_sources)
    monkeypatch.setattr(openxc7, "sources", quick_sources)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for programs, first on PATH; no Vivado and no database is set."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for name in ("VIVADO", "CHIPDB", "PRJXRAY_DB_DIR"):
        monkeypatch.delenv(name, raising=False)
    return folder
