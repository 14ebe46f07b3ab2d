"""Overrides about the data, before a config is composed: which source reads the path."""

from collections.abc import Sequence

from frostline.data.source_kind import source_kind


def source_of(overrides: Sequence[str]) -> str | None:
    """The option of the `data` group that fits `data.path`.

    Args:
        overrides: As on the command line.

    Returns:
        "leaves" without a path; None where several paths need different ones.
    """
    paths = [word.partition("=")[2] for word in overrides if word.startswith("data.path=")]
    if not paths:
        return "leaves"
    given = paths[-1]
    quoted = given[:1] in {"'", '"'}
    each = [given.strip("'\"")] if quoted else given.split(",")
    kinds = {source_kind(path) or "folder" for path in each}
    return kinds.pop() if len(kinds) == 1 else None


def with_source(overrides: Sequence[str]) -> list[str]:
    """Add `data=SOURCE` where a path is given and nothing says what reads it.

    Args:
        overrides: As on the command line. A study names its own data, and whoever adds or removes
            keys of `data` knows Hydra.
    """
    named = any(
        word.lstrip("+~").startswith(("data=", "data@", "experiments="))
        or word.startswith(("+data", "~data"))
        for word in overrides
    )
    source = source_of(overrides)
    if named or source in {None, "leaves"}:
        return list(overrides)
    at = next(i for i, word in enumerate(overrides) if word.startswith("data.path="))
    return [*overrides[:at], f"data={source}", *overrides[at:]]
