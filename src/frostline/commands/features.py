"""List, verify or remove stored features: the outputs of frozen stages.

Usage:

python -m src.features                 # the entries, most recently used first
python -m src.features verify          # compare every checksum and remove what is damaged
python -m src.features clear           # remove all entries but those that a job is adding to
"""

import json
from dataclasses import asdict
from pathlib import Path

from frostline.commands.arguments import command_parser

DAMAGED_EXIT_CODE = 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Returns:
        0, or 1 if `verify` found damage.
    """
    parser = command_parser("src.features", __doc__)
    parser.add_argument("action", nargs="?", choices=["list", "verify", "clear"], default="list")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--store", type=Path, help="folder of the store (default: the jobs' one)")
    chosen = parser.parse_args(arguments)

    from frostline.features.feature_store import FeatureStore, size_limit_bytes, store_folder

    store = FeatureStore(chosen.store or store_folder(), size_limit_bytes())
    if chosen.action == "verify":
        return _verify(store.verify(), as_json=chosen.json)
    if chosen.action == "clear":
        removed = store.clear()
        print(
            json.dumps({"removed": removed}) if chosen.json else f"{len(removed)} entries removed"
        )
        return 0
    entries = store.list_entries()
    if chosen.json:
        content = {
            "folder": str(store.folder),
            "limit_bytes": store.limit_bytes,
            "entries": [asdict(entry) for entry in entries],
            "remains": store.remains(),
        }
        print(json.dumps(content, indent=1))
        return 0
    from frostline.features.feature_store import age

    total = sum(entry.size_bytes for entry in entries)
    limit_gib = store.limit_bytes / 2**30
    print(f"{store.folder}: {len(entries)} entries, {total / 2**20:,.1f} MiB of {limit_gib:g} GiB")
    for entry in entries:
        about = entry.about
        of_epoch = "" if entry.epoch is None else f", augmented in epoch {entry.epoch + 1}"
        print(
            f"  {entry.digest[:10]}  {about['backbone']} up to {about['boundary']}, "
            f"{about['image_size_px']} px{of_epoch}: {entry.outputs:,} outputs, "
            f"{entry.size_bytes / 2**20:,.1f} MiB, used {age(entry.used_s)} ago"
        )
    if remains := store.remains():
        size_mib = sum(remains.values()) / 2**20
        print(f"  {len(remains)} half removed, {size_mib:,.1f} MiB: they go with the next `clear`")
    return 0


def _verify(report: dict[str, list[str]], *, as_json: bool) -> int:
    damaged = {digest: problems for digest, problems in report.items() if problems}
    if as_json:
        print(json.dumps({"entries": len(report), "damaged": damaged}, indent=1))
    else:
        for digest, problems in damaged.items():
            for problem in problems:
                print(f"  {digest[:10]}  {problem}: removed, the next job computes it again")
        print(f"{len(report) - len(damaged)} of {len(report)} entries are undamaged")
    return DAMAGED_EXIT_CODE if damaged else 0
