"""The install script: what it puts where, twice, again, over ssh, and what it refuses."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.board.installing import SCRIPT, SSH, bitstream, board_python, install, program, tree

LIBRARY = "usr/local/lib/fractrain"
FIRMWARE = "lib/firmware/fractrain"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with everything in it."""
    folder = tmp_path_factory.mktemp("installed")
    root = folder / "root"
    root.mkdir()
    result = install("--root", root, bitstream(folder / "bitstream"))
    assert result.returncode == 0, result.stderr
    return root


def test_everything_is_in_its_place(installed: Path) -> None:
    for name in (
        "usr/local/bin/fractrain",
        "etc/modprobe.d/fractrain.conf",
        "etc/modules-load.d/fractrain.conf",
        "etc/udev/rules.d/60-fractrain.rules",
        "boot/fractrain/fractrain.dtbo",
        f"{FIRMWARE}/bitstream.json",
        f"{FIRMWARE}/fractrain_zc706.bin",
        *(
            f"{LIBRARY}/current/{each}"
            for each in ("fractrain", "host", "hw", "sim", "gen", "configs")
        ),
    ):
        assert (installed / name).exists(), name
    assert not (installed / FIRMWARE / "fractrain_zc706.bit").exists()
    assert not list(installed.rglob("*.new"))
    assert os.access(installed / "usr/local/bin/fractrain", os.X_OK)


def test_software_is_that_of_the_tree(installed: Path, project_root: Path) -> None:
    current = installed / LIBRARY / "current"
    for source in (project_root / "host").rglob("*.py"):
        copy = current / source.relative_to(project_root)
        assert copy.read_bytes() == source.read_bytes()
    assert not (current / "tests").exists()


def test_a_second_time_changes_nothing(installed: Path) -> None:
    before = tree(installed)
    stamps = {path: path.stat().st_mtime_ns for path in (installed / "etc").rglob("*.conf")}
    result = install("--root", installed, installed / FIRMWARE)
    assert result.returncode == 0, result.stderr
    assert tree(installed) == before
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_a_new_version_leaves_the_one_before(tmp_path: Path) -> None:
    """Three versions of a copied tree: the link moves, two stay."""
    copy = tmp_path / "tree"
    copy.mkdir()
    for name in ("fractrain", "host", "hw", "gen", "sim", "configs", "board"):
        source, without = SCRIPT.parents[2] / name, shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, copy / name, symlinks=True, ignore=without)
    root = tmp_path / "root"
    root.mkdir()
    versions = []
    for number in range(3):
        (copy / "host" / "changed.py").write_text(f"NUMBER = {number}\n")
        script = copy / "board" / "zynq" / "install.sh"
        subprocess.run([script, "--root", root], check=True, capture_output=True)
        versions.append(os.readlink(root / LIBRARY / "current"))
        current = root / LIBRARY / "current" / "host" / "changed.py"
        assert current.read_text() == f"NUMBER = {number}\n"
    assert len(set(versions)) == 3
    left = {path.name for path in (root / LIBRARY).iterdir()}
    assert left == {"current", *versions[1:]}


def test_uninstall_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc" / "modprobe.d").mkdir(parents=True)
    (root / "etc" / "modprobe.d" / "other.conf").write_text("options other\n")
    before = tree(root)
    assert install("--root", root, bitstream(tmp_path / "bitstream")).returncode == 0
    assert tree(root) != before
    result = install("--uninstall", "--root", root)
    assert result.returncode == 0, result.stderr
    assert tree(root) == before
    assert "usr/local/bin/fractrain" in result.stdout


