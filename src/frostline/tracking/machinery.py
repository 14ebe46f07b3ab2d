"""Tags that only Frostline reads: together in one, so that MLflow's pages show what people read.

A process id or a digest says nothing to whoever looks at a run. In the store they are one tag
with a JSON object; journals and `RunRecord` have them each by its own name. Tags by which runs are
searched for in the store cannot be among them.
"""

import json
from collections.abc import Iterable, Mapping

MACHINERY_TAG = "frostline.machinery"

_NAMES = (
    # Which process owns the run: `frostline.tracking.ownership`.
    "boot",
    "host",
    "pid",
    "pid_namespace",
    "pid_ticks",
    # What it was made from, and with.
    "frozen_digest",
    "git_dirty",
    "libraries",
    "numerics",
    "own_code",
    "python",
    "results_version",
    "split_digest",
    "timm",
    "torch",
    "weights_digest",
    "weights_file_digest",
    # How far it is.
    "resumable",
    "rung",
)
MACHINERY = frozenset(f"frostline.{name}" for name in _NAMES)
# Longer values stay tags of their own, so that all of them together fit into one tag of MLflow's.
_MAX_CHARS = 300


def folded(tags: Mapping[str, str], stored: str = "") -> dict[str, str]:
    """Tags as the store has them.

    Args:
        tags: Name to value.
        stored: What the run's tag `MACHINERY_TAG` says so far.

    Returns:
        The tags that people read, and one for the others, if there are any.
    """
    inner = {
        key: value
        for key, value in tags.items()
        if key in MACHINERY and len(json.dumps(value)) <= _MAX_CHARS
    }
    plain = {key: value for key, value in tags.items() if key not in inner}
    kept = {key: value for key, value in _inner(stored).items() if key not in tags}
    if inner or kept != _inner(stored):
        plain[MACHINERY_TAG] = json.dumps(dict(sorted({**kept, **inner}.items())))
    return plain


def unfolded(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags each by its own name; what is folded is newer than a tag of that name.

    Args:
        tags: As the store has them. A tag that cannot be read is left out.
    """
    plain = {key: value for key, value in tags.items() if key != MACHINERY_TAG}
    return plain | _inner(tags.get(MACHINERY_TAG, ""))


def check_searchable(names: Iterable[str]) -> None:
    """Refuse a search that the store could only answer with nothing.

    Args:
        names: Tags by which runs are searched for in the store.

    Raises:
        ValueError: If one of them is folded there.
    """
    if hidden := sorted(MACHINERY & set(names)):
        raise ValueError(f"the store cannot search by {', '.join(hidden)}")


def _inner(text: str) -> dict[str, str]:
    try:
        values = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(values, dict):
        return {}
    return {key: str(value) for key, value in values.items() if key in MACHINERY}
