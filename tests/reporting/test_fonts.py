"""Letters of all scripts, where a font has them."""

import warnings

import numpy as np
import pytest
from matplotlib.font_manager import get_font

from frostline.inference.explain.gallery import Tile, draw_sheet
from frostline.reporting import fonts


@pytest.mark.parametrize("text", ["cat", "Ähre", "ржавчина", "σκουριά"])
def test_matplotlibs_own_font_has_them(text):
    file = fonts.font_file(text)
    assert {ord(char) for char in text} <= set(get_font(file).get_charmap())


def test_an_installed_font_is_taken_for_letters_that_it_lacks():
    file = fonts.font_file("新しい")
    if len(fonts.families()) == 1:
        pytest.skip("no font with such letters is installed: fonts-wqy-zenhei has them")
    assert ord("新") in get_font(file).get_charmap()


def test_without_one_a_figure_is_drawn_without_a_warning_for_each_letter(tmp_path, monkeypatch):
    from frostline.inference.explain.evidence_figures import confusion_figure

    monkeypatch.setattr(fonts, "families", lambda: ["DejaVu Sans"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        confusion_figure(np.array([[3, 1], [0, 4]]), ["新しい", "cat"], tmp_path / "figure.png")
        sheet = draw_sheet("新しい", [Tile([], [("新しい", "good")])], columns=1)
    assert (tmp_path / "figure.png").stat().st_size > 1000
    assert sheet.height > 0
