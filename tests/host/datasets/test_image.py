"""Single images: the pixels that every viewer shows, whatever the file stores."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fractrain.host.datasets import load_dataset
from fractrain.host.datasets.image import PILLOW_FORMATS, _formats, decode
from fractrain.hw.contract.errors import DataError
from tests.host.datasets.archives import image_folder, write_folder

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
GREY = PIXELS[..., 0]


def saved(pixels: np.ndarray | Image.Image, form: str, **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def read(data: bytes) -> np.ndarray:
    """``[height, width, channels]``, without a warning."""
    image, warning = decode("x", data)
    assert warning == ""
    return image.transpose(1, 2, 0)


LOSSLESS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("PNG", "BMP", "TIFF", "PPM"), {}),
    "WEBP": {"lossless": True},
}


@pytest.mark.parametrize("form", LOSSLESS)
def test_colours(form: str) -> None:
    np.testing.assert_array_equal(read(saved(PIXELS, form, **LOSSLESS[form])), PIXELS)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM"])
def test_grey_stays_one_channel(form: str) -> None:
    np.testing.assert_array_equal(read(saved(GREY, form)), GREY[..., None])
    bits = Image.fromarray(GREY > 99)
    np.testing.assert_array_equal(read(saved(bits, form))[..., 0], 255 * (GREY > 99))


@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP", "TIFF"])
def test_palettes(form: str) -> None:
    palette = Image.fromarray(PIXELS).quantize(48)
    np.testing.assert_array_equal(read(saved(palette, form)), np.asarray(palette.convert("RGB")))


def test_cmyk() -> None:
    """Also the upside-down values of Adobe's programs, which Pillow writes."""
    flat = np.broadcast_to(np.array([200, 40, 10], np.uint8), (16, 16, 3))
    data = saved(Image.fromarray(flat).convert("CMYK"), "JPEG", quality=100)
    assert np.abs(read(data).astype(int) - flat).max() <= 3


@pytest.mark.parametrize("name", ["0.jpg", "0.JPEG", "0.bmp", "0.GIF", "0.webp", "0.tif", "0.jfif"])
def test_the_content_counts_not_the_name(name: str, tmp_path: Path) -> None:
    files = image_folder() | {f"train/cat/{name}": saved(PIXELS, "PNG")}
    dataset = load_dataset(str(write_folder(tmp_path, files)))
    assert len(dataset.train_images) == 7 and dataset.notes == ()
    assert any(np.array_equal(each.transpose(1, 2, 0), PIXELS) for each in dataset.train_images)


# -- turned ------------------------------------------------------------------------------------

TURNS = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: lambda image: np.rot90(image),
}
"""EXIF orientation → what a viewer makes of what is stored."""


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_turned_as_its_exif_says(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(PIXELS, form, exif=exif, **LOSSLESS.get(form, {"quality": 100}))
    stored = PIXELS if form in LOSSLESS else read(saved(PIXELS, form, quality=100))
    np.testing.assert_array_equal(read(data), TURNS[orientation](stored))


def test_an_orientation_that_there_is_not() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    np.testing.assert_array_equal(read(saved(PIXELS, "PNG", exif=exif)), PIXELS)


# -- transparent -------------------------------------------------------------------------------


def on_white(alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return PIXELS * share + 255 * (1 - share)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_composited_on_white(form: str) -> None:
    alpha = np.linspace(0, 255, 48).astype(np.uint8).reshape(6, 8)
    image = np.concatenate([PIXELS, alpha[..., None]], axis=2)
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    data = saved(image, form, **options)
    assert np.abs(read(data) - on_white(alpha)).max() <= 1
    opaque = np.concatenate([PIXELS, np.full((6, 8, 1), 255, np.uint8)], axis=2)
    np.testing.assert_array_equal(read(saved(opaque, form, **options)), PIXELS)


def test_grey_with_alpha_stays_grey() -> None:
    alpha = np.where(GREY > 99, 255, 0).astype(np.uint8)
    image = Image.merge("LA", (Image.fromarray(GREY), Image.fromarray(alpha)))
    np.testing.assert_array_equal(read(saved(image, "PNG"))[..., 0], np.where(GREY > 99, GREY, 255))


def test_one_colour_that_is_transparent() -> None:
    spot = tuple(map(int, PIXELS[2, 3]))
    expected = PIXELS.copy()
    expected[2, 3] = 255
    np.testing.assert_array_equal(read(saved(PIXELS, "PNG", transparency=spot)), expected)
    grey = np.where(GREY == GREY[0, 0], 255, GREY)
    data = saved(GREY, "PNG", transparency=int(GREY[0, 0]))
    np.testing.assert_array_equal(read(data)[..., 0], grey)
    bits = Image.fromarray(GREY > 99)
    assert (read(saved(bits, "PNG", transparency=0)) == 255).all()
    white = read(saved(bits, "PNG", transparency=255))
    np.testing.assert_array_equal(white[..., 0], 255 * (GREY > 99))


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_palette_with_a_transparent_colour(form: str) -> None:
    palette = Image.fromarray(PIXELS).quantize(16)
    indices = np.asarray(palette)
    expected = np.asarray(palette.convert("RGB")).copy()
    expected[indices == indices[0, 0]] = 255
    data = saved(palette, form, transparency=int(indices[0, 0]))
    np.testing.assert_array_equal(read(data), expected)


def test_a_palette_with_alpha_for_each_colour() -> None:
    """Of which Pillow warns when it is made RGB."""
    palette = Image.fromarray(PIXELS).quantize(16)
    alpha = np.arange(0, 256, 16).astype(np.uint8)
    colours = np.asarray(palette.convert("RGB")) / 1
    share = alpha[np.asarray(palette)][..., None] / 255
    data = saved(palette, "PNG", transparency=alpha.tobytes())
    assert np.abs(read(data) - (colours * share + 255 * (1 - share))).max() <= 1


# -- odd, but images ---------------------------------------------------------------------------


def test_a_jpeg_with_a_second_image_is_its_first() -> None:
    """As cameras store a preview; no animation."""
    second = Image.new("RGB", (8, 6))
    data = saved(PIXELS, "MPO", save_all=True, append_images=[second], quality=100)
    np.testing.assert_array_equal(read(data), read(saved(PIXELS, "JPEG", quality=100)))


def test_one_frame_is_no_animation() -> None:
    frame = Image.fromarray(PIXELS)
    np.testing.assert_array_equal(read(saved(frame, "PNG", save_all=True)), PIXELS)


def flawed() -> bytes:
    """A PNG with a text where its EXIF data belong."""
    return saved(PIXELS, "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\xff\x01\x12")


def test_what_pillow_warns_of_is_said_once(tmp_path: Path) -> None:
    image, warning = decode("x", flawed())
    assert warning
    np.testing.assert_array_equal(image.transpose(1, 2, 0), PIXELS)
    files = image_folder() | {f"train/cat/{number}.png": flawed() for number in range(5, 8)}
    (note,) = load_dataset(str(write_folder(tmp_path, files))).notes
    assert note.startswith("3 images read in spite of flaws: train/cat/5.png and 2 more (")


def test_a_pillow_without_one_of_the_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _formats() == PILLOW_FORMATS
    data = saved(PIXELS, "WEBP")
    monkeypatch.delitem(Image.OPEN, "WEBP")
    _formats.cache_clear()
    np.testing.assert_array_equal(read(saved(PIXELS, "PNG")), PIXELS)
    with pytest.raises(DataError, match="it begins as a WebP image does, but is damaged, or"):
        read(data)
    _formats.cache_clear()
