"""Whatever is wrong in a file: a `DataError` in one line, or an image or archive after all."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fractrain.host.datasets import load_dataset
from fractrain.host.datasets.image import decode
from fractrain.hw.contract.errors import DataError
from tests.host.datasets.archives import cifar10_python, image_folder, write_folder, write_tar

TRIES = 60


def damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    """With some bytes changed, taken out, or put in; or cut off."""
    place, length = (int(each) for each in rng.integers(0, [len(whole), 40]))
    kind = rng.integers(4)
    if kind == 0:
        return whole[:place]
    middle = b"" if kind == 1 else rng.bytes(1 if kind == 2 else length)
    return whole[:place] + middle + whole[place + (1 if kind == 2 else length) :]


def attempt(read: Callable[[], object]) -> bool:
    """Whether it could be read; only one kind of error may come of it, in one line."""
    try:
        read()
    except DataError as error:
        text = str(error)
        assert "\n" not in text and "object at 0x" not in text and len(text) < 600
        return False
    return True


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_images(form: str, rng: np.random.Generator) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    pixels = rng.integers(0, 256, (12, 9, 4 if form in ("PNG", "WEBP") else 3), dtype=np.uint8)
    options = {} if form in ("BMP", "PPM", "GIF") else {"exif": exif}
    Image.fromarray(pixels).save(buffer, form, **options)
    read = [attempt(lambda: decode("x", damaged(buffer.getvalue(), rng))) for _ in range(TRIES)]
    assert not all(read)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_archives(
    compress: Callable[[bytes], bytes], tmp_path: Path, rng: np.random.Generator
) -> None:
    """Damaged before they are compressed, and after."""
    whole = write_tar(tmp_path / "x.tar", image_folder()).read_bytes()
    path = tmp_path / "damaged"
    read = []
    for number in range(TRIES):
        content = compress(whole) if number % 2 else damaged(whole[:9000], rng) + whole[9000:]
        path.write_bytes(damaged(content, rng) if number % 2 else compress(content))
        read.append(attempt(lambda: load_dataset(str(path))))
    assert not all(read)


def test_pickles(tmp_path: Path, rng: np.random.Generator) -> None:
    files = cifar10_python()
    path = write_folder(tmp_path, files)
    name = "cifar-10-batches-py/test_batch"
    head, tail = files[name][:200], files[name][200:]
    read = []
    for _ in range(TRIES):
        (path / name).write_bytes(damaged(head, rng) + tail)
        read.append(attempt(lambda: load_dataset(str(path))))
    assert not all(read)
