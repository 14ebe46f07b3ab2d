"""The page of `--out`: whole or not there, and never an earlier one lost."""

from pathlib import Path

import pytest

from frostline.commands.page_file import write_page
from frostline.errors import FrostlineError
from tests.full_disk import largest_file


def test_an_earlier_page_stays_where_there_is_no_room_for_another(tmp_path: Path) -> None:
    page = tmp_path / "new" / "data.html"
    write_page(page, "<p>grün</p>")
    with (
        largest_file(n_bytes=100),
        pytest.raises(FrostlineError, match=r"--out .*data\.html: File too large"),
    ):
        write_page(page, "x" * 200)
    assert page.read_text(encoding="utf-8") == "<p>grün</p>"
    assert [file.name for file in page.parent.iterdir()] == ["data.html"]


def test_a_link_stays_one_and_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "link.html").symlink_to("page.html")
    write_page(tmp_path / "link.html", "page")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "page.html").read_text() == "page"
    write_page(Path("/dev/null"), "page")
    assert not Path("/dev/null").is_file()
