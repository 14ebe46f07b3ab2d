"""Look at a data set before training on it: `python -m src.data PATH`.

PATH is a folder, a .csv, an archive, a data set that `datasets` saved, or `leaves`.
"""

import argparse
import json
import sys
from inspect import signature
from pathlib import Path

from frostline.commands.arguments import reported_errors
from frostline.config.location import CONF
from frostline.data.sample_table import SampleTable
from frostline.errors import DataError, FrostlineError

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")


@reported_errors()
def main(arguments: list[str] | None = None) -> int:
    """The command: prints what was found, and writes the page.

    Returns:
        0; 1 if the data set cannot be used or leaks across its own splits.
    """
    options = _parser().parse_args(arguments)
    try:
        table = open_any(options.path, on_bad_image=options.on_bad_image, group_by=options.group_by)
        from frostline.data.checks.data_page import data_page
        from frostline.data.checks.findings import check_table

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


def open_any(path: str, *, on_bad_image: str, group_by: str | None) -> SampleTable:
    """The table of whatever lies at a path.

    Raises:
        DataError: If there is nothing, or it cannot be used.
    """
    place = Path(path).expanduser()
    if path == "leaves" and not place.exists():
        return _leaves()
    if place.is_dir():
        if any((place / name).exists() for name in ("state.json", "dataset_dict.json")):
            from frostline.data.sources.hub_dataset import load_hub

            return load_hub(path, on_bad_image=on_bad_image, group_by=group_by)
        from frostline.data.sources.folder import load_folder

        return load_folder(path, on_bad_image=on_bad_image, group_by=group_by)
    if place.suffix.lower() in {".csv", ".tsv"}:
        from frostline.data.sources.csv_table import load_csv

        return load_csv(path, on_bad_image=on_bad_image, group_by=group_by)
    if place.name.lower().endswith(ARCHIVES):
        from frostline.data.sources.archive import load_archive

        return load_archive(path, on_bad_image=on_bad_image, group_by=group_by)
    raise DataError(
        f"{path} is nothing that can be read (seen from {Path.cwd()})",
        "a folder, a .csv, a .zip or .tar, a data set that `datasets` saved, or leaves",
    )


def _leaves() -> SampleTable:
    """The built-in leaves as `data=leaves` has them."""
    import yaml

    from frostline.data.sources.leaves import load_leaves

    conf = CONF / "data" / "leaves.yaml"
    values = yaml.safe_load(conf.read_text(encoding="utf-8"))
    known = signature(load_leaves).parameters
    return load_leaves(**{key: value for key, value in values.items() if key in known})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m src.data", description="Look at a data set before training on it."
    )
    parser.add_argument("path", help="a folder, csv, archive, saved data set, or: leaves")
    parser.add_argument("--out", default="data.html", help="where the page goes; '' for none")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--on-bad-image", choices=("error", "skip"), default="skip")
    parser.add_argument("--group-by", help="a column, leaf-map.json or regular expression")
    return parser
