"""Templates of any room on the base that pages share."""

import re
import sys
from html import unescape
from types import ModuleType

import pytest
from jinja2 import UndefinedError

from frostline.invocation import VARIABLE
from frostline.reporting.page import Conclusion, Page
from frostline.reporting.render import render_html, render_page

TEMPLATE = """{% extends "base.html.jinja" %}
{% import "parts.html.jinja" as parts %}
{% block heading %}<p>above</p>{% endblock %}
{% block body %}<p>{{ text }}</p>{{ parts.number(column) }}{{ file("note.txt") }}{% endblock %}
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a template of its own."""
    folder = tmp_path / "own_pages"
    (folder / "templates").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "templates" / "own.html.jinja").write_text(TEMPLATE)
    (folder / "templates" / "note.txt").write_text("<b>as it is</b>")
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_pages"
    sys.modules.pop("own_pages", ModuleType("none"))


def test_a_template_of_another_room_extends_the_base_and_escapes_values(package):
    values = {"title": "a & b", "text": "<script>x</script>", "column": {"kind": "count"}}
    page = render_html("own.html.jinja", package=package, **values)
    assert page.startswith("<!DOCTYPE html>")
    assert "<title>a &amp; b</title>" in page
    assert "<h1>a &amp; b</h1>\n<p>above</p>" in page
    assert ":root { --bg: #fff;" in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "<script>" not in page
    assert "<b>as it is</b>" in page


def test_a_value_that_is_missing_is_an_error(package):
    with pytest.raises(UndefinedError, match="text"):
        render_html("own.html.jinja", package=package, title="t", column={"kind": "text"})


def test_a_page_without_figures_carries_no_plotly():
    page = render_page(Page("T", "today", Conclusion("H", [("Why", "a\nb")]), [], drawn=True))
    assert "<p>a</p>\n<p>b</p>" in page
    assert 'class="verdict drawings"' in page
    assert "<script" not in page
    assert len(page) < 10_000


def test_pages_have_one_main_part_and_one_heading_of_the_first_rank():
    page = render_page(Page("T", "today", Conclusion("H", [("Why", "a")]), [], drawn=False))
    assert page.count("<main") == page.count("</main>") == page.count("<h1>") == 1
    assert page.count("<header>") == 1
    assert page.index("</header>") < page.index("<main") < page.index("<h2")
    assert 'href="#content"' in page and 'id="content"' in page


@pytest.mark.parametrize("spelled", ["python -m src.", "frostline "])
def test_lines_that_are_commands_become_blocks(spelled, monkeypatch):
    monkeypatch.setenv(VARIABLE, spelled)
    text = f"Type:\n{spelled}train -m freeze=0,all 'data.path=a <b>'\nand read the table."
    page = render_page(Page("T", "today", Conclusion("H", [("Next", text)]), [], drawn=False))
    block = page[page.index('<div class="command">') : page.index("</code>")]
    typed = unescape(re.sub("<[^>]*>", "", block))
    assert typed == f"{spelled}train -m freeze=0,all 'data.path=a <b>'"
    assert "<p>Type:</p>" in page and "<p>and read the table.</p>" in page
    assert page.count('<div class="command">') == 1
    assert "clipboard" in page
