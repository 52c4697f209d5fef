"""Files given as a data set that are no tar archive, damaged, or unreasonable ones."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.host.datasets.archives import Files, image_folder
from tests.wrong_inputs.kinds.image_files import png_of, zipped
from tests.wrong_inputs.wrong_input import WrongInput

GOOD = image_folder()
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
GIGABYTE = 1 << 30


def wrong_inputs() -> Iterator[WrongInput]:
    yield from other_files()
    yield from compressed_other_files()
    yield from without_data()
    yield from damaged()
    yield from unreasonable()
    yield from unusable_members()


def case(name: str, file: str, data: bytes, says: str) -> WrongInput:
    def prepare(folder: Path) -> None:
        (folder / file).write_bytes(data)

    arguments = ("train", "--dataset", file, "--steps", "1", "--batch", "4")
    return WrongInput(name, arguments, f"{file}.*{says}", 3, prepare)


def tar(files: Files, *more: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member, data in more:
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def entry(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


OTHERS = {
    "a.zip": (zipped(), "a ZIP archive; unpack it"),
    "a.npz": (zipped("x_train.npy"), "an archive of NumPy arrays .*save its images"),
    "a.pt": (zipped("archive/data.pkl"), "a PyTorch file; save its images"),
    "a.npy": (b"\x93NUMPY\x01\x00", "a NumPy array .*save its images"),
    "a.mat": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB file .*save its images"),
    "b.mat": (b"MATLAB 7.3 MAT-file" + bytes(493) + b"\x89HDF\r\n\x1a\n", "a MATLAB file"),
    "a.h5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file; save its images"),
    "a.parquet": (b"PAR1" + bytes(99), "a Parquet file; save its images"),
    "a.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(99), "a 7z archive; unpack it"),
    "a.rar": (b"Rar!\x1a\x07\x01\x00" + bytes(99), "a RAR archive; unpack it"),
    "a.tar.zst": (b"\x28\xb5\x2f\xfd" + bytes(99), "compressed by zstd; unpack it"),
    "train-images-idx3-ubyte": (b"\x00\x00\x08\x03" + bytes(99), "an IDX file, as of MNIST"),
    "data_batch_1": (b"\x80\x02}q\x00", "a Python pickle; .*give its folder"),
    "a.png": (GOOD["train/cat/0000.png"], "a PNG image; give the folder"),
    "a.txt": (b"cat\ndog\n", "a text file; give the folder"),
    "a.html": (b"<!doctype html><title>Log in</title>", "an HTML page; .*fetch it again"),
    "a.pdf": (b"%PDF-1.4", "a PDF file"),
    "a.sqlite": (b"SQLite format 3\x00" + bytes(99), "an SQLite database"),
    "lfs.tar.gz": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    "a.bin": (bytes(range(255, 0, -1)) * 9, "cannot be read as a tar archive"),
}  # fmt: skip


def other_files() -> Iterator[WrongInput]:
    for name, (data, says) in OTHERS.items():
        yield case(name, name, data, f"is {says}" if says[0] == "a" else says)


def compressed_other_files() -> Iterator[WrongInput]:
    for ending, compress in COMPRESS.items():
        if ending == "tar":
            continue
        for name in ("a.mat", "train-images-idx3-ubyte", "a.txt", "a.png"):
            data, says = OTHERS[name]
            says = f"compressed, but inside is no tar archive: it is {says.partition(';')[0][:9]}"
            yield case(f"{name}.{ending}", f"{name}.{ending}", compress(data), says)
        twice = compress(gzip.compress(tar(GOOD)))
        yield case(
            f"gz in {ending}", f"a.{ending}", twice, "it is a file compressed by gzip; unpack"
        )


def without_data() -> Iterator[WrongInput]:
    for ending, compress in COMPRESS.items():
        yield case(f"empty {ending}", f"a.{ending}", b"", "is empty; .*fetch it again")
        nothing = compress(tar({}))
        yield case(f"{ending} of nothing", f"a.{ending}", nothing, "zeros: it is an empty archive")
        within = compress(tar({"inner.tar.gz": gzip.compress(tar(GOOD))}))
        yield case(f"tar in {ending}", f"a.{ending}", within, "holds inner.tar.gz: unpack it")
        train = {name: data for name, data in GOOD.items() if name.startswith("train")}
        yield case(f"{ending} without test", f"a.{ending}", compress(tar(train)), "no test/")
        twice = {f"{root}/{name}": data for root in "ab" for name, data in GOOD.items()}
        says = "several data sets, in a/ and b/: unpack it, and give"
        yield case(f"{ending} of two sets", f"a.{ending}", compress(tar(twice)), says)
        junk = {f"__MACOSX/{name}": data for name, data in GOOD.items()}
        yield case(f"{ending} of leftovers", f"a.{ending}", compress(tar(junk)), "has no files")


def damaged() -> Iterator[WrongInput]:
    says = "cannot be read as a tar archive .*incomplete"
    whole = tar(GOOD)
    for ending, compress in COMPRESS.items():
        packed = compress(whole)
        for percent in (3, 40, 70):
            # Of the archive within, where it is not compressed: its end is 10 KB of zeros.
            size = len(whole.rstrip(b"\0")) if ending == "tar" else len(packed)
            cut = packed[: size * percent // 100]
            yield case(f"{ending} cut at {percent} %", f"a.{ending}", cut, says)
        between = compress(whole[: whole.index(b"test/cat/")])
        yield case(f"{ending} cut between members", f"a.{ending}", between, says)
        place = whole.index(b"train/dog/0001")
        head = compress(whole[:place] + b"T" + whole[place + 1 :])
        yield case(
            f"{ending} with a damaged entry", f"a.{ending}", head, "an entry has a bad checksum"
        )
        behind = compress(whole + tar(GOOD))
        yield case(
            f"two behind each other in {ending}", f"a.{ending}", behind, "more behind its end"
        )
        place = len(packed) // 2
        flipped = packed[:place] + bytes([packed[place] ^ 255]) + packed[place + 1 :]
        if ending != "tar":
            yield case(f"{ending} with a wrong bit", f"a.{ending}", flipped, says)


def unreasonable() -> Iterator[WrongInput]:
    for size in (8 * GIGABYTE, 1 << 59, 1 << 62, 1 << 80):
        member = tarfile.TarInfo("train/cat/big.png")
        member.size = size
        head = member.tobuf(tarfile.GNU_FORMAT)
        says = "unpacks to more than .*big.png alone|an entry of"
        for ending, compress in COMPRESS.items():
            data = compress(tar(GOOD)[:-10240] + head + bytes(2048))
            yield case(f"{ending}, entry of {size}", f"a.{ending}", data, says)
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
        member = tarfile.TarInfo("long")
        member.type, member.size = kind, 50 * GIGABYTE
        data = member.tobuf(tarfile.GNU_FORMAT) + bytes(2048)
        yield case(
            f"extension {kind!r} of 50 GB", "a.tar", data, "an entry of 53,687,091,200 bytes"
        )
    deep = "/".join(["d"] * 70)
    files = GOOD | {f"train/cat/{deep}/0.png": GOOD["train/cat/0000.png"]}
    yield case("70 folders deep", "a.tar", tar(files), "64 folders deep")
    picture = GOOD | {"train/cat/x.png": png_of(30_000, 30_000, 8, 0)}
    yield case("a large picture", "a.tar", tar(picture), "has more than 16,777,216 pixels")


def unusable_members() -> Iterator[WrongInput]:
    symbolic, hard = tarfile.SYMTYPE, tarfile.LNKTYPE
    for kind, what in ((symbolic, "symbolic"), (hard, "hard")):
        for target in ("gone.png", "../../../etc/passwd", "/etc/passwd", "x.png"):
            data = tar(GOOD, entry("train/cat/x.png", kind, target))
            says = r"train/cat/x\.png is a link to .*, no other file or folder in it"
            yield case(f"{what} link to {target}", "a.tar", data, says)
    for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE):
        data = tar(GOOD, entry("train/cat/x.png", kind))
        yield case(f"member {kind!r}", "a.tar", data, "is a device or FIFO")
    circle = (entry("train/a", symbolic, "b"), entry("train/b", symbolic, "a"))
    yield case("links in a circle", "a.tar", tar(GOOD, *circle), "train/[ab] is a link to")
    data = tar(GOOD, entry("train/cat/up", symbolic, ".."))
    yield case("a link upwards", "a.tar", data, "train/cat/up is a link to")
