"""Synthetic .bit files, as Vivado and Project X-Ray write them."""

import struct

from fractrain.gen.bitstream.bit_file import MAGIC

# The words before the sync word in the bitstreams of 7-series FPGAs (UG470): padding, the
# pattern for bus width detection, padding.
PROLOGUE = bytes.fromhex("ffffffff" * 8 + "000000bb 11220044 ffffffff ffffffff")
SYNC = bytes.fromhex("aa995566")


def field(letter: str, text: str) -> bytes:
    content = text.encode() + b"\0"
    return letter.encode() + struct.pack(">H", len(content)) + content


def bit_file(
    data: bytes | None = None, *, part: str = "7z045ffg900", design: str = "system_wrapper"
) -> bytes:
    """A whole .bit file; without ``data`` a few words of configuration."""
    if data is None:
        data = PROLOGUE + SYNC + bytes(range(64))
    header = field("a", f"{design};UserID=0XFFFFFFFF;Version=2023.2") + field("b", part)
    header += field("c", "2024/02/29") + field("d", "12:34:56")
    return MAGIC + header + b"e" + struct.pack(">I", len(data)) + data
