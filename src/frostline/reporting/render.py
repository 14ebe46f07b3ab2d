"""Render self-contained HTML pages: styles, scripts, figures and plotly.js are in the file."""

import base64
import gzip
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from frostline.invocation import is_command
from frostline.reporting.page import Page
from frostline.reporting.plotly_figures import plotly_figure
from frostline.reporting.tables import shown

_PACKAGE = "frostline.reporting"


def render_page(page: Page) -> str:
    """Render a page with its tables and its interactive figures as HTML text."""
    return render_html(
        "report.html.jinja",
        title=page.title,
        page=page,
        plots={f"figure-{figure.id}": plotly_figure(figure) for figure in page.figures},
        plotly_gzip=_plotly_gzip() if page.figures else "",
    )


def render_html(template: str, *, package: str = _PACKAGE, **values: Any) -> str:
    """Render a template as HTML text; every value in it is escaped.

    The template may extend `base.html.jinja`, which needs the value `title` and has the blocks
    `heading`, `body` and `scripts`, and import the macros of `parts.html.jinja` (`prose`, `table`,
    `figure`). In a template, `file("NAME")` inserts a file of the templates' folder as it is, and
    the test `command` says whether a line is a command to type.

    Args:
        template: Its file name, such as `report.html.jinja`.
        package: The package whose folder `templates/` holds it.
        values: What the template shows.
    """
    return _environment(package).get_template(template).render(values)


@cache
def _environment(package: str) -> Environment:
    packages = dict.fromkeys([package, _PACKAGE])
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name, "templates") for name in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {
        "ensure_ascii": False,
        "allow_nan": False,
        "separators": (",", ":"),
    }

    def file(name: str) -> Markup:
        assert environment.loader is not None
        return Markup(environment.loader.get_source(environment, name)[0])

    environment.globals["file"] = file
    environment.filters["shown"] = shown
    environment.tests["command"] = is_command
    return environment


@cache
def _plotly_gzip() -> str:
    """plotly.js, compressed and in base64: 2 MB of text instead of 5."""
    from plotly.offline import get_plotlyjs

    packed = gzip.compress(get_plotlyjs().encode(), compresslevel=9, mtime=0)
    return base64.b64encode(packed).decode()
