import json
import subprocess

from frostline.tracking.provenance import provenance_tags, read_git, read_provenance, read_versions


def _git(folder, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    command = ["git", "-C", str(folder), *who, *words]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return answer.stdout.strip()


def test_commit_branch_and_changes(tmp_path):
    _git(tmp_path, "init", "-q", "-b", "trunk")
    (tmp_path / "a.py").write_text("1")
    _git(tmp_path, "add", "a.py")
    _git(tmp_path, "commit", "-qm", "one")
    commit = _git(tmp_path, "rev-parse", "HEAD")
    assert read_git(tmp_path) == {"commit": commit, "branch": "trunk", "dirty": False}
    (tmp_path / "untracked.txt").write_text("outputs do not make code dirty")
    assert read_git(tmp_path)["dirty"] is False
    (tmp_path / "a.py").write_text("2")
    assert read_git(tmp_path)["dirty"] is True


def test_no_repository(tmp_path):
    assert read_git(tmp_path) == {"commit": "", "branch": "", "dirty": None}


def test_no_git(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    described = read_provenance(tmp_path, command=["train.py"], data={})
    assert described["git"] == {"commit": "", "branch": "", "dirty": None}
    assert "mlflow.source.git.commit" not in provenance_tags(described)


def test_plain_values_that_json_holds(tmp_path):
    command = ["python", "-m", "src.train", "data.path=my photos"]
    described = read_provenance(tmp_path, command=command, data={"fingerprint": "abc"})
    assert json.loads(json.dumps(described)) == described
    assert described["command"] == "python -m src.train 'data.path=my photos'"
    assert described["packages"]["mlflow"] == read_versions(["mlflow"])["mlflow"]
    assert described["machine"]["cores"] >= 1
    tags = provenance_tags(described)
    assert tags["frostline.data_fingerprint"] == "abc"
    assert tags["mlflow.source.name"] == described["command"]
    assert all(isinstance(value, str) for value in tags.values())


def test_missing_packages_are_left_out():
    assert list(read_versions(["mlflow", "no-such-package-here"])) == ["mlflow"]


def test_a_run_is_said_to_have_computed_where_it_did(tmp_path):
    described = read_provenance(tmp_path, command=["train.py"], data={})
    described["machine"] |= {"gpus": "Fake Card", "cpu": "Some CPU"}
    for accelerator, device in (("cpu", "Some CPU"), ("cuda", "Fake Card"), (None, "Fake Card")):
        tags = provenance_tags(described, accelerator=accelerator)
        assert tags["frostline.device"] == device
