"""Small data sets in the formats of the large ones."""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

Files = dict[str, bytes]


def records(count: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels ``[count, 3072]`` and labels."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, 3072), dtype=np.uint8)
    return pixels, random.integers(0, classes, count)


def cifar10_python(folder: str = "cifar-10-batches-py/") -> Files:
    files = {}
    for number, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        pixels, labels = records(4, 10, number)
        batch = {b"data": pixels, b"labels": labels.tolist(), b"batch_label": b"x"}
        files[folder + name] = pickle.dumps(batch, protocol=2)
    return files


def cifar10_published() -> Files:
    """As Python 2 and the NumPy of 2009 wrote them: byte strings, and the old names."""
    files = cifar10_python()
    for number, name in enumerate(files):
        files[name] = _python_2_batch(*records(4, 10, number))
    return files


def _python_2_batch(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    """``{'data': array, 'labels': list}``, opcode by opcode (see `pickletools`)."""
    size = np.uint32(pixels.size).tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        + b"(K\x01K" + bytes([len(pixels)]) + b"M\x00\x0c\x86"
        + b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN" + 2 * b"J\xff\xff\xff\xff"
        + b"K\x00tb\x89T" + size + pixels.tobytes() + b"tb"
    )  # fmt: skip
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels" + numbers + b"u."


def cifar10_binary(folder: str = "cifar-10-batches-bin/") -> Files:
    files = {}
    for number, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        pixels, labels = records(4, 10, number)
        rows = np.concatenate([labels[:, None].astype(np.uint8), pixels], axis=1)
        files[f"{folder}{name}.bin"] = rows.tobytes()
    return files


def cifar100_python() -> Files:
    files = {"cifar-100-python/meta": b""}
    for number, name in enumerate(("train", "test")):
        pixels, labels = records(6, 100, number)
        batch = {b"data": pixels, b"fine_labels": labels.tolist(), b"coarse_labels": [0] * 6}
        files[f"cifar-100-python/{name}"] = pickle.dumps(batch, protocol=2)
    return files


def cifar100_binary() -> Files:
    files = {}
    for number, name in enumerate(("train", "test")):
        pixels, labels = records(6, 100, number)
        both = np.stack([labels // 5, labels], axis=1).astype(np.uint8)
        files[f"cifar-100-binary/{name}.bin"] = np.concatenate([both, pixels], axis=1).tobytes()
    return files


def image(pixels: np.ndarray, form: str = "PNG") -> bytes:
    """``[height, width]`` or ``[height, width, 3]``."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def image_folder(test: str = "test") -> Files:
    """Two classes; every image is of one value: 10 × class + number."""
    return {
        f"{split}/{label}/{number:04}.png": image(
            np.full((6, 8, 3), 100 * (split != "train") + 10 * index + number, np.uint8)
        )
        for split, count in (("train", 3), (test, 1))
        for index, label in enumerate(("cat", "dog"))
        for number in range(count)
    }


def write_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def write_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    """Compressed as the name says."""
    compression = path.suffix.removeprefix(".")
    with tarfile.open(path, "w" if compression == "tar" else f"w:{compression}") as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path
