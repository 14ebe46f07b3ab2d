"""What users add beside the package: the examples, all in one sweep.

tests/documents runs the commands of docs/plugins.md.
"""

import os
import shutil
from pathlib import Path

import pytest

from frostline import api
from frostline.errors import FrostlineError
from tests.integration.conftest import ROOT, environment, start
from tests.integration.documented import commands_of

EXAMPLES = ROOT / "examples"
COMMANDS = [each for each in commands_of(ROOT / "docs/plugins.md") if "src.train" in each.words]
TINY = (
    "data=folder", "data.path=photos", "weights=random", "image_size=64", "epochs=1", "lr=1e-3",
    "report=false",
)  # fmt: skip
ALL = (
    "augment=sensor_noise", "loss=poly", "head=cosine", "optimizer=lion", "backbone=leafnet",
    "strategy=low_and_slow", "hydra/launcher=when_idle",
)  # fmt: skip


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos and a conf/ into which all examples were copied, as a user would."""
    for example in EXAMPLES.iterdir():
        if example.name != "package":
            shutil.copytree(example, place / "conf", dirs_exist_ok=True)
    monkeypatch.chdir(place)
    for name, value in environment(place).items():
        monkeypatch.setenv(name, value)
    return place


def test_own_things_of_every_kind_in_one_sweep(here: Path, tmp_path: Path) -> None:
    first = start(here, "-m", *ALL, *TINY)
    assert first.returncode == 0, first.stderr
    assert "when_idle: 1 jobs begin" in first.stderr
    runs = api.runs()
    assert set(runs["state"]) == {"FINISHED"}
    # An installed package's conf/ comes beside the folder's own; an edited file is other code.
    package = here / "installed"
    shutil.copytree(EXAMPLES / "package" / "leaf_extras", package / "leaf_extras")
    metadata = package / "leaf_extras-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: leaf-extras\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text("[frostline.plugins]\nleaf_extras = leaf_extras\n")
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{package}"
    edited = here / "conf" / "sensor_noise.py"
    edited.write_text(edited.read_text().replace("0, 255", "1, 255"))
    swept = api.sweep(
        *ALL[1:], *TINY, augment=["sensor_noise", "grey_patch", "none"], progress=None
    )
    assert set(swept.table()["state"]) == {"done"}
    again = api.sweep(
        *ALL[1:], *TINY, augment=["sensor_noise", "grey_patch", "none"], progress=None
    )
    assert set(again.table()["state"]) == {"reused"}
    # The augmentation is of no use to a trained model; the head and the backbone are.
    edited.unlink()
    model = swept.best()
    answers = model([here / "photos" / "rising" / "0.png"], top=2)
    assert answers["probability"].between(0.5, 1).all()
    head = here / "conf" / "cosine_head.py"
    head.write_text(head.read_text().replace("self.scale *", "2 * self.scale *"))
    with pytest.raises(FrostlineError, match=r"cosine_head\.py .*has changed"):
        swept.best()


@pytest.mark.parametrize(
    ("word", "edit", "expected"),
    [
        ("augment=sensor_noise", ("sensor_noise.py", "self.mirror:", "self.no:"), ".py:21: "),
        ("head=cosine", ("cosine_head.py", "import torch\n", "import torch, no\n"), ".py:6: "),
        ("augment=flip", ("augment/flip.yaml", "", "_target_: a.B"), "name is taken"),
    ],
)
def test_a_mistake_is_one_message_before_any_job(
    here: Path, word: str, edit: tuple[str, str, str], expected: str
) -> None:
    name, old, new = edit
    file = here / "conf" / name
    file.write_text(file.read_text().replace(old, new) if old else new)
    ended = start(here, "-m", word, *TINY, "backbone=test_resnet")
    if not old:
        file.unlink()
    assert ended.returncode == 2
    assert expected in ended.stderr
    assert name in ended.stderr
    assert "Traceback" not in ended.stderr


def test_every_kind_has_a_command() -> None:
    shown = {word for each in COMMANDS for word in each.words if word.startswith("--config-dir=")}
    kinds = {f"--config-dir=examples/{path.name}" for path in EXAMPLES.iterdir()}
    assert shown == kinds - {"--config-dir=examples/package"}
