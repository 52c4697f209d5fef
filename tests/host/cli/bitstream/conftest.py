"""A folder to work in, and programs that stand for the tools."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fractrain.gen.bitstream import openxc7, vivado
from tests.gen.bitstream.bit_files import bit_file
from tests.gen.bitstream.fake_tools import (
    quick_sources,
    write_made_files,
    write_open_tools,
    write_vivado,
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, no tools on PATH, and Verilog that takes no time."""
    monkeypatch.setattr(vivado, "sources", quick_sources)
    monkeypatch.setattr(openxc7, "sources", quick_sources)
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    (tmp_path / "tools").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:/usr/bin:/bin")
    for name in ("VIVADO", "CHIPDB", "PRJXRAY_DB_DIR"):
        monkeypatch.delenv(name, raising=False)
    return place


@pytest.fixture
def with_vivado(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put the scripted Vivado on PATH; keywords are what it "makes", and faults."""

    def install(bit: bytes | None = None, inside: bytes | None = None, faults: str = "") -> None:
        write_vivado(tmp_path / "tools")
        made = write_made_files(tmp_path / "made", bit, inside)
        monkeypatch.setenv("SCRIPTED_VIVADO_FILES", str(made))
        monkeypatch.setenv("SCRIPTED_VIVADO_FAULTS", faults)

    return install


@pytest.fixture
def with_open_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_open_tools(tmp_path / "tools")
    part = tmp_path / "db" / "zynq7" / "xc7z045ffg900-2" / "part.yaml"
    part.parent.mkdir(parents=True)
    for file in (part, tmp_path / "chipdb"):
        file.write_text("database")
    (tmp_path / "made.bit").write_bytes(bit_file(part="xc7z045ffg900-2"))
    monkeypatch.setenv("CHIPDB", str(tmp_path / "chipdb"))
    monkeypatch.setenv("PRJXRAY_DB_DIR", str(tmp_path / "db"))
    monkeypatch.setenv("FAKE_BIT", str(tmp_path / "made.bit"))
