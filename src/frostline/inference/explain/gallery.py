"""Sheets of small pictures with captions, such as the one of the worst errors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from frostline.data.channels import in_colour
from frostline.reporting.fonts import font_file
from frostline.stats.predictions import Predictions

Rows = NDArray[np.int64]
Square = Callable[[str], NDArray[np.uint8]]
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
        pictures: One or more squares or rectangles side by side, each (H, W, C) uint8.
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
    bold = _font(title, 15)
    width = max(columns * (wide + _GAP_PX) + _GAP_PX, int(bold.getlength(title)) + 2 * _GAP_PX)
    sheet = Image.new("RGB", (width, _TITLE_PX + rows * (high + _GAP_PX)), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP_PX, 7), title, fill=_INK, font=bold)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        left, top = _GAP_PX + column * (wide + _GAP_PX), _TITLE_PX + row * (high + _GAP_PX)
        for part, picture in enumerate(tile.pictures):
            size = _shown_size(picture.shape[1], picture.shape[0])
            shown = Image.fromarray(in_colour(picture)).resize(size, Image.Resampling.BICUBIC)
            within = (TILE_PX - size[0]) // 2, (TILE_PX - size[1]) // 2
            sheet.paste(shown, (left + part * TILE_PX + within[0], top + within[1]))
        for line, (text, colour) in enumerate(tile.lines):
            position = (left, top + TILE_PX + 3 + line * _LINE_PX)
            font = _font(text, 11)
            draw.text(position, _fitting(text, font, wide), fill=COLOURS[colour], font=font)
    return sheet


def _shown_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of a picture within its tile, in its own proportions."""
    longer = max(width, height)
    return max(1, round(TILE_PX * width / longer)), max(1, round(TILE_PX * height / longer))


def _font(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, or one that has the letters of a text in another script."""
    if text.isascii():
        return ImageFont.load_default(size)
    return ImageFont.truetype(font_file(text), size)


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, wide: int) -> str:
    """Shorten a text that is too long in its middle: class names often differ only at one end."""
    if font.getlength(text) <= wide:
        return text
    for length in range(len(text) - 1, 2, -1):
        short = text[: (length + 1) // 2] + "…" + text[len(text) - length // 2 :]
        if font.getlength(short) <= wide:
            return short
    return text[:1]


def worst_errors(predictions: Predictions, limit: int) -> Rows:
    """Rows of wrong predictions, the most confident first."""
    wrong = np.flatnonzero(~predictions.correct)
    confidence = predictions.probs[wrong].max(axis=1).astype(np.float64)
    return np.asarray(wrong[np.argsort(-confidence, kind="stable")][:limit], dtype=np.int64)


def most_confident_right(predictions: Predictions, limit: int) -> Rows:
    """Rows of right predictions, the most confident of each class in turn."""
    right = np.flatnonzero(predictions.correct)
    confidence = predictions.probs[right].max(axis=1).astype(np.float64)
    ordered = right[np.argsort(-confidence, kind="stable")]
    rank_in_class: dict[int, int] = {}
    keys = []
    for position, row in enumerate(ordered.tolist()):
        label = int(predictions.labels[row])
        rank_in_class[label] = rank_in_class.get(label, -1) + 1
        keys.append((rank_in_class[label], position))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return np.asarray(ordered[order][:limit], dtype=np.int64)


def draw_gallery(
    predictions: Predictions,
    classes: Sequence[str],
    square: Square,
    *,
    limit: int,
    columns: int,
    title_suffix: str = "",
) -> Image.Image | None:
    """Draw a sheet of the worst errors; None if there is no error.

    Args:
        predictions: Of N images.
        classes: K names.
        square: Item to its image as the network takes it, (S, S, C) uint8.
        limit: Maximum number of images.
        columns: Images in a row.
        title_suffix: Added to the title.
    """
    rows = worst_errors(predictions, limit)
    if not len(rows):
        return None
    tiles = [Tile([square(str(predictions.items[row]))], caption(predictions, classes, row))
             for row in rows.tolist()]  # fmt: skip
    n_wrong = int((~predictions.correct).sum())
    title = f"Worst errors: {len(rows)} of {n_wrong} wrong among {len(predictions.labels)}"
    return draw_sheet(title + title_suffix, tiles, columns=columns)


def caption(predictions: Predictions, classes: Sequence[str], row: int) -> list[tuple[str, str]]:
    """Caption an image: predicted class with its probability, and the true class if it differs."""
    predicted = int(predictions.predicted[row])
    truth = int(predictions.labels[row])
    probability = float(predictions.probs[row, predicted])
    if predicted == truth:
        return [(f"{probability:.2f} {classes[predicted]}", "good")]
    return [(f"{probability:.2f} {classes[predicted]}", "bad"), (f"is {classes[truth]}", "ink")]
