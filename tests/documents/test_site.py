"""`make docs`: every page joins the site, no link is lost, nothing is fetched from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents.blocks import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={"NO_MKDOCS_2_WARNING": "true", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    pages = {f"{path.stem}.html" for path in (ROOT / "docs").glob("*.md")}
    pages |= {f"experiments/{path.stem}.html" for path in (ROOT / "experiments").glob("*.md")}
    pages = {page.replace("experiments/README", "experiments/index") for page in pages}
    missing = sorted(page for page in pages if not (site / page).is_file())
    assert missing == []
    assert "The frost line is the depth" in (site / "index.html").read_text(encoding="utf-8")


def test_links_lead_to_files_of_the_site_and_nothing_is_fetched(site: Path) -> None:
    lost, fetched = [], []
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r'(?:href|src)="([^"]+)"', text):
            place = target.partition("#")[0].partition("?")[0]
            if not place or re.match(r"\w+:", place) or page.name == "404.html":
                continue
            if not (page.parent / place).exists():
                lost.append((page.name, target))
        fetched += re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', text)
    assert lost == []
    assert [link for link in fetched if "canonical" not in link] == []
