"""Sheets of small pictures with captions, drawn without a plotting library."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TILE_PX = 132
_GAP_PX = 10
_LINE_PX = 15
_TITLE_PX = 30
_INK, _GREY, _GOOD, _BAD = (25, 25, 25), (110, 110, 110), (24, 110, 60), (176, 30, 30)
COLOURS = {"ink": _INK, "grey": _GREY, "good": _GOOD, "bad": _BAD}


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    Attributes:
        pictures: One or more squares side by side, each (S, S, 3) uint8.
        lines: Caption, each line with its colour, one of `COLOURS`.
    """

    pictures: Sequence[NDArray[np.uint8]]
    lines: Sequence[tuple[str, str]]


def draw_sheet(title: str, tiles: Sequence[Tile], *, columns: int) -> Image.Image:
    """Draw tiles in rows under a title, on white.

    Args:
        title: What is shown.
        tiles: All with the same number of pictures and at most a few lines.
        columns: Tiles in a row.
    """
    columns = max(1, min(columns, len(tiles)))
    wide = TILE_PX * max((len(tile.pictures) for tile in tiles), default=1)
    high = TILE_PX + _LINE_PX * max((len(tile.lines) for tile in tiles), default=0) + 4
    rows = -(-len(tiles) // columns)
    font, bold = _font(11), _font(15)
    width = max(columns * (wide + _GAP_PX) + _GAP_PX, int(bold.getlength(title)) + 2 * _GAP_PX)
    sheet = Image.new("RGB", (width, _TITLE_PX + rows * (high + _GAP_PX)), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP_PX, 7), title, fill=_INK, font=bold)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        left, top = _GAP_PX + column * (wide + _GAP_PX), _TITLE_PX + row * (high + _GAP_PX)
        for part, picture in enumerate(tile.pictures):
            shown = Image.fromarray(picture).resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC)
            sheet.paste(shown, (left + part * TILE_PX, top))
        for line, (text, colour) in enumerate(tile.lines):
            position = (left, top + TILE_PX + 3 + line * _LINE_PX)
            draw.text(position, _fitting(text, font, wide), fill=COLOURS[colour], font=font)
    return sheet


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, wide: int) -> str:
    """Shorten a text that is too long in its middle: class names often differ only at one end."""
    if font.getlength(text) <= wide:
        return text
    for length in range(len(text) - 1, 2, -1):
        short = text[: (length + 1) // 2] + "…" + text[len(text) - length // 2 :]
        if font.getlength(short) <= wide:
            return short
    return text[:1]
