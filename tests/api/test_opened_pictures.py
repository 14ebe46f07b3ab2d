"""Opened pictures of Pillow in each mode are classified as their files are."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.api.model import _as_files
from frostline.data.channels import read_image

MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "F", "I", "LAB", "YCbCr", "HSV"]


def picture(mode):
    values = np.random.default_rng(0).integers(0, 255, (8, 12, 3)).astype(np.uint8)
    image = Image.fromarray(values)
    if mode == "I;16":
        return Image.fromarray(values[..., 0].astype(np.uint16) * 200)
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(image, *profiles, outputMode="LAB")
    return image.convert(mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_of_each_mode_is_what_its_file_is(tmp_path, mode):
    exif = Image.Exif()
    exif[0x0112] = 6
    suffix = ".tiff" if mode in {"CMYK", "F", "I", "LAB", "YCbCr"} else ".png"
    original = picture(mode).convert("RGB") if mode == "HSV" else picture(mode)
    original.save(file := tmp_path / f"file{suffix}", exif=exif)
    opened = picture(mode)
    opened.getexif()[0x0112] = 6
    with _as_files([opened]) as (words, _):
        image = read_image(Path(words[0]), None, 3)
    expected = read_image(file, None, 3)
    assert expected.size == (8, 12)
    assert np.array_equal(np.asarray(image), np.asarray(expected))
