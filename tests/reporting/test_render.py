"""Templates of any room on the base that pages share."""

import sys
from types import ModuleType

import pytest
from jinja2 import UndefinedError

from frostline.reporting.page import Conclusion, Page
from frostline.reporting.render import render_html, render_page

TEMPLATE = """{% extends "base.html.jinja" %}
{% import "parts.html.jinja" as parts %}
{% block style %}.own { color: red; }{% endblock %}
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
    assert ".own { color: red; }" in page
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
