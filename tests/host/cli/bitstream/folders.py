"""The command under test, and where it puts what."""

from pathlib import Path

from fractrain.host.cli.main import main

OUT = Path("build", "bitstream-tiny")
BIT, BIN, XSA = (f"fractrain_zc706.{suffix}" for suffix in ("bit", "bin", "xsa"))
"""tiny's target is the ZC706."""
SYNC_WORD = bytes.fromhex("aa995566")
"""Every bitstream of the 7 series has it (UG470)."""
FAILED = Path("build", "bitstream-tiny-failed")


def bitstream(*options: str) -> int:
    return main(["bitstream", "--config", "tiny", *options])


def names_below(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def nothing_to_load(place: Path) -> bool:
    """No bitstream anywhere, under any name, nor what the open flow makes one of."""
    return not [
        file
        for file in place.rglob("*")
        if file.suffix in (".bit", ".bin", ".xsa", ".part")
        or file.name in ("outputs", "frames.txt", "routed.fasm")
        or (file.is_file() and SYNC_WORD in file.read_bytes())
    ]
