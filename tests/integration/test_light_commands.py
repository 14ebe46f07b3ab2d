"""Commands that use a trained run import nothing that only training needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inference.tiny_run import draw_ramps, save_untrained

TRAINING = {"pytorch_lightning", "lightning_fabric"}
# What else only other commands need; MLflow, which looks a run up, imports parts of SciPy itself.
FIGURES = {"matplotlib", "hydra", "scipy.stats", "scipy.optimize", "torchmetrics"}


@pytest.mark.parametrize(
    ("command", "words", "heavy"),
    [
        ("predict", ["photos/level", "--out", "answers.csv"], TRAINING | FIGURES),
        ("evaluate", ["--data", "photos", "--evidence", "off"], TRAINING),
        ("evaluate", ["--data", "photos", "--evidence", "light"], TRAINING),
    ],
)
def test_a_trained_run_is_used_without_what_trains(
    command: str, words: list[str], heavy: set[str], tmp_path: Path
) -> None:
    draw_ramps(tmp_path / "photos", per_class=4)
    checkpoint = save_untrained(tmp_path)
    code = (
        "import json, sys\n"
        f"from frostline.commands.{command} import main\n"
        f"main({[str(checkpoint), *words]!r})\n"
        f"print(json.dumps([name for name in {sorted(heavy)!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
