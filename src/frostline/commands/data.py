"""Look at a data set before training on it.

python -m src.data photos                          # findings, and a page about it
python -m src.data labels.csv --group-by patient   # images of one patient stay together
python -m src.data photos.zip --on-bad-image skip --json
python -m src.data photos --labels                 # labels that are probably wrong
python -m src.data photos --groups groups.json     # images that look the same, to keep together

PATH is a folder, a .csv, an archive, a data set that `datasets` saved, or `leaves`. --labels writes
a page and a table of suspects (labels.html, labels.csv): see docs/labels.md. --groups writes a file
for data.group_by, which puts equal and nearly equal images into one split.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.commands.arguments import command_parser, reported_errors, say
from frostline.commands.page_file import write_page
from frostline.config.conf_files import default_scalar
from frostline.config.read import similar_path
from frostline.data.source_kind import READABLE_PATHS
from frostline.errors import ConfigError, FrostlineError
from frostline.invocation import as_called

if TYPE_CHECKING:
    from frostline.data.checks.checkup import Checkup
    from frostline.data.sample_table import SampleTable

OR_NONE = "; '' for none"


@reported_errors()
def main(arguments: list[str] | None = None) -> int:
    """Check a data set, print the findings and write a page about it.

    Returns:
        0; 1 if the data set cannot be used or leaks across its own splits.
    """
    options = _parser().parse_args(arguments)
    options.path = _existing(options.path)
    if options.labels:
        return _labels(options)
    groups = None if options.groups is None else Path(options.groups)
    try:
        from frostline.data.checks.picture_groups import check_name

        if groups is not None:
            check_name(groups)
        from frostline.data.checks.checkup import check_table
        from frostline.data.checks.data_page import data_page

        table = _table(options)
        checkup = check_table(table, seed=0)
        page = "data.html" if options.out is None else options.out
        if page:
            write_page(Path(page), data_page(checkup), allowed=OR_NONE)
        if groups is not None:
            _write_groups(groups, checkup)
    except FrostlineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(checkup.plain(), indent=1))
    else:
        from frostline.data.checks.findings_text import show

        show(checkup, page=page)
    return int(any(finding.level in {"error", "leak"} for finding in checkup.findings))


def _write_groups(file: Path, checkup: "Checkup") -> None:
    """Write which images look the same, and say how they are kept together."""
    from frostline.data.checks.picture_groups import picture_groups, write_groups

    found = picture_groups(checkup)
    if not found.group_of:
        say(f"no two images look the same: {file} was not written")
        return
    write_groups(file, found)
    say(
        f"{len(found.group_of):,} images in {found.n_groups:,} groups, the largest of "
        f"{found.largest:,}: data.group_by={file} keeps each group in one split"
    )


def _table(options: argparse.Namespace) -> "SampleTable":
    """Load the data set; images that are left out of the check are said."""
    from frostline.data.load import load_path

    table = load_path(
        options.path,
        on_bad_image=options.on_bad_image or "skip",
        group_by=options.group_by,
        corrections=options.corrections,
    )
    _say_skipped(table, options)
    return table


def _labels(options: argparse.Namespace) -> int:
    """Look for wrong labels; print the suspects, write a page and a table.

    Returns:
        0; 1 if the data set cannot be used.
    """
    wanted = options.out != ""
    page = Path(options.out or "labels.html")
    file = page.with_suffix(".csv")

    def on_progress(*, text: str) -> None:
        say(f"{text} ...")

    try:
        from frostline.advice.labels.suspects_file import check_undecided, write_suspects

        if wanted:
            check_undecided(file)
        table = _table(options)
        from frostline.advice.labels.label_check import check_labels

        check = check_labels(table, backbone=options.backbone, on_progress=on_progress)
        if wanted:
            from frostline.advice.labels.suspects_page import suspects_page

            write_page(page, suspects_page(check, file=file.name), allowed=OR_NONE)
            write_suspects(file, check.suspects)
    except FrostlineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(check.plain(), indent=1))
    else:
        from frostline.advice.labels.suspects_text import suspects_lines

        shown = {"page": str(page), "file": str(file)} if wanted else {"page": "", "file": ""}
        print("\n".join(suspects_lines(check, path=options.path, **shown)))
    return 0


def _existing(given: str) -> str:
    """The path that a word names; `data.path=DIR`, as for the other commands, names DIR.

    Raises:
        ConfigError: If there is nothing at it.
    """
    key, sign, rest = given.partition("=")
    is_key = sign and key in {"path", "data.path"} and not Path(given).expanduser().exists()
    path = rest if is_key else given
    if path == "leaves" or Path(path).expanduser().exists():
        return path
    raise ConfigError(
        f"{path}: there is no such file or folder (seen from {Path.cwd()})"
        f"{similar_path(Path(path).expanduser())}",
        todo=f"give the path of your data set: {READABLE_PATHS}, or leaves",
    )


def _say_skipped(table: "SampleTable", options: argparse.Namespace) -> None:
    """Say that a check reads on where a training would stop, unless that was asked for."""
    n = len(table.skipped)
    if n and options.on_bad_image is None:
        what = "1 image that cannot be read is" if n == 1 else f"{n} images that cannot be read are"
        say(
            as_called(
                f"{what} left out of this check; python -m src.train stops at "
                f"{'it' if n == 1 else 'them'} unless data.on_bad_image=skip is given"
            )
        )


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("src.data", __doc__)
    parser.add_argument("path", help="a folder, csv, archive, saved data set, or: leaves")
    parser.add_argument("--labels", action="store_true", help="look for wrong labels instead")
    parser.add_argument(
        "--out", help="file of the page; '' for none; default: data.html, or labels.html"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--on-bad-image", choices=("error", "skip"), help="default: skip")
    parser.add_argument("--group-by", help="a column, a .json of groups or a regular expression")
    parser.add_argument(
        "--groups", metavar="FILE.json", help="write which images look the same, for data.group_by"
    )
    parser.add_argument(
        "--corrections", metavar="FILE", help="a table of decisions on labels, as data.corrections"
    )
    parser.add_argument(
        "--backbone", default=default_scalar("backbone"), help="for --labels; default: %(default)s"
    )
    return parser
