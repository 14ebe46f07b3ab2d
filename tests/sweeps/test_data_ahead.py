"""The data are read while the libraries are imported; the checks find it done, or do it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from frostline.sweeps.data_ahead import reading_ahead, wait_until_read
from frostline.sweeps.data_check import data_key
from frostline.sweeps.known_squares import known_squares, squares_of
from tests.composed import settings
from tests.inference.tiny_run import draw_ramps

# A process of its own, which has neither threads nor PyTorch, as a command has when it begins.
_COMMAND = """
import json, os, sys
from pathlib import Path

from frostline.sweeps import data_ahead
from frostline.sweeps.data_ahead import reading_ahead, wait_until_read
from tests.composed import settings

data_ahead.usable_cores = lambda: 2
jobs = [settings(*json.loads(sys.argv[1]))]
assert "torch" not in sys.modules
with reading_ahead(jobs):
    wait_until_read()
    cache = Path(os.environ["FROSTLINE_CACHE"])
    print(json.dumps(sorted({each.name for each in cache.iterdir()})))
assert "FROSTLINE_READING" not in os.environ
assert "sklearn" not in sys.modules
"""


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    draw_ramps(tmp_path / "photos", per_class=8)
    return [
        f"data.path={tmp_path / 'photos'}", "data=folder", "backbone=test_resnet",
        "weights=random", "image_size=48", "lr=1e-3", "augment=crop",
    ]  # fmt: skip


def read_by_another(words: list[str]) -> list[str]:
    """What lies in the cache once the other process has read the data."""
    command = [sys.executable, "-c", _COMMAND, json.dumps(words)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return list(json.loads(ended.stdout.splitlines()[-1]))


def test_squares_are_known_once_they_were_asked_for(words: list[str]) -> None:
    jobs = [settings(*words), settings(*words, "augment=none"), settings(*words, "image_size=64")]
    assert known_squares(jobs) is None
    found = squares_of(jobs)
    assert len(found[data_key(jobs[0])]) == 4
    assert known_squares(jobs) == found
    assert known_squares([*jobs, settings(*words, "image_size=[48,64]")]) is None
    dry = [settings(*words, "dry_run=true")]
    assert squares_of(dry) == known_squares(dry) == {}


def test_files_are_read_and_all_is_checked_where_the_squares_are_known(words: list[str]) -> None:
    assert read_by_another(words) == ["backbones", "contents", "scans"]
    squares_of([settings(*words)])
    assert {"checks", "pixels"} < set(read_by_another(words))


def test_data_that_cannot_be_read_are_left_to_the_checks(words: list[str], tmp_path: Path) -> None:
    for file in (tmp_path / "photos").rglob("*.png"):
        file.write_bytes(b"no image")
    assert "contents" not in read_by_another(words)


def test_a_process_with_threads_reads_nothing_ahead(words: list[str], tmp_path: Path) -> None:
    with reading_ahead([settings(*words)]):  # PyTorch is imported here
        wait_until_read()
    assert not (tmp_path / "cache" / "scans").exists()