@pytest.mark.parametrize("what", [(), ("--uninstall",)])
def test_dry_run_touches_nothing(what: tuple[str, ...], tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    if what:
        assert install("--root", root).returncode == 0
    before = tree(root)
    result = install("--dry-run", *what, "--root", root)
    assert result.returncode == 0, result.stderr
    assert "usr/local/bin/fractrain" in result.stdout
    assert "would be" in result.stdout
    assert tree(root) == before


def test_over_ssh_it_is_the_same(installed: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    board.mkdir()
    path = board_python(tmp_path)
    program(path, "ssh", SSH)
    stream = bitstream(tmp_path / "bitstream")
    result = install("root@zc706", stream, path=path, BOARD_ROOT=str(board))
    assert result.returncode == 0, result.stderr
    assert (board / "asked-for").read_text() == "root@zc706\n"
    (board / "asked-for").unlink()
    assert tree(board) == tree(installed)


def test_over_ssh_a_board_without_packages_is_left_alone(tmp_path: Path) -> None:
    board = tmp_path / "board"
    board.mkdir()
    bare = f'#!/bin/sh\nunset PYTHONPATH\nexec {Path(sys.executable).resolve()} -S -s "$@"\n'
    path = program(tmp_path / "bin", "python3", bare).parent
    program(path, "ssh", SSH)
    result = install("zc706", path=path, BOARD_ROOT=str(board))
    assert result.returncode == 4
    assert "NumPy is not installed" in result.stderr
    assert "PyYAML is not installed" in result.stderr
    assert "apt-get install python3-numpy python3-yaml" in result.stderr
    assert set(tree(board)) == {"asked-for"}


def test_over_ssh_sudo_that_asks_is_refused(tmp_path: Path) -> None:
    board = tmp_path / "board"
    board.mkdir()
    path = board_python(tmp_path)
    program(path, "ssh", SSH)
    program(path, "id", "#!/bin/sh\necho 1000\n")
    program(path, "sudo", "#!/bin/sh\nexit 1\n")
    result = install("zc706", path=path, BOARD_ROOT=str(board))
    assert result.returncode == 1
    assert "log in as root" in result.stderr
    assert set(tree(board)) == {"asked-for"}


def test_a_lost_connection_is_no_success(tmp_path: Path) -> None:
    path = program(tmp_path / "bin", "ssh", "#!/bin/sh\nexit 255\n").parent
    assert install("zc706", path=path).returncode == 255


def overlay(folder: Path, *arguments: str | Path) -> str:
    """The rate of FCLK0 in the device tree overlay that an installation leaves."""
    root = folder / "root"
    root.mkdir()
    result = install("--root", root, *arguments)
    assert result.returncode == 0, result.stderr
    tree_of_board = root / "boot" / "fractrain" / "fractrain.dtbo"
    if not tree_of_board.exists():
        return result.stderr
    node = "/fragment@0/__overlay__/fractrain@40000000"
    command = ["fdtget", "-t", "u", str(tree_of_board), node, "assigned-clock-rates"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_bitstream_says_whose_overlay_it_takes(tmp_path: Path) -> None:
    stream = bitstream(tmp_path / "bitstream", target="zedboard")
    assert overlay(tmp_path, stream) == "100000000"
    firmware = tmp_path / "root" / FIRMWARE
    assert {each.name for each in firmware.iterdir()} == {
        "bitstream.json",
        "fractrain_zedboard.bin",
    }


def test_without_a_bitstream_the_target_must_be_said(tmp_path: Path) -> None:
    for name in ("said", "unsaid"):
        (tmp_path / name).mkdir()
    assert overlay(tmp_path / "said", "--target", "zc706") == "200000000"
    assert "--target with one of zc706 zedboard" in overlay(tmp_path / "unsaid")


def test_a_bitstream_of_another_board_is_refused(tmp_path: Path) -> None:
    stream = bitstream(tmp_path / "bitstream", target="zedboard")
    result = install("--target", "zc706", "--root", tmp_path, stream)
    assert result.returncode == 3
    assert "for another board than zc706" in result.stderr


def test_without_dtc_the_rest_is_installed(tmp_path: Path) -> None:
    """A folder of the other programs stands in for PATH."""
    path = tmp_path / "bin"
    path.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for each in Path(folder).iterdir():
            if each.name != "dtc" and not (path / each.name).exists():
                (path / each.name).symlink_to(each)
    root = tmp_path / "root"
    root.mkdir()
    result = install("--target", "zc706", "--root", root, PATH=str(path))
    assert result.returncode == 0, result.stderr
    assert "device-tree-compiler" in result.stderr
    assert (root / "usr/local/bin/fractrain").exists()
    assert not (root / "boot").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ((), 2, "say where"),
        (("--root",), 2, "the folder to install into"),
        (("--frobnicate", "board"), 2, "unknown option --frobnicate"),
        (("board", "folder", "more"), 2, "too many arguments: more"),
        (("board", "folder", "--root", "/tmp"), 2, "not both"),
        (("--uninstall", "board", "folder"), 2, "takes no bitstream"),
        (("--target",), 2, "the name of a board"),
        (("--target", "zc702", "board"), 2, "got zc702, allowed: one of zc706 zedboard"),
        (("board", "/nowhere"), 3, "/nowhere has no bitstream.json"),
        (("--root", "/nowhere"), 3, "there is no folder /nowhere"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], code: int, text: str) -> None:
    result = install(*arguments)
    assert result.returncode == code
    assert text in result.stderr


def test_help() -> None:
    result = install("--help")
    assert result.returncode == 0
    assert "exit codes" in result.stdout


def test_a_damaged_bitstream_is_refused(tmp_path: Path) -> None:
    stream = bitstream(tmp_path / "bitstream")
    (stream / "fractrain_zc706.bin").write_bytes(b"something else")
    root = tmp_path / "root"
    root.mkdir()
    result = install("--root", root, stream)
    assert result.returncode == 3
    assert "is not the file that bitstream.json describes" in result.stderr
    assert not tree(root)


def test_a_firmware_folder_of_somebody_else_stays(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / FIRMWARE).mkdir(parents=True)
    (root / FIRMWARE / "mine.bin").write_bytes(b"mine")
    result = install("--root", root, bitstream(tmp_path / "bitstream"))
    assert result.returncode == 1
    assert "move it away first" in result.stderr
    assert (root / FIRMWARE / "mine.bin").read_bytes() == b"mine"


def test_shell_is_clean() -> None:
    """Of its own mistakes at least: dash, the shell of Debian, parses it."""
    subprocess.run(["sh", "-n", SCRIPT], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", SCRIPT], check=True)


# -- folders of any name, environments of any kind ------------------------------------------------

ODD = '-one (odd) [folder] it\'s $HOME #1 %s & ; "q" \\n é :'


def test_folders_of_any_name(installed: Path, tmp_path: Path) -> None:
    """Tree, target, bitstream and temporary folder; with what may be set in a shell."""
    odd = tmp_path / ODD
    odd.mkdir()
    copy = odd / "tree"
    copy.mkdir()
    for name in ("fractrain", "host", "hw", "gen", "sim", "configs", "board"):
        source, without = SCRIPT.parents[2] / name, shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, copy / name, symlinks=True, ignore=without)
    root = odd / "root"
    root.mkdir()
    stream = bitstream(odd / "bitstream")
    result = subprocess.run(
        ["./tree/board/zynq/install.sh", "--root", "root", "./bitstream"],
        cwd=odd,
        env=os.environ
        | {"TMPDIR": str(odd), "CDPATH": "/:/usr", "TAR_OPTIONS": "--nonsense", "PYTHONHOME": "/x"},
        umask=0o077,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert tree(root) == tree(installed)
    assert sorted(entry.name for entry in odd.iterdir()) == ["bitstream", "root", "tree"]
    for path in (root / "usr").rglob("*"):
        assert os.stat(path).st_mode & 0o044 == 0o044, f"{path} is for its owner only"
    assert stream.is_dir()


def test_a_line_break_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    root = tmp_path / "a\nb"
    root.mkdir()
    result = install("--root", root)
    assert result.returncode == 2
    assert "a path has a line break" in result.stderr
    assert not tree(root)


# -- what is installed, with the board's packages only --------------------------------------------


def fractrain(
    installed: Path, folder: Path, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    path = board_python(folder)
    return subprocess.run(
        [installed / "usr/local/bin/fractrain", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env={"PATH": f"{path}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)},
    )


def test_installed_help(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "fractrain").mkdir()  # where the user is, and none of ours
    (tmp_path / "fractrain" / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    result = fractrain(installed, tmp_path, "--help")
    assert result.returncode == 0, result.stderr
    assert "commands" in result.stdout


def cifar10(folder: Path) -> Path:
    """CIFAR-10 in its binary version, of few random images: no package decodes it."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in (*(f"data_batch_{each}" for each in range(1, 6)), "test_batch"):
        records = rng.integers(0, 256, (20, 1 + 3072), np.uint8)
        records[:, 0] %= 10
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder


def test_installed_training(installed: Path, tmp_path: Path) -> None:
    data = cifar10(tmp_path / "cifar-10-batches-bin")
    result = fractrain(
        *(installed, tmp_path, "train", "--dataset", data, "--steps", "1", "--batch", "4"),
        *("--test-images", "4", "--name", "run"),
    )
    assert result.returncode == 0, result.stderr
    summary = json.loads((tmp_path / "runs" / "run" / "summary.json").read_text())
    assert summary["steps"] == 1


def test_installed_default_data_set_says_what_it_needs(installed: Path, tmp_path: Path) -> None:
    result = fractrain(installed, tmp_path, "train", "--steps", "1")
    assert result.returncode == 4
    assert "scikit-learn" in result.stderr
    assert "--dataset" in result.stderr
    assert "Traceback" not in result.stderr
