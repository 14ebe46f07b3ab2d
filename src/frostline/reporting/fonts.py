"""Letters of all scripts in figures that matplotlib draws."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib import rc_context
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

# Matplotlib's own font has Latin, Greek, Cyrillic, Arabic and Hebrew letters. For others it looks
# in these, in their order, as far as they are installed; they come with Linux, macOS and Windows.
_OWN = "DejaVu Sans"
_FURTHER = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "Noto Sans JP",
    "Noto Sans KR", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback",
    "PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic",
    "Malgun Gothic", "SimHei", "Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil",
    "Noto Sans Thai", "Nirmala UI", "Leelawadee UI", "Kohinoor Devanagari", "Unifont",
    "Arial Unicode MS",
)  # fmt: skip


@contextmanager
def names_as_they_are() -> Iterator[None]:
    """A block in which names are drawn as they are.

    `cost_$5_to_$10` is no formula, and letters of any script come from an installed font; where
    none has them, they become boxes, without a warning for each.
    """
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)  # it warns where a font has no bold letters
    try:
        with (
            rc_context({"text.parse_math": False, "font.family": families()}),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            yield
    finally:
        log.setLevel(level)


@cache
def families() -> list[str]:
    """Matplotlib's own font, and further ones for the letters that it lacks."""
    installed = {font.name for font in fontManager.ttflist}
    return [_OWN, *(name for name in _FURTHER if name in installed)]


def font_file(text: str) -> str:
    """The file of the first font that has all letters of a text, else of matplotlib's own.

    Args:
        text: One line.
    """
    letters = {ord(char) for char in text if not char.isspace()}
    for family in families():
        path = findfont(FontProperties(family=family))
        if letters <= set(get_font(path).get_charmap()):
            return path
    return findfont(FontProperties(family=_OWN))
