"""What a run was made from, written on its record before it trains."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.data.checks.cached_checks import cached_page
from frostline.data.sample_table import SampleTable
from frostline.data.split_file import save_splits
from frostline.data.splits import Splits, split_digest

if TYPE_CHECKING:
    from frostline.tracking.tracked_run import Run


def record_data(tracked: "Run", table: SampleTable, splits: Splits, folder: Path) -> None:
    """Write down the data set, which image stands in which split, and what the checks found.

    Args:
        tracked: The run's record.
        table: The images.
        splits: The run's splits.
        folder: Where files are made before they are logged.
    """
    tracked.set_tags(
        {
            "frostline.data_fingerprint": table.fingerprint,
            "frostline.split_digest": split_digest(table, splits),
        }
    )
    profile: Mapping[str, Any] = table.profile() | {
        "splits": {name: len(rows) for name, rows in splits.named().items()},
        "split_file": "splits.csv",
    }
    tracked.log_dict(profile, "data.json")
    tracked.log_dataset(table.name, digest=table.fingerprint, source=table.source, profile=profile)
    save_splits(folder / "splits.csv", table, splits)
    tracked.log_artifact(folder / "splits.csv")
    page = cached_page(table, splits)
    if page is not None:
        tracked.log_artifact(page)
