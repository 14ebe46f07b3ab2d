"""How commands end: at a folder that cannot be written, a full disk, a reader that has left."""

import contextlib
import errno
import importlib
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from frostline import __main__ as script
from frostline.commands import COMMANDS, train
from frostline.commands.arguments import reported_errors
from tests.faults.conftest import NET, call
from tests.full_disk import largest_file
from tests.integration.conftest import draw_classes

ROOT = Path(__file__).resolve().parents[1]


def test_a_file_that_cannot_be_written_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended, reported_errors():
        (tmp_path / "file" / "deeper").mkdir()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {tmp_path}/file/deeper: Not a directory\n"
    with pytest.raises(OSError, match="nameless"), reported_errors():
        raise OSError("nameless")


def test_a_disk_that_fills_while_a_file_is_written_is_no_mistake_of_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such an error names no file."""
    with pytest.raises(SystemExit) as ended, reported_errors(), largest_file(n_bytes=10):
        (tmp_path / "answers.csv").write_text("x" * 100)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: a file: File too large\n")
    assert "make room, then give the same command again" in said


def test_a_reader_that_has_gone_is_no_error() -> None:
    words = [sys.executable, "-m", "src.backbones", "test_*"]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        printed = process.stderr.read()
    assert "Traceback" not in printed and "BrokenPipe" not in printed
    assert process.returncode == 141


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_of_results_that_cannot_be_written(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise OSError(number, os.strerror(number), "outputs/today")

    monkeypatch.setattr(train, "_hydra_main", refuse)
    monkeypatch.setattr(train, "share_cores", lambda: None)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "argv", ["train"])
    with pytest.raises(SystemExit) as ended:
        train.main()
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: outputs/today: {os.strerror(number)}\n")
    assert "hydra.run.dir=DIR" in printed


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_a_call_from_python_leaves_the_environment_as_it_was(
    before: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def of_errors() -> dict[str, str]:
        return {key: value for key, value in os.environ.items() if key.endswith("FULL_ERROR")}

    seen: list[dict[str, str]] = []
    monkeypatch.setattr(train, "_hydra_main", lambda: seen.append(of_errors()))
    monkeypatch.setattr(train, "share_cores", lambda: None)
    monkeypatch.setattr(sys, "argv", ["train"])
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    if before is not None:
        monkeypatch.setenv("HYDRA_FULL_ERROR", before)
    wanted = of_errors()
    train.main()
    train.main()
    assert of_errors() == wanted
    traces = {"FROSTLINE_FULL_ERROR": "1"} if before == "1" else {}
    assert seen == [{"HYDRA_FULL_ERROR": "1"} | traces] * 2


@pytest.mark.faults
def test_a_sweep_whose_folder_cannot_be_made(tmp_path: Path) -> None:
    draw_classes(tmp_path / "photos", per_class=4)
    (tmp_path / "file").touch()
    ended = call(tmp_path, "-m", *NET, "freeze=0,2", f"hydra.sweep.dir={tmp_path}/file/sweep")
    assert ended.returncode == 2
    assert "cannot be made: Not a directory" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["evaluate", "export", "predict"])
def test_no_thread_at_all_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"src.{command}")
    images = ["photos"] if command == "predict" else []
    with pytest.raises(SystemExit) as ended:
        module.main(["run", *images, "--threads", "0"])
    assert ended.value.code == 2
    assert "argument --threads: 0: 1 or more" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_each_help_has_three_examples(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [command, "--help"])
    module = importlib.import_module(f"frostline.commands.{command}")
    with contextlib.suppress(SystemExit):
        module.main()
    page = capsys.readouterr().out
    examples = [line for line in page.splitlines() if line.startswith(f"python -m src.{command}")]
    assert len(examples) >= 3, page
    if command == "train":
        assert "\n  lr              auto                    each cell's own, tuned" in page
        assert "\n  trainer         auto, cpu, ddp\n" in page
        assert "\n  hydra/launcher  isolated, joblib" in page
        assert "job_digest" not in page


@pytest.mark.parametrize("words", [["--help"], [], ["trian"]])
def test_the_script_shows_three_commands_and_what_was_meant(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["frostline", *words])
    monkeypatch.setenv("FROSTLINE_CALLED_AS", "")  # so that what it sets is taken back
    assert script.main() == (0 if words == ["--help"] else 2)
    printed = "".join(capsys.readouterr())
    assert len([line for line in printed.splitlines() if line.startswith("frostline ")]) == 3
    assert ("error: trian is not a command; write frostline train\n" in printed) is (
        words == ["trian"]
    )


def test_the_version_is_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["train", "--version"])
    train.main()
    assert capsys.readouterr().out == f"frostline {version('frostline')}\n"


def test_help_imports_no_heavy_library() -> None:
    code = (
        "import importlib, sys\n"
        f"for name in {COMMANDS!r}:\n"
        "    importlib.import_module(f'frostline.commands.{name}')\n"
        "print([m for m in ('torch', 'timm', 'mlflow', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
