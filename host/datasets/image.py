"""One image file as pixels, the way viewers show it."""

from __future__ import annotations

import functools
import io
import warnings
from typing import TYPE_CHECKING

import numpy as np

from fractrain.host.datasets.content import HEAD, identify
from fractrain.host.datasets.dataset import Images
from fractrain.host.datasets.wording import cause
from fractrain.hw.contract.errors import DataError
from fractrain.hw.contract.installation import needs_extra

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

__all__ = ["BACKGROUND", "EXTENSIONS", "FORMATS", "decode"]

EXTENSIONS = (
    *("jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "gif", "webp", "tif", "tiff"),
    *("ppm", "pgm", "pbm", "pnm"),
)
"""Suffixes of files that count as images; their content decides the format."""

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WebP", "TIFF", "PPM")

PILLOW_FORMATS = (*(name.upper() for name in FORMATS), "DIB")
"""Formats that are tried; no others, as Pillow starts a program for PostScript."""

BACKGROUND = "white"
"""Background of transparent images."""

LARGEST = 4096 * 4096
"""Pixels of an image."""

TOO_MANY_PIXELS = f"more than {LARGEST:,} pixels: make it smaller"


def decode(where: str, data: bytes) -> tuple[Images, str]:
    """``[1 or 3, height, width]`` of the file ``data``, and what Pillow warned of, if anything.

    Turned by its EXIF orientation; transparent parts composited on `BACKGROUND`. Grey stays one
    channel, everything else becomes RGB. Raises `DataError`, beginning with ``where``, for a file
    that is no image, is damaged, animated, too large, or has more than 8 bits.
    """
    with needs_extra("train"):
        from PIL import Image, ImageOps, UnidentifiedImageError
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with Image.open(io.BytesIO(data), formats=_formats()) as image:
                _check(image)
                grey = image.mode in ("1", "L", "LA")
                image.load()  # this turns a TIFF already
                turned = image if image.format == "TIFF" else ImageOps.exif_transpose(image)
                shown = _opaque(turned)
                pixels = np.asarray(shown.convert("L" if grey else "RGB"))
        except UnidentifiedImageError:
            raise DataError(f"{where} {_no_image(data)}") from None
        except Image.DecompressionBombError:
            raise DataError(f"{where} has {TOO_MANY_PIXELS}") from None
        except _Unfit as error:
            raise DataError(f"{where} {error}") from None
        except Exception as error:  # a damaged file can raise anything
            raise DataError(
                f"{where} is not an image that can be read: damaged or cut off ({cause(error)})"
            ) from error
    warning = cause(caught[0].message) if caught and isinstance(caught[0].message, Warning) else ""
    return (pixels[None] if grey else pixels.transpose(2, 0, 1)), warning


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those of `PILLOW_FORMATS` that this Pillow was built with."""
    from PIL import Image

    Image.init()
    return tuple(name for name in PILLOW_FORMATS if name in Image.OPEN)


class _Unfit(Exception):
    """An image that is whole, but cannot be used."""


def _check(image: ImageFile) -> None:
    if image.width * image.height > LARGEST:
        raise _Unfit(f"has {TOO_MANY_PIXELS}")
    # MPO: a JPEG with more images behind it, as cameras store previews
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise _Unfit("is animated or has several pages: save the image that counts as a file alone")
    if image.mode.startswith(("I", "F")) or _is_deep(image):
        raise _Unfit(f"has pixels of more than 8 bits (mode {image.mode}): save it with 8")


def _is_deep(image: ImageFile) -> bool:
    """Whether Pillow would drop bits: it gives colours of 16 bits as those of 8."""
    for tile in image.tile:
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if any(isinstance(each, str) and ";16" in each for each in arguments):
            return True
        if image.format == "PPM" and any(
            isinstance(each, int) and each > 255 for each in arguments
        ):
            return True
    return False


def _opaque(image: Image) -> Image:
    from PIL import Image as images

    # As has_transparency_data of Pillow 10.1; on the board it is Debian's 9.4.
    palette = image.palette.mode if image.palette else ""
    if not (image.mode.endswith(("A", "a")) or "transparency" in image.info or "A" in palette):
        return image
    background = images.new("RGBA", image.size, BACKGROUND)
    return images.alpha_composite(background, image.convert("RGBA"))


def _no_image(data: bytes) -> str:
    """The error for a file that Pillow does not recognize."""
    content = identify(data[:HEAD])
    formats = ", ".join(FORMATS)
    if content is None:
        return f"is not an image: it is none of {formats}, or its beginning is damaged"
    if content.what in FORMATS_IN_WORDS:
        return (
            f"is not an image that can be read: it begins as {content.what} does, but is damaged, "
            "or Pillow was built without that format"
        )
    return f"is not an image: it is {content.what}; images are read as {formats}"


FORMATS_IN_WORDS = tuple(f"a {name} image" for name in FORMATS)
