"""`.bit` files of Vivado and Project X-Ray, and the `.bin` for Linux.

A .bit file is a header of fields, each a letter, a length and a text (a: design, b: part, c: date,
d: time), then the letter e with a length of four bytes and the configuration data. AMD does not
document the format; every tool writes it (Project X-Ray's bitstream writer is the best to read).

Linux's FPGA manager of the Zynq (drivers/fpga/zynq-fpga.c) takes the data alone, with the bytes of
each 32-bit word reversed, and expects the sync word of UG470 as 66 55 99 AA at a multiple of four
bytes.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import numpy as np

from fractrain.hw.contract.errors import DataError
from fractrain.hw.targets.target import Target

__all__ = ["SYNC_WORD", "BitFile", "parse_bit", "to_bin"]

SYNC_WORD = bytes.fromhex("aa995566")
MAGIC = bytes.fromhex("0009 0ff00ff00ff00ff000 0001")
TEXTS = {"a": "design", "b": "part", "c": "date", "d": "time"}
WORD_BYTES = 4


@dataclass(frozen=True)
class BitFile:
    """A .bit file taken apart; ``data`` is what goes into the FPGA."""

    design: str
    part: str
    date: str
    time: str
    data: bytes


def parse_bit(content: bytes, source: str) -> BitFile:
    """Take the .bit file ``content`` apart; ``source`` names it in errors.

    Raises `DataError` if it is no .bit file, is shorter or longer than its data, or has no sync
    word at a multiple of four bytes.
    """
    if not content.startswith(MAGIC):
        raise DataError(f"{source} is not a .bit file: it does not begin as one")
    texts, position = {}, len(MAGIC)
    for letter, name in TEXTS.items():
        texts[name], position = _text(content, position, letter, source)
    length, position = _length(content, position, "e", ">I", source)
    data = content[position : position + length]
    if len(data) < length:
        raise DataError(
            f"{source} is cut off: its header announces {length:,} bytes of data, "
            f"{len(data):,} are there"
        )
    if position + length < len(content):
        extra = len(content) - position - length
        raise DataError(f"{source} has {extra:,} bytes after its data: it is not one .bit file")
    _check_words(data, source)
    return BitFile(data=data, **texts)


def to_bin(content: bytes, target: Target, source: str) -> bytes:
    """The .bin for Linux's FPGA manager of the .bit file ``content``.

    Raises `DataError` as `parse_bit` does, and for a .bit file of another part than ``target``'s.
    """
    bit = parse_bit(content, source)
    # Vivado writes the part without "xc" and speed grade, Project X-Ray as on its command line.
    part = target.part.device_and_package
    if not re.fullmatch(rf"(xc)?{part}(-\d\w*)?", bit.part):
        raise DataError(f"{source} is for the part {bit.part!r}; the {target.title} has a {part}")
    return np.frombuffer(bit.data, dtype="<u4").byteswap().tobytes()


def _length(content: bytes, position: int, letter: str, form: str, source: str) -> tuple[int, int]:
    """The length behind ``letter`` at ``position``, and where its bytes begin."""
    end = position + 1 + struct.calcsize(form)
    if len(content) < end:
        raise DataError(f"{source} is cut off in its header, before field {letter!r}")
    if content[position] != ord(letter):
        raise DataError(
            f"{source} is not a .bit file: at byte {position} of its header stands "
            f"{content[position : position + 1]!r}, expected was field {letter!r}"
        )
    return struct.unpack(form, content[position + 1 : end])[0], end


def _text(content: bytes, position: int, letter: str, source: str) -> tuple[str, int]:
    """The text of the field ``letter``, without its closing zero, and where the next one begins."""
    length, start = _length(content, position, letter, ">H", source)
    text = content[start : start + length]
    if len(text) < length:
        raise DataError(f"{source} is cut off in its header, in field {letter!r}")
    return text.rstrip(b"\0").decode("ascii", errors="replace"), start + length


def _check_words(data: bytes, source: str) -> None:
    """`DataError` unless ``data`` is whole words, one of them the sync word."""
    if len(data) % WORD_BYTES:
        raise DataError(f"{source}: {len(data):,} bytes of data are no whole 32-bit words")
    words = np.frombuffer(data, dtype=">u4")
    if not (words == int.from_bytes(SYNC_WORD, "big")).any():
        raise DataError(
            f"{source} holds no configuration: the sync word {SYNC_WORD.hex(' ').upper()} does not "
            "stand at any multiple of four bytes"
        )
