"""`board/zynq/install.sh` run for tests: into folders, and over an ssh that is none."""

import hashlib
import json
import os
import site
import stat
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "board" / "zynq" / "install.sh"

SSH = """\
#!/bin/sh
# Runs the command here, in place of a board whose / is $BOARD_ROOT.
[ "$1" = -- ] || exit 90
printf '%s\\n' "$2" > "$BOARD_ROOT/asked-for"
case $3 in *"--root / "*) ;; *) exit 91 ;; esac
exec sh -c "$(printf '%s' "$3" | sed "s|--root / |--root $BOARD_ROOT |")"
"""

ON_THE_BOARD = ("numpy", "numpy.libs", "yaml", "_yaml")
"""What of this Python's packages the board has, too."""


def install(
    *arguments: str | Path, path: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the script; ``path``: a folder of programs that come before those of the system."""
    programs = os.environ["PATH"] if path is None else f"{path}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PATH": programs} | environment,
    )


def program(folder: Path, name: str, text: str) -> Path:
    """A script called ``name`` in ``folder``."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def board_python(folder: Path) -> Path:
    """``folder/bin`` with a python3 that has the board's packages and no others."""
    packages = folder / "packages"
    packages.mkdir()
    installed = [Path(each) for each in site.getsitepackages()]
    for name in ON_THE_BOARD:
        for source in installed:
            if (source / name).exists():
                (packages / name).symlink_to(source / name)
    python = Path(sys.executable).resolve()
    text = f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{packages}" exec {python} -S -s "$@"\n'
    return program(folder / "bin", "python3", text).parent


def bitstream(
    folder: Path, content: bytes = b"bits of a bitstream", *, target: str = "zc706"
) -> Path:
    """A folder as `make bitstream` leaves it, as far as the script looks at it."""
    folder.mkdir()
    name = f"fractrain_{target}.bin"
    (folder / name).write_bytes(content)
    (folder / f"fractrain_{target}.bit").write_bytes(b"header" + content)
    digest = hashlib.sha256(content).hexdigest()
    entry = {"path": name, "sha256": digest, "size_bytes": len(content)}
    document = {"format": "fractrain-bitstream/1", "files": [entry]}
    (folder / "bitstream.json").write_text(json.dumps(document))
    return folder


def tree(root: Path) -> dict[str, str]:
    """Every file and link below ``root``, by what it holds; compiled Python aside."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_file() and path.suffix != ".pyc":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
