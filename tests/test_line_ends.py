"""Line ends are those of Unix in every checkout: shells, make and Python's first lines take no
others, and the hash of the sources is one of bytes."""

import subprocess
from pathlib import Path

import pytest


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no checkout of git: {done.stderr.strip()}")
    return done.stdout


def test_every_file_is_covered(project_root: Path) -> None:
    """``git ls-files --eol``: line ends in the index, in the tree, and the attributes of each."""
    lines = git(project_root, "ls-files", "--eol").splitlines()
    assert len(lines) > 500
    for line in lines:
        (index, tree, attributes), name = line.partition("\t")[0].split(None, 2), line
        if index == "i/":
            assert (project_root / line.partition("\t")[2]).is_symlink(), name
        elif "-text" in index:
            assert attributes.strip() in ("attr/-text", "attr/text=auto eol=lf"), name
        else:
            assert index in ("i/lf", "i/none"), name
            assert tree in ("w/lf", "w/none", "w/"), name
            assert attributes.strip() == "attr/text=auto eol=lf", name


def test_a_checkout_for_windows_has_none_of_its_line_ends(
    tmp_path: Path, project_root: Path
) -> None:
    files = (".gitattributes", "Makefile", "board/zynq/install.sh", "hw/contract/errors.py")
    git(tmp_path, "init", "--quiet", "--initial-branch=main", ".")
    git(tmp_path, "config", "core.autocrlf", "true")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        text = (project_root / name).read_bytes()
        # as an editor on Windows writes it
        (tmp_path / name).write_bytes(text.replace(b"\n", b"\r\n") if "/" in name else text)
    git(tmp_path, "add", ".")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    git(tmp_path, *identity, "commit", "--quiet", "--message", "all")
    for name in files:
        (tmp_path / name).unlink()
    git(tmp_path, "checkout", "--quiet", "--", ".")
    for name in files:
        assert (tmp_path / name).read_bytes() == (project_root / name).read_bytes()
