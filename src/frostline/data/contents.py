"""What a data set held when it was planned for, kept so that a change can be counted and named."""

import json
from collections.abc import Mapping
from pathlib import Path

from frostline.data.cache import cache_folder, keep_sealed, kept_text
from frostline.data.sample_table import SampleTable, name_some

_DIGITS = 16
_NAMED = 5
Contents = Mapping[str, tuple[str, str, str, str]]


def remember_contents(table: SampleTable) -> None:
    """Keep which files a data set has, in the cache under its fingerprint.

    Args:
        table: The data set; drawn ones, which cannot change, are not kept.
    """
    if table.facts is None:
        return
    place = _place(table.fingerprint)
    if not place.is_file():
        keep_sealed(place, json.dumps(_contents(table)), what="the list of the data set's files")


def describe_change(fingerprint: str, table: SampleTable) -> str:
    """Say in a few words how a data set differs from the one that was planned for.

    Args:
        fingerprint: Of the planned one.
        table: The data set as it is now.

    Returns:
        Such as `16 of 40 files differ (16 with other content): 'rust/000.png', ...`.
    """
    try:
        before = json.loads(kept_text(_place(fingerprint)) or "null")
        then = {item: tuple(facts) for item, facts in before.items()}
    except (ValueError, AttributeError, TypeError):
        return "files, labels, groups or splits differ"
    now = _contents(table)
    both = then.keys() & now.keys()
    kinds = {
        "with other content": {item for item in both if then[item][0] != now[item][0]},
        "with another label": {item for item in both if then[item][1] != now[item][1]},
        "in another group": {item for item in both if then[item][2] != now[item][2]},
        "in another split": {item for item in both if then[item][3] != now[item][3]},
        "gone": then.keys() - now.keys(),
        "new": now.keys() - then.keys(),
    }
    changed = sorted(set().union(*kinds.values()))
    counts = ", ".join(f"{len(items)} {kind}" for kind, items in kinds.items() if items)
    named = name_some(changed, _NAMED)
    return f"{len(changed)} of {len(then)} files differ ({counts}): {named}"


def _place(fingerprint: str) -> Path:
    return cache_folder("contents") / f"{fingerprint[:32]}.json"


def _contents(table: SampleTable) -> dict[str, tuple[str, str, str, str]]:
    """Item to content, class, group and given split, as text."""
    n = len(table)
    digests = table.facts.digests if table.facts is not None else ("",) * n
    splits = table.given_split.tolist() if table.given_split is not None else [""] * n
    return {
        item: (digest[:_DIGITS], table.classes[label], group, split)
        for item, digest, label, group, split in zip(
            table.items, digests, table.labels.tolist(), table.groups.tolist(), splits, strict=True
        )
    }
