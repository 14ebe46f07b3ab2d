"""A run without a sweep: its plan, its lines, and how it ends."""

import io
import re
from pathlib import Path

from rich.console import Console

from frostline.sweeps.progress import SweepProgress
from tests.faults.conftest import NET
from tests.integration.conftest import start

ONE = ("data.path=photos", *(word for word in NET if not word.startswith("data")), "epochs=1")


def test_the_plan_of_one_run_and_how_it_ends(place: Path) -> None:
    planned = start(place, *ONE, "dry_run=true")
    assert planned.returncode == 0, planned.stderr
    lines = planned.stderr.splitlines()
    assert "1 job, 0 finished already" in lines
    assert lines[-1].split("  ")[1:2] == ["to run"] and "-freeze0-seed0" in lines[-1]
    assert "starts" not in planned.stderr and planned.stdout == ""
    assert not (place / "outputs").exists()

    ended = start(place, *ONE)
    assert ended.returncode == 0, ended.stderr
    run = re.search(r"^run (\w{32}); go on with:$", ended.stdout, re.MULTILINE)
    assert run is not None, ended.stdout
    for command in ("evaluate", "predict", "export", "report --runs"):
        assert f"\n  python -m src.{command} {run[1]}" in ended.stdout
    assert "[1/1]" not in ended.stderr, "the only job needs no name on each line"
    assert "epoch 1/1" in ended.stderr


def test_only_jobs_among_others_are_named_on_each_line() -> None:
    said = {}
    for numbered in (True, False):
        console = Console(file=io.StringIO(), width=200)
        with SweepProgress(total=1, console=console, numbered=numbered) as progress:
            progress.start("name")
            progress.event({"text": "WARNING: odd"})
            progress.done(None)
        said[numbered] = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert said[True] == [
        "[1/1] name  starts",
        "[1/1] name  WARNING: odd",
        "[1/1] name  done in 0:00",
    ]
    assert said[False] == ["name  starts", "WARNING: odd", "done in 0:00"]
