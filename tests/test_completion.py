"""What bash completes, asked of bash itself with the printed script."""

import subprocess
from pathlib import Path

import pytest

from frostline.commands.completion import completion_script

# What bash does at TAB: the function with the line and the place of the cursor.
ASK = """
source "$1"
COMP_LINE="$2" COMP_POINT=${#2}
compopt() { echo "NOSPACE"; }
_frostline
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("completion") / "frostline.bash"
    file.write_text(completion_script(), encoding="utf-8")
    return file


def completed(script: Path, line: str) -> list[str]:
    done = subprocess.run(
        ["bash", "-c", ASK, "bash", str(script), line], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("python -m src.tr", ["src.train", "src.tracking"]),
        (".venv/bin/python -m src.pre", ["src.predict"]),
        ("frostline tr", ["train", "tracking"]),
        ("python -m frostline ev", ["evaluate"]),
        ("frostline train -m back", ["NOSPACE", "backbone="]),
        ("python -m src.train augment=", ["color", "crop", "crop_always", "dihedral", "flip"]),
        ("python -m src.train -m augment=flip,dih", ["flip,dihedral"]),
        ("frostline train hydra/launcher=job", ["joblib"]),
        ("frostline train -m +experiments=vgg16_b", ["vgg16_block5"]),
        ("python -m src.evaluate best:latest --sp", ["--split"]),
        ("python -m src.evaluate photos/", []),
        ("python -m json.tool fi", []),
        ("python script.py --fl", []),
    ],
)
def test_completed(script: Path, line: str, expected: list[str]) -> None:
    assert completed(script, line)[: len(expected) or None] == expected


def test_every_group_and_key_of_the_command_is_offered(script: Path) -> None:
    keys = completed(script, "python -m src.train ")
    for key in ("lr=", "freeze=", "data.path=", "tune.over=", "trainer.precision=", "dry_run="):
        assert key in keys
    assert not [key for key in keys if key.endswith(".name=") or key.startswith("sweep")]
