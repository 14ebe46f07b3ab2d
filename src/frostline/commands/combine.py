"""`src.evaluate best:SWEEP --ensemble` or `--soup`: the runs of a sweep together."""

import argparse
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.commands.arguments import say
from frostline.errors import ConfigError
from frostline.files import file_name
from frostline.invocation import as_called

if TYPE_CHECKING:
    from frostline.inference.combine.combined import Combined
    from frostline.tracking.store import Store

# What an evaluation of one run takes, and one of several together does not.
_OF_ONE_RUN = ("split", "data", "map", "cost", "tta")
_SCORE = "f1_macro"


def combine(given: argparse.Namespace) -> None:
    """Judge the runs of a sweep together, print it, and log it on the sweep's run.

    Args:
        given: The arguments of `src.evaluate`.

    Raises:
        ConfigError: If another option is given that is for one run.
    """
    kind = "ensemble" if given.ensemble else "soup"
    for option in _OF_ONE_RUN:
        if getattr(given, option):
            raise ConfigError(
                f"--{kind} --{option}: runs are chosen on validation and judged on test",
                todo=f"leave --{option} out"
                + (", or give it with the soup's checkpoint" if kind == "soup" else ""),
            )
    say(f"looking for the runs of {given.run}")
    from frostline.inference.combine.members import find_members
    from frostline.tracking.store import open_store

    store = open_store(given.uri, "Default")
    members = find_members(store, given.run)
    sweep = members.sweep
    name = sweep.tags.get("frostline.sweep_id", sweep.name)
    folder = (given.out or Path("outputs") / "evaluations" / file_name(name)) / kind
    if kind == "ensemble":
        from frostline.inference.combine.ensemble import ensemble_of

        found = ensemble_of(members, folder)
    else:
        from frostline.inference.combine.soup import SOUP_FILE, soup_of
        from frostline.training.engine import prepare_process

        prepare_process(given.threads)
        found = soup_of(store, members, folder, on_progress=say)
    if not given.no_log:
        _log(store, sweep.run_id, found)
    if given.json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
        return
    print("\n".join(lines(found)))
    print(f"\nfiles: {folder}" + ("" if given.no_log else "  (also in MLflow, on the sweep's run)"))
    if kind == "soup":
        file = shlex.quote(str(folder / SOUP_FILE))
        print(as_called(f"use it as a run:  python -m src.export {file} --format onnx"))


def lines(found: "Combined") -> Iterator[str]:
    """Yield the rows with what each adds to the recommended run, then the members, line by line."""
    yield (
        f"{found.kind} of sweep {found.sweep}: {len(found.members)} runs of the same splits, "
        f"judged on {found.n_images} test images of {found.n_groups} groups"
    )
    yield from (f"  {note}" for note in found.notes)
    yield (
        f"{'':22}{'runs':>5}{'val loss':>10}{'val f1':>9}{'test f1':>9}{'':3}"
        "minus the recommended run, 95 % interval"
    )
    for row in found.rows:
        apart = row.differences.get(_SCORE)
        yield (
            f"{row.name:22}{row.n_members:>5}{row.val['loss']:>10.4f}{row.val[_SCORE]:>9.4f}"
            f"{row.test[_SCORE]:>9.4f}{'':3}{f'{apart} {apart.verdict}' if apart else ''}"
        ).rstrip()
    chosen = [(member.record.name, weight) for member, weight in found.members if weight > 0]
    chosen.sort(key=lambda each: -each[1])
    yield "recommended: " + found.base
    yield "chosen: " + ", ".join(f"{name} ({weight:.2g})" for name, weight in chosen)


def _log(store: "Store", run_id: str, found: "Combined") -> None:
    """Log files and figures on the sweep's run; a repetition is the next step of its metrics."""
    chosen = found.rows[-1]
    names = {f"test_on/{found.kind}/{name}": value for name, value in chosen.test.items()}
    step = len(store.metric_history(run_id, next(iter(names))))
    with store.amend_run(run_id) as run:
        run.log_metrics(names, step=step)
        run.log_artifact(found.folder, "evaluations")
