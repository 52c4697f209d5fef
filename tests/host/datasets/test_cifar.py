"""Batches of CIFAR: what is taken for one, and what else may be in them."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from fractrain.host.datasets import cifar, load_dataset
from tests.host.datasets.archives import (
    cifar10_binary,
    cifar10_published,
    cifar10_python,
    cifar100_python,
    records,
    write_folder,
)

BATCH = "cifar-10-batches-py/data_batch_3"


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "u4", "i8", ">u8"])
def test_integers_of_any_width_that_are_bytes(dtype: str, tmp_path: Path) -> None:
    pixels, labels = records(4, 10, 2)
    batch = {b"data": pixels.astype(dtype), b"labels": labels.astype(dtype)}
    files = cifar10_python() | {BATCH: pickle.dumps(batch)}
    dataset = load_dataset(str(write_folder(tmp_path, files)))
    assert dataset.train_images.dtype == np.uint8 and dataset.train_labels.dtype == np.int64
    np.testing.assert_array_equal(dataset.train_images[8:12].reshape(4, -1), pixels)
    np.testing.assert_array_equal(dataset.train_labels[8:12], labels)


@pytest.mark.parametrize("kind", [str, bytes])
def test_keys_as_python_2_and_3_write_them(kind: type, tmp_path: Path) -> None:
    pixels, labels = records(4, 10, 2)
    keys = ("data", "labels") if kind is str else (b"data", b"labels")
    batch = dict(zip(keys, (pixels.tolist(), tuple(labels.tolist())), strict=True))
    files = cifar10_python() | {BATCH: pickle.dumps(batch)}
    dataset = load_dataset(str(write_folder(tmp_path, files)))
    np.testing.assert_array_equal(dataset.train_labels[8:12], labels)


def test_published_batches_name_types_as_numpy_wants_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They say ``dtype('u1', 0, 1)``; NumPy 2.4.0 to 2.4.4 warn of 0 and 1 for truth values."""
    seen = []

    class Picky:
        def __getattr__(self, name: str) -> object:
            return getattr(np, name)

        def dtype(self, kind: object, *, align: bool, copy: bool) -> np.dtype:
            seen.append((kind, align, copy))
            return np.dtype(kind, align=align, copy=copy)  # type: ignore[call-overload]

    monkeypatch.setattr(cifar, "np", Picky())
    load_dataset(str(write_folder(tmp_path, cifar10_published())))
    assert len(seen) == 6
    assert all((np.dtype(kind), *flags) == (np.uint8, False, True) for kind, *flags in seen)


def test_no_program_is_run_by_a_pickle() -> None:
    for name in ("os.system", "builtins.eval", "numpy.load", "pickle.loads", "numpy._core.x.y"):
        module, _, function = name.rpartition(".")
        with pytest.raises(pickle.UnpicklingError, match=f"it refers to {name}"):
            cifar._ArrayUnpickler(io.BytesIO(b"")).find_class(module, function)


def test_a_batch_too_many_is_told(tmp_path: Path) -> None:
    more = {"cifar-10-batches-py/data_batch_6": b"", "elsewhere/data_batch_7": b""}
    dataset = load_dataset(str(write_folder(tmp_path / "py", cifar10_python() | more)))
    assert dataset.notes == (
        "1 batch left out, no part of CIFAR-10, Python version: cifar-10-batches-py/data_batch_6",
    )
    more = {f"cifar-10-batches-bin/data_batch_{number}.bin": b"" for number in (0, 6)}
    dataset = load_dataset(str(write_folder(tmp_path / "bin", cifar10_binary() | more)))
    assert dataset.notes[0].startswith("2 batches left out, no part of CIFAR-10, binary version: ")


@pytest.mark.parametrize("make", [cifar10_python, cifar10_binary, cifar100_python])
def test_leftovers_beside_batches_are_no_data(make: object, tmp_path: Path) -> None:
    files = make()  # type: ignore[operator]
    hidden = {f"__MACOSX/{name}": b"x" for name in files}
    for name in files:
        folder, _, last = name.rpartition("/")
        hidden |= {f"{folder}/._{last}": b"x", f"{folder}/.copy/{last}": b"x"}
    assert load_dataset(str(write_folder(tmp_path, files | hidden))).notes == ()
