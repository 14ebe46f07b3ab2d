import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from frostline.data.decode import MAX_PIXELS, UnreadableImageError, decode_bytes, decode_file


def saved(image, format_, **options):
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def pixel(data, x=0, y=0):
    image = decode_bytes(data)
    assert image.mode == "RGB"
    return image.getpixel((x, y))


def test_transparent_pixels_become_white():
    image = Image.new("RGBA", (4, 4), (200, 0, 0, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 128))
    data = saved(image, "PNG")
    assert pixel(data) == (255, 255, 255)
    assert pixel(data, 1) == (127, 127, 127)
    assert pixel(data, 2) == (200, 0, 0)


def test_grey_with_alpha():
    image = Image.new("LA", (2, 1), (40, 255))
    image.putpixel((0, 0), (40, 0))
    data = saved(image, "PNG")
    assert (pixel(data), pixel(data, 1)) == ((255, 255, 255), (40, 40, 40))


def test_palette_with_a_transparent_colour():
    image = Image.new("P", (2, 1), 1)
    image.putpalette([10, 20, 30, 90, 80, 70] + [0] * 762)
    image.putpixel((0, 0), 0)
    data = saved(image, "PNG", transparency=0)
    assert (pixel(data), pixel(data, 1)) == ((255, 255, 255), (90, 80, 70))


def test_rgb_with_a_transparent_colour():
    image = Image.new("RGB", (2, 1), (1, 2, 3))
    image.putpixel((1, 0), (9, 9, 9))
    data = saved(image, "PNG", transparency=(1, 2, 3))
    assert (pixel(data), pixel(data, 1)) == ((255, 255, 255), (9, 9, 9))


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_full_range(format_):
    values = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    data = saved(Image.fromarray(values), format_)
    assert [pixel(data, x)[0] for x in range(3)] == [0, 100, 255]


def test_16_bit_grey_with_a_transparent_value():
    values = np.array([[5, 257 * 100]], dtype=np.uint16)
    data = saved(Image.fromarray(values), "PNG", transparency=5)
    assert [pixel(data, x)[0] for x in range(2)] == [255, 100]


def png(width, height, bits, lines):
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_16_bit_colour():
    line = np.array([65535, 257 * 128, 0], dtype=">u2")
    data = png(1, 1, 16, b"\0" + line.tobytes())
    assert pixel(data) == (255, 128, 0)


def test_32_bit_integers_and_floats():
    integers = Image.fromarray(np.array([[0, 120, 255]], dtype=np.int32))
    assert [pixel(saved(integers, "TIFF"), x)[0] for x in range(3)] == [0, 120, 255]
    floats = Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32))
    assert [pixel(saved(floats, "TIFF"), x)[0] for x in range(3)] == [0, 128, 255]


def test_cmyk_jpeg():
    data = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)
    red, green, blue = pixel(data)
    assert red > 240 and green < 15 and blue < 15


def test_black_and_white():
    assert pixel(saved(Image.new("1", (3, 3), 1), "PNG")) == (255, 255, 255)


def test_exif_rotation_is_applied():
    image = Image.new("RGB", (4, 2), "black")
    image.putpixel((0, 0), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to stand upright
    upright = decode_bytes(saved(image, "PNG", exif=exif))
    assert upright.size == (2, 4)
    assert upright.getpixel((1, 0)) == (255, 0, 0)


def test_an_image_with_broken_exif_is_decoded():
    data = saved(Image.new("RGB", (8, 8), "red"), "JPEG", exif=b"Exif\0\0garbage that is no TIFF")
    assert pixel(data)[0] > 240


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixel(data) == (255, 0, 0)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_truncated_files_are_errors(format_):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), format_)
    with pytest.raises(UnreadableImageError):
        decode_bytes(data[: len(data) * 2 // 3])


def test_empty_files_and_other_formats():
    with pytest.raises(UnreadableImageError, match="the file is empty"):
        decode_bytes(b"")
    with pytest.raises(UnreadableImageError, match="not an image"):
        decode_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")


@pytest.mark.parametrize("side", [11_000, 20_000])
def test_too_large_images_are_errors_before_decoding(side):
    data = png(side, side, 8, b"")
    assert side**2 > MAX_PIXELS
    with pytest.raises(UnreadableImageError, match=r"megapixels; at most 120"):
        decode_bytes(data)


def test_missing_file(tmp_path):
    with pytest.raises(UnreadableImageError, match="No such file"):
        decode_file(tmp_path / "gone.png")
