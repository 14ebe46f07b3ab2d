"""What `make gpu` runs: each part on the CPU with tiny nets, and one line without a card."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.catalogue import PARTS
from benchmarks.gpu.checks import Checks
from benchmarks.gpu.rounds import Rounds
from benchmarks.gpu.sweeps import workloads
from benchmarks.tuned import random_crops

ROOT = Path(__file__).resolve().parents[1]


def gpu(*words: str, timeout_s: int = 60) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *words], cwd=ROOT, capture_output=True, text=True,
        timeout=timeout_s,
    )  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a card")
def test_without_a_card_it_ends_at_once_with_one_line() -> None:
    ended = gpu()
    assert ended.returncode == 2
    (line,) = ended.stdout.splitlines()
    assert "no CUDA card here that PyTorch can use" in line


def test_a_part_that_does_not_exist_is_named() -> None:
    ended = gpu("--device", "cpu", "--only", "depths,speed")
    assert ended.returncode == 2
    assert "--only=speed: no such part" in ended.stderr


def test_every_part_is_there() -> None:
    assert all(callable(part.function()) for part in PARTS)


def test_a_check_that_raises_does_not_hold_and_the_part_goes_on(tmp_path: Path) -> None:
    found = Checks(tmp_path, "cpu", tiny=True)
    with found.tried("first"):
        raise ValueError("no such thing")
    found.check("second", True, gap=0.5)
    kept = json.loads((tmp_path / "found.json").read_text())["checks"]
    assert (kept["first"]["holds"], kept["second"]) == (False, {"holds": True, "gap": 0.5})
    assert kept["first"]["error"] == "ValueError: no such thing"


def test_the_first_look_leaves_the_rows_of_the_benchmark_alone(tmp_path: Path) -> None:
    scratch, out = tmp_path / "scratch", tmp_path / "out"
    (scratch / "sweeps").mkdir(parents=True)
    out.mkdir()
    (scratch / "sweeps" / "sweeps.json").write_text('{"machine": "a-card", "sweeps": {}}')
    (out / "a-card.json").write_text('{"rows": []}')  # as `benchmarks.run --device cuda` names it
    assert Rounds(scratch, "cuda", tiny=False, minutes=9).report(out)
    assert json.loads((out / "a-card.json").read_text()) == {"rows": []}
    look = json.loads((out / "a-card-first-look.json").read_text())
    assert look == {"machine": "a-card", "sweeps": {}}


@pytest.mark.parametrize("tiny", [True, False])
def test_the_sweeps_are_four_without_a_job_twice(tiny: bool, tmp_path: Path) -> None:
    works = workloads(Checks(tmp_path, "cuda", tiny))
    assert [work.name for work in works] == ["W1", "W2", "W3", "W4"]
    assert [work.augment for work in works] == ["none", "none", "none", "crop"]
    for work in works:
        assert len(set(work.jobs)) == len(work.jobs)
        assert work.allows_bf16


def test_a_tuned_loops_crops_are_windows_and_their_mirror_images() -> None:
    images = torch.arange(2 * 3 * 8 * 8, dtype=torch.uint8).view(2, 3, 8, 8)
    seen = set()
    draws = torch.Generator().manual_seed(0)
    for _ in range(40):
        for whole, crop in zip(images, random_crops(images, 6, draws), strict=True):
            windows = {
                (top, left, flip): whole[:, top : top + 6, left : left + 6].flip([2] * flip)
                for top in range(3) for left in range(3) for flip in (0, 1)
            }  # fmt: skip
            (place,) = (at for at, window in windows.items() if torch.equal(window, crop))
            seen.add(place)
    assert len(seen) == 18


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_every_part_runs_on_the_cpu(tmp_path: Path) -> None:
    """A few minutes on an idle machine."""
    ended = gpu("--device", "cpu", "--tiny", "--out", str(tmp_path), timeout_s=2900)
    assert ended.returncode == 0, ended.stdout
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert (report["failed"], report["left_out"]) == ([], [])
    assert report["held"] >= 40
    assert set(report["parts"]) == {part.name for part in PARTS}
