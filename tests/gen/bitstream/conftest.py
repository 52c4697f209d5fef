"""A machine that is generated at once, folders of fake tools, and builds by the Vivado script."""

import os
import subprocess
from pathlib import Path

import pytest

from fractrain.gen.bitstream import openxc7, vivado
from fractrain.gen.bitstream.constraints import VIVADO, vivado_constraints
from fractrain.gen.bitstream.vivado_script import vivado_script
from fractrain.gen.bitstream_manifest import output_name
from fractrain.hw.contract.parameters import Parameters, load_parameters
from tests.gen.bitstream.fake_tools import SCRIPTED_VIVADO, quick_sources, write_made_files
from tests.gen.bitstream.vivado_runs import Build, Run


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


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Write a project and run its script; keywords are faults, ``without`` a file to delete.

    ``instead``: what to replace in the script, to see that a mistake in it is found.
    """

    def run(
        parameters: Parameters | None = None,
        *,
        without: str = "",
        tolerated: tuple[str, ...] = (),
        attempts: int = 1,
        faults: dict[str, str] | None = None,
        instead: dict[str, str] | None = None,
        made: Path | None = None,
    ) -> Run:
        parameters = parameters or load_parameters("tiny")
        folder = tmp_path / "project"
        folder.mkdir()
        sources = quick_sources(parameters)
        constraints = vivado_constraints(parameters.target)
        script = vivado_script(
            parameters, list(sources), jobs=3, tolerated=tolerated, attempts=attempts
        )
        for text, mistake in (instead or {}).items():
            assert script.count(text) == 1
            script = script.replace(text, mistake)
        files = {**sources, "build.tcl": script.encode(), VIVADO: constraints.encode()}
        for name, content in files.items():
            (folder / name).write_bytes(content)
        if without:
            (folder / without).unlink()
        # Stale outputs of an earlier run, which must not survive a failure of this one.
        (folder / "outputs").mkdir()
        (folder / "outputs" / output_name(parameters.target, ".bit")).write_bytes(b"stale")
        (folder / "result.txt").write_text("stale")
        made = made or write_made_files(tmp_path / "made")
        quoted = " ".join(f"{{{each}}}" for pair in (faults or {}).items() for each in pair)
        result = subprocess.run(
            ["tclsh", str(SCRIPTED_VIVADO), "build.tcl"],
            cwd=folder,
            env=os.environ
            | {
                "SCRIPTED_VIVADO_FILES": str(made),
                "SCRIPTED_VIVADO_RECORD": str(folder / "record"),
                "SCRIPTED_VIVADO_FAULTS": quoted,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Run(folder, result.returncode, result.stdout.splitlines(), result.stderr)

    return run
