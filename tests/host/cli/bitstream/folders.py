"""The command under test, and where it puts what."""

from pathlib import Path

from host.cli.main import main

OUT = Path("build", "bitstream-tiny")
FAILED = Path("build", "bitstream-tiny-failed")


def bitstream(*options: str) -> int:
    return main(["bitstream", "--config", "tiny", *options])


def names_below(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def nothing_to_load(place: Path) -> bool:
    """No bitstream anywhere, under any name."""
    return not [file for file in place.rglob("*") if file.suffix in (".bit", ".bin", ".xsa")]
