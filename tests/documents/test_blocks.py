"""The list of code blocks is that of the documents: none is missing, none is left over."""

import re
from pathlib import Path

import pytest

from frostline.commands import COMMANDS
from tests.documents.blocks import PAGES, ROOT, blocks_of, documented_blocks
from tests.documents.listing import LISTED
from tests.documents.treatment import Left

PAGE_NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_every_block_is_listed(page: Path) -> None:
    name = page.relative_to(ROOT).as_posix()
    beginnings = LISTED.get(name, {})
    for block in blocks_of(page):
        found = [each for each in beginnings if block.first.startswith(each)]
        assert len(found) == 1, f"{name}:{block.line}: {block.first}: listed {len(found)} times"


def test_every_listed_block_is_there_once() -> None:
    firsts = [(block.page, block.first) for block in documented_blocks()]
    for page, beginnings in LISTED.items():
        for each in beginnings:
            found = [first for name, first in firsts if name == page and first.startswith(each)]
            assert len(found) == 1, (page, each, found)


def test_readme_lists_the_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"`frostline ([a-z]+[|][a-z|]+)`", readme)
    assert listed.split("|") == list(COMMANDS)


def test_what_is_left_has_a_reason() -> None:
    """A test that a reason names is there."""
    for beginnings in LISTED.values():
        for how in beginnings.values():
            if isinstance(how, Left):
                assert len(how.reason.split()) > 5
                for path in re.findall(r"tests/[\w/]+\.py", how.reason):
                    assert (ROOT / path).is_file(), path
