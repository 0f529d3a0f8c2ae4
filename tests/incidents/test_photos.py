"""A photo is drawn anew: nothing of the place, the camera or the time is left in it."""

import io
from pathlib import Path

import pytest
from PIL import Image

from gis_service.errors import InputError, NotFoundError
from gis_service.incidents.photos import clean_photo, photo_file, read_photo, save_photo

LIMITS = {"most_pixels": 1_000_000, "longest_side": 200}
GPS, ORIENTATION, MAKER = 0x8825, 0x0112, 0x010F


def picture(form: str = "JPEG", size: tuple[int, int] = (300, 100), mode: str = "RGB") -> bytes:
    """A red picture that says where and with what it was taken."""
    image = Image.new(mode, size, "red" if mode != "L" else 90)
    exif = Image.Exif()
    exif[MAKER] = "SecretCamera"
    exif[ORIENTATION] = 6
    exif.get_ifd(GPS)[2] = (28.0, 42.0, 0.0)
    out = io.BytesIO()
    image.save(out, form, exif=exif.tobytes(), comment=b"SecretNote")
    return out.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_only_the_picture_is_left(form: str) -> None:
    raw = picture(form)
    assert b"SecretCamera" in raw
    photo = clean_photo(raw, **LIMITS)
    assert b"Secret" not in photo.body
    with Image.open(io.BytesIO(photo.body)) as image:
        assert image.format == "JPEG"
        assert dict(image.getexif()) == {}
        assert not {"exif", "comment", "icc_profile", "xmp"} & set(image.info)


def test_it_is_upright_and_not_larger_than_needed() -> None:
    photo = clean_photo(picture(), **LIMITS)  # 300 × 100, to be turned by a quarter
    assert (photo.width, photo.height) == (67, 200)


def test_what_is_transparent_becomes_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(out, "PNG")
    with Image.open(io.BytesIO(clean_photo(out.getvalue(), **LIMITS).body)) as image:
        assert image.getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize(
    "raw",
    [b"", b"hello", picture()[:400], b"GIF89a" + b"\x00" * 50, b"<svg xmlns='a'></svg>"],
)
def test_what_is_no_photo_is_refused(raw: bytes) -> None:
    with pytest.raises(InputError) as refused:
        clean_photo(raw, **LIMITS)
    assert refused.value.key == "incidents.photo_not_read"


def test_too_many_pixels_are_not_opened() -> None:
    with pytest.raises(InputError) as refused:
        clean_photo(picture("PNG", (1500, 1500)), **LIMITS)
    assert refused.value.key == "incidents.photo_too_many_pixels"


def test_the_same_picture_is_kept_once_under_its_hash(tmp_path: Path) -> None:
    photo = clean_photo(picture(), **LIMITS)
    assert save_photo(tmp_path, photo) == save_photo(tmp_path, clean_photo(picture(), **LIMITS))
    assert [file.name for file in tmp_path.rglob("*.*")] == [f"{photo.sha256}.jpg"]
    assert read_photo(tmp_path, photo.sha256) == photo.body


def test_a_file_that_is_gone_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_photo(tmp_path, "0" * 64)
    assert photo_file(tmp_path, "ab" * 32).parent.name == "ab"
