"""The checks of a data set and its splits, run once and stored in the cache."""

import json
import logging
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from frostline.data.cache import cache_folder, keep_text
from frostline.data.checks.checkup import check_table
from frostline.data.checks.data_page import data_page
from frostline.data.checks.findings import Finding
from frostline.data.geometry import Geometry
from frostline.data.sample_table import SampleTable
from frostline.data.splits import Splits, split_digest

# Raised when the checks, their page or the form of the file change.
#   2  The page in the style of the others.
#   3  With checksums; thumbnails of files that had changed may be behind older ones.
#   4  How copies are kept together, and the share that a leak concerns.
CHECKS_VERSION = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CachedChecks:
    """The results of the checks.

    Attributes:
        findings: Errors first, then leaks, warnings and notes.
        page: The page for the user, `data.html`; None if the disk has no room for it.
    """

    findings: tuple[Finding, ...]
    page: Path | None


def cached_checks(
    table: SampleTable, splits: Splits, *, probing: bool, also: Sequence[Geometry] = ()
) -> CachedChecks:
    """Check a data set as a run splits it, or read the stored results.

    Results that are damaged are made again; those that cannot be stored are returned all the same.

    Args:
        table: The images.
        splits: The run's splits.
        probing: Also probe for shortcuts, which takes a few seconds, if no results are stored yet.
        also: Squares that training will need: see `open_pixels`.

    Raises:
        DataChangedError: If a file holds other bytes than when the table was made.
    """
    folder = _folder(table, splits)
    stored = _read(folder)
    if stored is not None:
        return stored
    checkup = check_table(table, seed=0, splits=splits, probing=probing, also=also)
    page = data_page(checkup)
    findings = json.dumps([asdict(finding) for finding in checkup.findings])
    content = {"findings": findings, "crc": _crc(findings), "page_crc": zlib.crc32(page.encode())}
    is_kept = keep_text(folder / "data.html", page, what="the page of the data check") and (
        keep_text(folder / "findings.json", json.dumps(content), what="the findings on the data")
    )
    return CachedChecks(checkup.findings, folder / "data.html" if is_kept else None)


def cached_page(table: SampleTable, splits: Splits) -> Path | None:
    """Return the page of an earlier check of the same data and splits, if there is a whole one."""
    stored = _read(_folder(table, splits))
    return None if stored is None else stored.page


def cached_leaks(table: SampleTable, splits: Splits) -> list[Finding]:
    """Return what an earlier check of the same data and splits found in two splits; else empty."""
    stored = _read(_folder(table, splits))
    found = () if stored is None else stored.findings
    return [one for one in found if one.level == "leak"]


def _read(folder: Path) -> CachedChecks | None:
    """Read what is stored; None if there is nothing, or it is damaged."""
    page = folder / "data.html"
    try:
        content = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
        is_whole = content["crc"] == _crc(content["findings"]) and (
            content["page_crc"] == zlib.crc32(page.read_bytes())
        )
        if not is_whole:
            raise ValueError("the checksum is wrong")
        findings = tuple(Finding(**one) for one in json.loads(content["findings"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("a damaged result of the data check is made again: %s", error)
        return None
    return CachedChecks(findings, page)


def _crc(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def _folder(table: SampleTable, splits: Splits) -> Path:
    key = f"{table.fingerprint[:24]}-{split_digest(table, splits)[:24]}-v{CHECKS_VERSION}"
    return cache_folder("checks") / key
