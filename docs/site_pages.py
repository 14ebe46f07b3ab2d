"""MkDocs hooks: README, CONTRIBUTING, CHANGELOG and the studies join the site.

The Markdown files are written for whoever reads them in the repository. In the site, a link to
another page leads to that page; one to a source file, which the site lacks, becomes plain text.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
MORE = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "experiments/*.md",
    "benchmarks/README.md",
    "benchmarks/results/*.svg",
)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]*)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are outside docs/."""
    for pattern in MORE:
        for path in sorted(ROOT.glob(pattern)):
            uri = site_uri(path)
            if files.get_file_from_path(uri) is None:
                files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Let links lead to pages of the site, or become text."""
    source = Path(str(page.file.abs_src_path))

    def placed(match: re.Match[str]) -> str:
        image, text, target, anchor = match.groups(default="")
        if not target or "://" in target:
            return match.group()
        path = (source.parent / target).resolve()
        if not path.is_relative_to(ROOT) or files.get_file_from_path(site_uri(path)) is None:
            return text
        here = Path(page.file.src_uri).parent
        up = "../" * len(here.parts)
        return f"{image}[{text}]({up}{site_uri(path)}{anchor})"

    return LINK.sub(placed, markdown)


def site_uri(path: Path) -> str:
    """Where a file of the repository stands in the site; README is its first page."""
    inside = path.relative_to(ROOT)
    if inside == Path("README.md"):
        return "index.md"
    parts = inside.parts[1:] if inside.parts[0] == "docs" else inside.parts
    return "/".join(parts)
