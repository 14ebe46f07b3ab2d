"""Pictures that only decode and resize alike if every step is alike."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image

ORIENTATION = 0x0112
# Those that nothing can read, and a word of the reason.
UNREADABLE = {"cut.jpg": "damaged", "empty.png": "empty", "text.jpg": "not an image"}


def draw_odd_pictures(folder: Path) -> None:
    """Draw one of each kind: modes, depths, turns, shapes, animations, and what is no image."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(7)

    def rgb(width: int, height: int) -> Image.Image:
        # Half of it noise of black and white, where each step of rounding shows.
        values = np.linspace(0, 255, width * height * 3).reshape(height, width, 3)
        noise = rng.integers(0, 2, (height, width, 3)) * 255
        return Image.fromarray(np.where(rng.random((height, width, 1)) < 0.5, values, noise)
                               .astype(np.uint8))  # fmt: skip

    def alpha(width: int, height: int) -> Image.Image:
        return Image.fromarray(rng.integers(0, 256, (height, width)).astype(np.uint8))

    photo = rgb(90, 70)
    transparent = photo.copy()
    transparent.putalpha(alpha(90, 70))
    transparent.save(folder / "rgba.png")
    Image.merge("LA", (photo.convert("L"), alpha(90, 70))).save(folder / "la.png")
    palette = photo.quantize(16)
    palette.save(folder / "palette.png")
    palette.save(folder / "palette_one_clear.png", transparency=3)
    shades = bytes(range(0, 256, 16))
    palette.save(folder / "palette_shades.png", transparency=shades)
    palette.save(folder / "palette_clear.gif", transparency=5)
    photo.save(folder / "one_clear_colour.png", transparency=photo.getpixel((3, 3)))
    photo.convert("L").save(folder / "grey.jpg")
    photo.convert("1").save(folder / "bits.png")
    deep = rng.integers(0, 65536, (70, 90)).astype(np.uint16)
    Image.fromarray(deep).save(folder / "sixteen.png")
    Image.fromarray(deep).save(folder / "sixteen.tif")
    Image.fromarray((deep / 65535).astype(np.float32)).save(folder / "float.tif")
    photo.convert("CMYK").save(folder / "cmyk.jpg")
    for turn in (3, 6, 8):
        exif = Image.Exif()
        exif[ORIENTATION] = turn
        photo.save(folder / f"turned_{turn}.jpg", exif=exif)
    photo.save(folder / "turned_transparent.webp", lossless=True, exif=_exif(5))
    photo.save(folder / "broken_exif.jpg", exif=b"Exif\0\0II*\0" + struct.pack("<I", 9999))
    rgb(1, 1).save(folder / "one_pixel.png")
    rgb(3, 2).save(folder / "tiny.png")
    rgb(700, 4).save(folder / "wide.png")
    rgb(4, 700).save(folder / "tall_thin.png")
    rgb(150, 900).save(folder / "tall.png")
    rgb(20_000, 1).save(folder / "strip.png")
    rgb(64, 64).save(folder / "as_large_as_the_input.png")
    frames = [rgb(80, 60) for _ in range(3)]
    for name, options in (("moving.gif", {}), ("moving.webp", {"lossless": True})):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:], **options)
    photo.save(folder / "Blätter, 葉 & co.png")
    (folder / "deeper").mkdir()
    rgb(40, 50).save(folder / "deeper" / "UPPER.JPG")
    photo.save(folder / "._hidden.png")
    whole = (folder / "turned_3.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("not found")


def _exif(turn: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    return exif
