"""Look at a data set before training on it.

python -m src.data photos                          # findings, and a page about it
python -m src.data labels.csv --group-by patient   # images of one patient stay together
python -m src.data photos.zip --on-bad-image skip --json

PATH is a folder, a .csv, an archive, a data set that `datasets` saved, or `leaves`.
"""

import argparse
import json
import sys
from pathlib import Path

from frostline.commands.arguments import command_parser, reported_errors
from frostline.errors import DataError, FrostlineError


@reported_errors()
def main(arguments: list[str] | None = None) -> int:
    """Check a data set, print the findings and write a page about it.

    Returns:
        0; 1 if the data set cannot be used or leaks across its own splits.
    """
    options = _parser().parse_args(arguments)
    try:
        from frostline.data.checks.checkup import check_table
        from frostline.data.checks.data_page import data_page
        from frostline.data.load import load_path

        table = load_path(
            options.path, on_bad_image=options.on_bad_image, group_by=options.group_by
        )
        checkup = check_table(table, seed=0)
        if options.out:
            _write(Path(options.out), data_page(checkup))
    except FrostlineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(checkup.plain(), indent=1))
    else:
        from frostline.data.checks.findings_text import show

        show(checkup, page=options.out)
    return int(any(finding.level in {"error", "leak"} for finding in checkup.findings))


def _write(file: Path, page: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"--out {file}: {error.strerror or error}",
            "the name of a file that can be written; '' for none",
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("src.data", __doc__)
    parser.add_argument("path", help="a folder, csv, archive, saved data set, or: leaves")
    parser.add_argument("--out", default="data.html", help="file of the page; '' for none")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--on-bad-image", choices=("error", "skip"), default="skip")
    parser.add_argument("--group-by", help="a column, leaf-map.json or regular expression")
    return parser
