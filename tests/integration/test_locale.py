"""Real commands where the locale knows ASCII alone: names that it does not have come through."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from frostline.data.early_check import check_is_text
from frostline.errors import DataError
from tests.integration.conftest import TINY, draw_classes, environment

NAME = "bäume-日本"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path) -> Path:
    """Photos under a name, with a class of a name, that ASCII does not have."""
    folder = tmp_path_factory.mktemp("locale")
    draw_classes(folder / NAME)
    (folder / NAME / "rising").rename(folder / NAME / "blüte")
    shutil.copyfile(empty_store_file, folder / "mlflow.db")
    return folder


def start(
    folder: Path, *words: str | bytes, module: str = "src.train", **variables: str
) -> subprocess.CompletedProcess[str]:
    """A command in the C locale, without the UTF-8 mode that Python would choose there."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=folder,
        env=environment(folder) | {"LC_ALL": "C", "PYTHONUTF8": "0"} | variables,
        capture_output=True,
        encoding="utf-8",
        timeout=400,
        check=False,
    )


def test_a_sweep_and_what_follows_it(folder: Path) -> None:
    words = [word.replace("photos", NAME) for word in TINY]
    own = ("backbone=test_resnet", "freeze=0,3", "lr=3e-3", "evidence=off")
    ended = start(folder, "-m", *words, *own)
    assert ended.returncode == 0, ended.stderr
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (experiment,) = (one for one in client.search_experiments() if one.name != "Default")
    assert experiment.name == NAME
    runs = client.search_runs([experiment.experiment_id])
    jobs = [run for run in runs if run.data.tags["frostline.kind"] == "job"]
    assert [run.info.status for run in jobs] == ["FINISHED", "FINISHED"]
    ended = start(folder, "best:latest", f"{NAME}/blüte/3.png", module="src.predict")
    assert ended.returncode == 0, ended.stderr
    assert f"{NAME}/blüte/3.png" in ended.stdout
    ended = start(folder, "--json", module="src.report")
    assert ended.returncode == 0, ended.stderr
    ended = start(folder, NAME, module="src.data")
    assert "blüte" in (folder / "data.html").read_text(encoding="utf-8"), ended.stderr
    ended = start(folder, f"data.path={NAME}", module="src.advise")
    assert ended.returncode == 0, ended.stderr
    assert f"data.path={NAME}" in ended.stdout


def test_output_that_cannot_show_a_name_shows_its_number(folder: Path) -> None:
    """Standard output in another encoding, whatever the locale."""
    variables = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONIOENCODING": "ascii"}
    ended = start(folder, NAME, module="src.data", **variables)
    assert ended.returncode == 0, ended.stderr
    assert "b\\xe4ume-\\u65e5\\u672c" in ended.stdout


def test_a_path_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Such as one in Latin-1, unpacked where names are UTF-8."""
    draw_classes(Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe4ume")))
    for module, words in (
        ("src.data", [b"b\xe4ume"]),
        ("src.train", [b"data.path=b\xe4ume", "dry_run=true"]),
        ("src.advise", [b"data.path=b\xe4ume"]),
    ):
        refused = start(tmp_path, *words, module=module, PYTHONUTF8="1")
        assert refused.returncode == (1 if module == "src.data" else 2), refused.stderr
        assert "b\\udce4ume: this path has bytes that are not UTF-8" in refused.stderr


def test_a_locale_without_the_letters_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Python, where the process has begun, nothing can be started again."""
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    with pytest.raises(DataError, match="set PYTHONUTF8=1 in the environment"):
        check_is_text(os.fsdecode(os.fsencode(tmp_path) + b"/b\xc3\xe4ume"))
