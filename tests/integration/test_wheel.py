"""The wheel in an environment of its own, in an empty folder: commands, conf/ and studies."""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).resolve().parents[2]
TINY = ("image_size=32", "epochs=1", "data.n_images=90", "data.n_species=1", "data.n_conditions=2")
WAY = ("backbone=tf_efficientnet_lite0", "weights=random", "trainer.threads=1", "evidence=off")


def copied_by_docker() -> set[str]:
    """The names at the top of the checkout that the Dockerfile's first stage copies."""
    lines = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    return {name for names in copies for name in names if not name.startswith(("-", "/"))}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # What is kept, and nothing that lies about; of it what the Dockerfile copies, as it builds it.
    kept = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    for name in filter(None, kept):
        file = CHECKOUT / name
        if file.is_file() and name.split("/")[0] in copied_by_docker():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(file.read_bytes())
    command = [
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
        "--wheel-dir", str(folder), str(source),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the scripts of an environment that has the wheel and our libraries."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=False, symlinks=True)
    site = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    # Their files are found there; an editable install of ours is not, since its hook is not read.
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    command = [
        sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install",
        "--quiet", "--no-deps", "--no-index", str(wheel),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=300)
    return folder / "bin"


def run(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FROSTLINE"))}
    env |= {"FROSTLINE_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(installed / words[0]), *words[1:]],
        cwd=folder, env=env, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip


def test_it_holds_the_package_its_configuration_and_nothing_at_the_top(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"frostline", "hydra_plugins"}
    for file in ("conf/train.yaml", "conf/tune/lr.yaml", "conf/experiments/mohanty/small.yaml"):
        assert f"frostline/{file}" in names
    assert not any("/tools/" in name for name in names)


def test_a_sweep_and_its_report_run_from_it_and_speak_of_it_alone(
    installed: Path, tmp_path: Path
) -> None:
    where = run(installed, tmp_path, "python", "-c", "import frostline; print(frostline.__file__)")
    assert str(installed.parent) in where.stdout
    swept = run(
        installed, tmp_path, "frostline", "train", "-m", "freeze=all", "lr=0.01", *TINY, *WAY
    )
    assert swept.returncode == 0, swept.stderr[-2000:]
    report = run(installed, tmp_path, "frostline", "report")
    assert report.returncode == 0, report.stderr[-2000:]
    wrong = run(installed, tmp_path, "frostline", "train", "lrr=3")
    assert wrong.returncode != 0
    said = swept.stdout + swept.stderr + report.stdout + wrong.stderr
    assert "frostline train --cfg job" in wrong.stderr
    assert "src." not in said


def test_a_study_is_found_in_it(installed: Path, tmp_path: Path) -> None:
    planned = run(
        installed, tmp_path, "frostline", "train", "-m", "+experiments=mohanty", "dry_run=true",
        "backbone=tf_efficientnet_lite0", "weights=random",
    )  # fmt: skip
    assert planned.returncode == 0, planned.stderr[-2000:]
    assert "36 jobs" in planned.stderr


def test_an_unknown_command_names_those_there_are(installed: Path, tmp_path: Path) -> None:
    answer = run(installed, tmp_path, "frostline", "trian")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "trian is not a command" in answer.stderr
    assert "train" in answer.stderr
    shown = run(installed, tmp_path, "frostline", "--version").stdout.strip()
    assert shown and shown[0].isdigit()


def test_the_image_installs_extras_that_exist_and_a_version_that_is_allowed() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
    (extras,) = re.findall(r'ARG EXTRAS="([^"]*)"', text)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    for minor in re.findall(r"FROM python:3\.(\d+)-slim", text):
        assert f"3.{minor}" in SpecifierSet(project["requires-python"])
