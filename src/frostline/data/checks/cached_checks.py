"""The checks of a data set and its splits, run once and stored in the cache."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from frostline.data.cache import cache_folder
from frostline.data.checks.checkup import check_table
from frostline.data.checks.data_page import data_page
from frostline.data.checks.findings import Finding
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits, split_digest
from frostline.files import replacing

# Raised when the checks or their page change.
CHECKS_VERSION = 2


@dataclass(frozen=True)
class CachedChecks:
    """The results of the checks.

    Attributes:
        findings: Errors first, then leaks, warnings and notes.
        page: The page for the user, `data.html`.
    """

    findings: tuple[Finding, ...]
    page: Path


def cached_checks(table: SampleTable, splits: Splits, *, probing: bool) -> CachedChecks:
    """Check a data set as a run splits it, or read the stored results.

    Args:
        table: The images.
        splits: The run's splits.
        probing: Also probe for shortcuts, which takes a few seconds, if no results are stored yet.
    """
    folder = _folder(table, splits)
    page, stored = folder / "data.html", folder / "findings.json"
    if not stored.is_file():
        checkup = check_table(table, seed=0, splits=splits, probing=probing)
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(page) as temporary:
            temporary.write_text(data_page(checkup), encoding="utf-8")
        with replacing(stored) as temporary:
            temporary.write_text(json.dumps([asdict(finding) for finding in checkup.findings]))
    findings = json.loads(stored.read_text())
    return CachedChecks(tuple(Finding(**finding) for finding in findings), page)


def cached_page(table: SampleTable, splits: Splits) -> Path | None:
    """Return the page of an earlier check of the same data and splits, if there is one."""
    page = _folder(table, splits) / "data.html"
    return page if page.is_file() else None


def _folder(table: SampleTable, splits: Splits) -> Path:
    key = f"{table.fingerprint[:24]}-{split_digest(table, splits)[:24]}-v{CHECKS_VERSION}"
    return cache_folder("checks") / key
