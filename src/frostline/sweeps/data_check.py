"""Reading the data of jobs and checking them, each data set once; this needs no heavy library."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from frostline.config.schema import Settings
from frostline.invocation import as_called

if TYPE_CHECKING:
    from frostline.data.geometry import Geometry
    from frostline.data.sample_table import SampleTable

DataKey = tuple[str, int, int]


class DataFacts(NamedTuple):
    """What a job's digest needs to know of its data.

    Attributes:
        fingerprint: Of the data set.
        split_digest: Of its splits.
        n_train: Images to train on.
        value_range: What is black and white in images of more than 8 bits, if there are any.
    """

    fingerprint: str
    split_digest: str
    n_train: int
    value_range: tuple[float, float] | None


def read_data(
    jobs: Sequence[Settings],
    attempt: Callable[..., Any],
    on_progress: Callable[..., None],
    *,
    failed: object = None,
    squares: "Mapping[DataKey, Sequence[Geometry]] | None" = None,
) -> dict[DataKey, DataFacts]:
    """Read, split and check the data of jobs.

    Each data set is read once, so that all its jobs are planned for the same images even if some
    are being replaced meanwhile.

    Args:
        jobs: The jobs.
        attempt: Calls a function with its arguments; may keep an error and return `failed`.
        on_progress: Receives `text=` for what is found out.
        failed: What `attempt` returns after an error.
        squares: What the jobs' images become: stored while they are decoded for the checks.

    Returns:
        The facts of each, by `data_key`.
    """
    tables = load_data(jobs, attempt)
    facts = {}
    reported: set[str] = set()
    for s in distinct(jobs, data_key):
        table = tables[_source_key(s)]
        if table is not failed:
            facts[data_key(s)] = attempt(
                _check, s, table, on_progress, reported, (squares or {}).get(data_key(s), ())
            )
    return facts


def load_data(jobs: Sequence[Settings], attempt: Callable[..., Any]) -> dict[str, Any]:
    """Read the data sets of jobs, each once.

    Args:
        jobs: The jobs.
        attempt: As for `read_data`.

    Returns:
        Key of a data set to the table, or to what `attempt` returns after an error.
    """
    return {_source_key(s): attempt(_load, s) for s in distinct(jobs, _source_key)}


def data_key(settings: Settings) -> DataKey:
    """What distinguishes two jobs' data and splits."""
    seed = settings.seed if settings.data.split_seed is None else settings.data.split_seed
    return settings.data.model_dump_json(), seed, settings.in_chans


def distinct(jobs: Sequence[Settings], key: Callable[[Settings], Any]) -> list[Settings]:
    """The first job of each key."""
    return list({key(job): job for job in reversed(jobs)}.values())[::-1]


def _load(settings: Settings) -> "SampleTable":
    """Read a data set, and keep which files it has, so that a change can be counted later."""
    from frostline.data.contents import remember_contents
    from frostline.data.load import load_table

    table = load_table(settings.data, in_chans=settings.in_chans)
    remember_contents(table)
    return table


def _check(
    settings: Settings,
    table: "SampleTable",
    on_progress: Callable[..., None],
    reported: set[str],
    squares: "Sequence[Geometry]",
) -> DataFacts:
    """The facts of a data set.

    Each finding is reported once, however many seeds split the same data.
    """
    from frostline.data.checks.cached_checks import cached_checks
    from frostline.data.load import split_of
    from frostline.data.splits import split_digest

    splits = split_of(table, settings.data, seed=settings.seed)
    is_new = table.fingerprint not in reported
    reported.add(table.fingerprint)
    sizes = ", ".join(f"{len(rows):,} {name}" for name, rows in splits.named().items())
    if is_new:
        on_progress(text=f"data {table.name}: {len(table.classes)} classes, images: {sizes}")
    for finding in cached_checks(table, splits, probing=is_new, also=squares).findings:
        line = f"{finding.level.upper()}: {finding.title}: {finding.text}"
        if line not in reported:
            reported.add(line)
            on_progress(text=as_called(line))
    return DataFacts(
        table.fingerprint, split_digest(table, splits), len(splits.train), table.value_range
    )


def _source_key(settings: Settings) -> str:
    from frostline.data.load import NOT_FOR_SOURCES

    data = settings.data
    # The sources do not apply corrections, but they make another table.
    return f"{settings.in_chans} {data.source}" + json.dumps(
        data.model_dump(mode="json", exclude=NOT_FOR_SOURCES - {"corrections"})
    )
