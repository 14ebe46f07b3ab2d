"""Answer a request of `src.advise --more`: one projection for each backbone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from frostline.advice.choose import split_seed_of
from frostline.advice.growth.growth import Growth, growth_of, shares_for
from frostline.advice.measures.table_features import table_features
from frostline.config.data_settings import LeavesData
from frostline.config.schema import Settings
from frostline.data.load import load_table, split_of


@dataclass(frozen=True)
class DataGrowth:
    """What more images of a data set would bring.

    Attributes:
        data: Its name.
        drawn: Whether its images are the built-in drawings.
        grown: One projection for each backbone.
    """

    data: str
    drawn: bool
    grown: tuple[Growth, ...]

    def plain(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {"data": self.data, "growth": [one.plain() for one in self.grown]}


def grow(jobs: Sequence[Settings], *, on_progress: Callable[[str], None]) -> DataGrowth:
    """Project the score to more training images, for each backbone.

    Args:
        jobs: The same data set with each backbone.
        on_progress: Receives lines of progress.

    Raises:
        FrostlineError: If the data cannot be read or split, or a backbone cannot be built.
    """
    first = jobs[0]
    on_progress("reading the images")
    table = load_table(first.data)
    drawn = isinstance(first.data, LeavesData)
    train = split_of(table, first.data, seed=first.seed).train
    labels, groups = table.labels[train], table.groups[train]
    if isinstance(why_not := shares_for(labels, groups), str):
        silent = tuple(Growth(job.backbone, len(train), why_not) for job in jobs)
        return DataGrowth(table.name, drawn, silent)
    grown = []
    for job in jobs:
        features = table_features(
            table,
            backbone=job.backbone,
            weights=job.weights,
            image_size=job.image_size,
            memory_gib=job.data.memory_gib,
            on_progress=lambda *, text, name=job.backbone: on_progress(f"{name}: {text}"),
        )
        on_progress(f"{job.backbone}: heads on parts of {len(train):,} training images")
        grown.append(
            growth_of(
                job.backbone,
                features.values[train],
                labels,
                groups,
                table.classes,
                seed=split_seed_of(first),
            )
        )
    return DataGrowth(table.name, drawn, tuple(grown))
