"""Photos: looked at, drawn anew without anything but the picture, kept by the hash of what is left.

Place, camera and time that a phone writes into a picture never reach the disk. Knows a folder and
no store.
"""

import hashlib
import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from gis_service.errors import InputError, NotFoundError, Place

FORMATS: Final = ("JPEG", "PNG", "WEBP")
MEDIA_TYPE: Final = "image/jpeg"
_QUALITY: Final = 85
_PLACE: Final = Place(field="photo")


@dataclass(frozen=True)
class CleanPhoto:
    """A picture that may be kept."""

    sha256: str
    body: bytes
    width: int
    height: int


def clean_photo(raw: bytes, *, most_pixels: int, longest_side: int) -> CleanPhoto:
    """
    Draw a picture anew, upright, not larger than needed, without what is written beside it.

    Parameters
    ----------
    raw
        A file as it was sent.
    most_pixels
        Width times height that is opened at all.
    longest_side
        Of the picture that is kept.

    Returns
    -------
    CleanPhoto
        A JPEG without EXIF, place, colour profile, comment or thumbnail.

    Raises
    ------
    InputError
        It is no picture of a kind we take, is broken, or is too large.
    """
    try:
        with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
            if image.width * image.height > most_pixels:
                raise InputError(
                    "incidents.photo_too_many_pixels", place=_PLACE, most=most_pixels // 1_000_000
                )
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((longest_side, longest_side))
            picture = _paint_on_white(upright)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError("incidents.photo_not_read", place=_PLACE) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(
            "incidents.photo_too_many_pixels", place=_PLACE, most=most_pixels // 1_000_000
        ) from error
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY, optimize=True)
    body = out.getvalue()
    return CleanPhoto(hashlib.sha256(body).hexdigest(), body, picture.width, picture.height)


def _paint_on_white(image: Image.Image) -> Image.Image:
    """Copy the pixels and nothing else; what is transparent becomes white."""
    whole = image.convert("RGBA")
    picture = Image.new("RGB", whole.size, "white")
    picture.paste(whole, mask=whole.getchannel("A"))
    return picture


def photo_file(folder: Path, sha256: str) -> Path:
    """Say where a photo lies."""
    return folder / sha256[:2] / f"{sha256}.jpg"


def save_photo(folder: Path, photo: CleanPhoto) -> Path:
    """
    Write a photo; one that is there already stays.

    Parameters
    ----------
    folder
        Of all photos.
    photo
        From :func:`clean_photo`.

    Returns
    -------
    Path
        The whole file: it appears under its name only when every byte is on the disk.
    """
    file = photo_file(folder, photo.sha256)
    if file.exists():
        return file
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as part:
        part.write(photo.body)
        part.flush()
        os.fsync(part.fileno())
    Path(part.name).replace(file)
    return file


def read_photo(folder: Path, sha256: str) -> bytes:
    """
    Read a photo.

    Parameters
    ----------
    folder
        Of all photos.
    sha256
        Which.

    Returns
    -------
    bytes
        A JPEG.

    Raises
    ------
    NotFoundError
        The file is gone from the data folder.
    """
    try:
        return photo_file(folder, sha256).read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError("incidents.no_photo") from error
