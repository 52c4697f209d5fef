"""One file of a folder of images that cannot be used as the others are."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.host.datasets.archives import image_folder, write_folder
from tests.wrong_inputs.wrong_input import WrongInput

GOOD = image_folder()
SIZE = (8, 6)

FORMATS = {"png": "PNG", "jpg": "JPEG", "bmp": "BMP", "gif": "GIF", "webp": "WEBP", "tif": "TIFF"}


def wrong_inputs() -> Iterator[WrongInput]:
    yield from no_images()
    yield from damaged()
    yield from too_deep()
    yield from moving()
    yield from too_large()
    yield from of_another_size()


def case(name: str, file: str, data: bytes, says: str) -> WrongInput:
    def prepare(folder: Path) -> None:
        write_folder(folder / "D", GOOD | {file: data})

    arguments = ("train", "--dataset", "D", "--steps", "1", "--batch", "4")
    return WrongInput(name, arguments, f"D: {file} .*{says}", 3, prepare)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def noise(size: tuple[int, int] = SIZE) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def zipped(name: str = "0.png") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, GOOD["train/cat/0000.png"])
    return buffer.getvalue()


def no_images() -> Iterator[WrongInput]:
    contents = {
        "is empty": b"",
        "an HTML page": b"\n<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "html": b"\xef\xbb\xbf<HTML>",
        "a ZIP archive": zipped(),
        "a file compressed by gzip": b"\x1f\x8b" + bytes(50),
        "a PDF file": b"%PDF-1.7\n",
        "a PostScript file": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n",
        "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "a text file": b"cat, cat, dog\n",
        "an SVG image": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
        "a HEIC image": b"\x00\x00\x00\x18ftypheic" + bytes(40),
        "an AVIF image": b"\x00\x00\x00\x18ftypavif" + bytes(40),
        "a Photoshop image": b"8BPS" + bytes(40),
        "a NumPy array": b"\x93NUMPY\x01\x00",
        "zeros": bytes(1000),
        "its beginning is damaged": bytes(range(200, 256)) * 9,
    }
    for what, data in contents.items():
        says = "an HTML page" if what == "html" else what
        for extension in ("png", "JPG"):
            yield case(f"{what} as {extension}", f"train/cat/7.{extension}", data, says)


def damaged() -> Iterator[WrongInput]:
    for extension, form in FORMATS.items():
        whole = saved(noise((40, 40)), form)
        for percent in (5, 50):
            cut = whole[: len(whole) * percent // 100]
            says = "not an image( that can be read)?: "
            yield case(f"{form} cut at {percent} %", f"test/dog/7.{extension}", cut, says)
    png = saved(noise(), "PNG")
    place = png.index(b"IDAT") + 9
    wrong_sum = png[:place] + bytes([png[place] ^ 1]) + png[place + 1 :]
    yield case("PNG with a wrong check sum", "train/dog/7.png", wrong_sum, "damaged or cut off")
    no_pixels = png[:33] + chunk(b"IEND", b"")
    yield case("PNG without pixels", "train/dog/7.png", no_pixels, "damaged or cut off")
    lies = png.replace(struct.pack(">II", *SIZE), struct.pack(">II", 8, 6000))
    yield case("PNG with a wrong head", "train/dog/7.png", lies, "a PNG image does, but is damaged")


def chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))


def png_of(width: int, height: int, bits: int, colour: int) -> bytes:
    """A PNG by hand; Pillow writes no colours of 16 bits."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    rows = bytes(height * (1 + width * channels * bits // 8)) if width < 100 else b""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def too_deep() -> Iterator[WrongInput]:
    says = "more than 8 bits"
    for colour, name in ((0, "grey"), (2, "RGB"), (4, "grey with alpha"), (6, "RGB with alpha")):
        yield case(f"PNG of 16 bits, {name}", "train/cat/7.png", png_of(*SIZE, 16, colour), says)
    for mode in ("I;16", "I", "F"):
        data = saved(Image.new(mode, SIZE), "TIFF")
        yield case(f"TIFF of mode {mode}", "train/cat/7.tiff", data, says)
    for kind, channels in ((b"P5", 1), (b"P6", 3)):
        for largest in (256, 65535):
            data = kind + b"\n8 6\n%d\n" % largest + bytes(2 * 48 * channels)
            yield case(f"{kind.decode()} up to {largest}", "train/cat/7.ppm", data, says)


def moving() -> Iterator[WrongInput]:
    frames = [Image.new("RGB", SIZE, colour) for colour in ("red", "blue", "lime")]
    for extension in ("png", "gif", "webp", "tif"):
        for count in (2, 3):
            rest = frames[1:count]
            data = saved(frames[0], FORMATS[extension], save_all=True, append_images=rest)
            name = f"{extension} of {count} frames"
            yield case(name, f"test/cat/7.{extension}", data, "is animated or has several pages")


def too_large() -> Iterator[WrongInput]:
    for width, height in ((4097, 4096), (20_000, 5_000), (200_000, 200_000), (2**31 - 1, 1)):
        says = "has more than 16,777,216 pixels: make it smaller"
        data = png_of(width, height, 8, 2)
        yield case(f"PNG of {width} x {height}", "train/cat/7.png", data, says)


def of_another_size() -> Iterator[WrongInput]:
    for extension, form in FORMATS.items():
        data = saved(noise((6, 8)), form)
        yield case(
            f"{form} on edge", f"train/dog/7.{extension}", data, "is of 6 x 8 pixels, .*alike"
        )
    for extension in ("jpg", "png", "webp", "tif"):
        exif = Image.Exif()
        exif[0x0112] = 6
        data = saved(noise(), FORMATS[extension], exif=exif)
        yield case(
            f"{extension} to be turned", f"train/dog/7.{extension}", data, "is of 6 x 8 pixels"
        )
