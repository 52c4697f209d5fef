"""The kind of a file, by its first bytes: for messages about unexpected files."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HEAD", "Content", "identify"]

HEAD = 512
"""Bytes that `identify` needs."""

UNPACK = "unpack it, and give the folder"
CONVERT = "save its images as files in train/<class>/ and test/<class>/, and give that folder"
SINGLE = "give the folder of a data set, with train/<class>/ and test/<class>/"
AGAIN = "it was not downloaded as it should be: fetch it again"


@dataclass(frozen=True)
class Content:
    """``what``: with its article, "a ZIP archive"; ``advice``: if it is given as a data set."""

    what: str
    advice: str


# (place, bytes there) → the kind. The first match counts.
SIGNATURES: tuple[tuple[int, bytes, Content], ...] = (
    (0, b"PK\x05\x06", Content("an empty ZIP archive", "it has no images")),
    (0, b"7z\xbc\xaf\x27\x1c", Content("a 7z archive", UNPACK)),
    (0, b"Rar!\x1a\x07", Content("a RAR archive", UNPACK)),
    (0, b"\x28\xb5\x2f\xfd", Content("a file compressed by zstd", UNPACK)),
    (0, b"\x04\x22\x4d\x18", Content("a file compressed by lz4", UNPACK)),
    (0, b"LZIP", Content("a file compressed by lzip", UNPACK)),
    (0, b"\x1f\x9d", Content("a file compressed by compress", UNPACK)),
    (0, b"!<arch>\n", Content("an ar archive", UNPACK)),
    (0, b"MSCF", Content("a CAB archive", UNPACK)),
    (0, b"\x1f\x8b", Content("a file compressed by gzip", UNPACK)),
    (0, b"BZh", Content("a file compressed by bzip2", UNPACK)),
    (0, b"\xfd7zXZ\x00", Content("a file compressed by xz", UNPACK)),
    (257, b"ustar", Content("a tar archive", UNPACK)),
    (0, b"\x93NUMPY", Content("a NumPy array (.npy)", CONVERT)),
    (0, b"MATLAB ", Content("a MATLAB file (.mat)", CONVERT)),
    (0, b"\x89HDF\r\n\x1a\n", Content("an HDF5 file", CONVERT)),
    (0, b"PAR1", Content("a Parquet file", CONVERT)),
    (0, b"ARROW1", Content("an Arrow file", CONVERT)),
    (0, b"CDF", Content("a NetCDF file", CONVERT)),
    (0, b"SQLite format 3\x00", Content("an SQLite database", CONVERT)),
    *(
        (0, bytes((0, 0, kind, rank)), Content("an IDX file, as of MNIST", CONVERT))
        for kind in (8, 9, 11, 12, 13, 14)
        for rank in (1, 2, 3, 4)
    ),
    *(
        (
            0,
            bytes((0x80, number)),
            Content("a Python pickle", "if it is a batch of CIFAR, give its folder"),
        )
        for number in (2, 3, 4, 5)
    ),
    (0, b"\x89PNG\r\n\x1a\n", Content("a PNG image", SINGLE)),
    (0, b"\xff\xd8\xff", Content("a JPEG image", SINGLE)),
    (0, b"GIF8", Content("a GIF image", SINGLE)),
    (0, b"BM", Content("a BMP image", SINGLE)),
    (8, b"WEBP", Content("a WebP image", SINGLE)),
    (0, b"II*\x00", Content("a TIFF image", SINGLE)),
    (0, b"MM\x00*", Content("a TIFF image", SINGLE)),
    (4, b"ftypavif", Content("an AVIF image", SINGLE)),
    (4, b"ftyphei", Content("a HEIC image", SINGLE)),
    (4, b"ftypmif1", Content("a HEIC image", SINGLE)),
    (0, b"\x00\x00\x00\x0cjP  ", Content("a JPEG 2000 image", SINGLE)),
    (0, b"8BPS", Content("a Photoshop image", SINGLE)),
    (0, b"%!PS", Content("a PostScript file", SINGLE)),
    (0, b"%PDF", Content("a PDF file", SINGLE)),
    (4, b"ftyp", Content("a video", SINGLE)),
    (0, b"\x7fELF", Content("a program", SINGLE)),
    (0, b"\x00\x05\x16\x07", Content("an AppleDouble file of macOS", "it may be removed")),
    (0, b"version https://git-lfs", Content("a Git LFS pointer", "fetch the file: git lfs pull")),
)

HTML = (b"<!doctype html", b"<html", b"<head", b"<body")


def identify(head: bytes) -> Content | None:
    """The kind of a file by ``head``, its first `HEAD` bytes or all; None if unknown."""
    if not head:
        return Content("empty", AGAIN)
    if head.startswith(b"PK\x03\x04"):
        return _in_zip(head[30 : 30 + int.from_bytes(head[26:28], "little")])
    for place, signature, content in SIGNATURES:
        if head.startswith(signature, place):
            return content
    if not any(head):
        return Content("zeros", AGAIN)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(HTML):
        return Content("an HTML page", AGAIN)
    if text.startswith((b"<svg", b"<?xml")):
        return Content("an SVG image" if b"<svg" in text else "an XML file", SINGLE)
    if all(byte >= 32 or byte in b"\t\n\f\r" for byte in head) and _is_text(head):
        return Content("a text file", SINGLE)
    return None


def _in_zip(first: bytes) -> Content:
    """The kind of a ZIP archive, by the name of its first file."""
    if first.endswith(b".npy"):
        return Content("an archive of NumPy arrays (.npz)", CONVERT)
    if first.endswith(b"/data.pkl"):
        return Content("a PyTorch file", CONVERT)
    return Content("a ZIP archive", UNPACK)


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character that the end of the head cuts
    return True
