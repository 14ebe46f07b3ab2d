"""The file of results: a row per sweep, size and precision, which may come from several calls.

A row that is measured again is replaced, the others stay, if they were measured on the same
machine with the same versions; each carries its commit, date and rounds.
"""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

KEY = ("workload", "images", "epochs", "precision")
# What must be the same for rows to stand in one file.
ALIKE = ("machine", "device", "torch", "frostline", "threads", "tiny")
ROOT = Path(__file__).resolve().parents[1]

Row = dict[str, Any]


def conditions(machine: str, device: str, threads: int, *, tiny: bool) -> dict[str, Any]:
    """Under what this call measures."""
    return {
        "machine": machine,
        "device": device,
        "torch": version("torch"),
        "frostline": version("frostline"),
        "threads": threads,
        "tiny": tiny,
    }


def opened(file: Path, about: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """What a file holds, for rows to be added.

    Args:
        file: It may be missing.
        about: Under what this call measures.

    Returns:
        The results, and a line on what cannot stay, or None.
    """
    fresh = {**about, "rows": []}
    if not file.is_file():
        return fresh, None
    found = json.loads(file.read_text())
    if "rows" not in found:
        return fresh, f"{file.name} has an older form and is replaced"
    other = [name for name in ALIKE if found.get(name) != about[name]]
    if other:
        differing = ", ".join(f"{name} {found.get(name)}, now {about[name]}" for name in other)
        return fresh, f"{file.name} was measured with {differing}: it is replaced"
    return found, None


def put(results: dict[str, Any], row: Row) -> None:
    """Add a row, in place of one of the same sweep, size and precision."""
    kept = [each for each in results["rows"] if _key(each) != _key(row)]
    results["rows"] = sorted([*kept, row], key=_key)


def write(file: Path, results: Mapping[str, Any]) -> None:
    """Put it there whole or not at all."""
    from frostline.files import replacing

    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(results, indent=1) + "\n")


def commit() -> str:
    """The commit that is measured, with a plus sign if files differ from it."""
    from frostline.tracking.provenance import read_git

    git = read_git(ROOT)
    return (git["commit"][:7] or "unknown") + ("+" if git["dirty"] else "")


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEY)
