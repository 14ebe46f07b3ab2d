"""Every command of the documents is run, small, and what they show of its output is printed."""

import re
import shlex
import subprocess
from itertools import product
from pathlib import Path

import pytest
import yaml

from tests.documents.blocks import ROOT, Block, documented_blocks
from tests.documents.conftest import Place
from tests.documents.listing import LISTED
from tests.documents.place import write_layout
from tests.documents.shown import first_difference
from tests.documents.treatment import (
    Example,
    File,
    Printed,
    Run,
    Table,
    Treatment,
    Tree,
    Words,
)

# A block is several commands, and the first of a process waits for the small sweep as well.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
BLOCKS = documented_blocks()


def treatment_of(block: Block) -> Treatment:
    return next(each for first, each in LISTED[block.page].items() if block.first.startswith(first))


def of_kind(kind: type) -> list[Block]:
    return [block for block in BLOCKS if isinstance(treatment_of(block), kind)]


def swapped(text: str, treatment: Run | Printed | File) -> str:
    for old, new in treatment.swap.items():
        assert old in text, f"not on the page: {old}"
        text = text.replace(old, new)
    return text


def made_small(words: list[str], more: str) -> list[str]:
    """The words with more of them behind, which take the place of those with the same key."""
    added = shlex.split(more)
    keys = {each.partition("=")[0] for each in added}
    return [each for each in words if each.partition("=")[0] not in keys] + added


def as_python(words: list[str]) -> list[str]:
    """`make TARGET` is what the Makefile runs for it."""
    if words[0] != "make":
        return words
    recipe = subprocess.run(
        ["make", "-n", words[1]], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    (line,) = (line for line in recipe.splitlines() if " -m src." in line)
    return ["python", *shlex.split(line)[1:]]


def run_all(place: Place, block: Block, more: str, exit_code: int = 0) -> str:
    """Run the commands of a block in their order; return all that they printed."""
    output = []
    for given in block.commands():
        words = as_python(given)
        if "src.train" in words:
            words = made_small(words, more)
        code, printed = place.run(words)
        assert code == exit_code, f"{shlex.join(words)}\n{printed}"
        assert "Traceback" not in printed, f"{shlex.join(words)}\n{printed}"
        output.append(printed)
    return "\n".join(output)


@pytest.mark.parametrize("block", of_kind(Run), ids=str)
def test_commands_run(block: Block, place: Place) -> None:
    how = treatment_of(block)
    assert isinstance(how, Run)
    small = block._replace(text=swapped(block.text, how))
    assert small.commands()
    run_all(place, small, how.more, how.exit_code)


@pytest.mark.parametrize("block", of_kind(Printed), ids=str)
def test_shown_output_is_printed(block: Block, place: Place) -> None:
    how = treatment_of(block)
    assert isinstance(how, Printed)
    printed = run_all(place, block._replace(text=how.command), "")
    missing = first_difference(swapped(block.text, how), printed)
    assert missing is None, f"not printed:\n{missing}\nbut:\n{printed}"


@pytest.mark.parametrize("block", of_kind(Words), ids=str)
def test_words_are_understood(block: Block, place: Place) -> None:
    how = treatment_of(block)
    assert isinstance(how, Words)
    lines = [f"python -m src.train {how.behind} {line}" for line in block.text.splitlines()]
    run_all(place, block._replace(text="\n".join(lines)), "dry_run=true weights=random")


@pytest.mark.parametrize("block", of_kind(File), ids=str)
def test_files_are_taken(block: Block, place: Place) -> None:
    how = treatment_of(block)
    assert isinstance(how, File)
    path = place.folder / how.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(swapped(block.text, how), encoding="utf-8")
    run_all(place, block._replace(text=how.command or f"python {how.path}"), "")


@pytest.mark.parametrize("block", of_kind(Example), ids=str)
def test_examples_stand_in_their_files(block: Block) -> None:
    how = treatment_of(block)
    assert isinstance(how, Example)
    shown = yaml.safe_load(block.text)
    file = yaml.safe_load((ROOT / how.path).read_text(encoding="utf-8"))
    assert shown.items() <= file.items()


@pytest.mark.parametrize("block", of_kind(Tree), ids=str)
def test_layouts_are_read(block: Block, place: Place, tmp_path: Path) -> None:
    how = treatment_of(block)
    assert isinstance(how, Tree)
    rows = [re.findall(r"ROOT/(\S+)", line) for line in block.text.splitlines()]
    for number, column in enumerate(zip(*rows, strict=True)):
        root = tmp_path / str(number)
        write_layout(root, column, how.classes)
        run_all(place, block._replace(text=f"python -m src.data {root}"), "")


@pytest.mark.parametrize("block", of_kind(Table), ids=str)
def test_tables_are_read(block: Block, place: Place, tmp_path: Path) -> None:
    columns = [re.split(r" {2,}", line) for line in block.text.splitlines()]
    header, *rows = (column[0] for column in columns if column[0])
    words = [next(part for part in column if part.startswith("data.")) for column in columns]
    # Each row of the page for several photos of both classes.
    lines = [header]
    for row, kind, number in product(rows, ("rust", "healthy"), range(4)):
        name, _, *rest = row.split(",")
        lines.append(",".join([f"{name}_{kind}{number}", kind, *rest]))
        write_layout(tmp_path, [f"photos/{name}_{kind}.png"], (kind,))
    (tmp_path / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    given = f"data=csv data.path={tmp_path}/table.csv {' '.join(words)} dry_run=true"
    printed = run_all(place, block._replace(text=f"python -m src.train {given}"), "weights=random")
    assert "2 classes" in printed
