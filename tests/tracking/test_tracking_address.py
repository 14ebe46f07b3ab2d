from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from frostline.errors import TrackingError
from frostline.tracking.address import resolve_address


def test_default_is_an_absolute_sqlite_file_where_one_stands(tmp_path):
    address = resolve_address(None, tmp_path)
    assert address.uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert address.database == tmp_path / "mlflow.db"
    assert address.artifact_root == tmp_path / "mlartifacts"
    assert address.state_dir == tmp_path / ".frostline"


def test_old_mlruns_folder_does_not_change_the_default(tmp_path):
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    assert resolve_address(None, tmp_path).uri == f"sqlite:///{tmp_path}/mlflow.db"


def test_environment_is_honoured_and_the_config_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000/")
    assert resolve_address(None, tmp_path).uri == "http://127.0.0.1:5000"
    assert resolve_address("sqlite:///b.db", tmp_path).database == tmp_path / "b.db"


def test_relative_sqlite_paths_start_where_one_stands():
    address = resolve_address("sqlite:///runs/../a.db", Path("/tmp/x"))
    assert address.uri == "sqlite:////tmp/x/a.db"
    assert resolve_address("sqlite:////data/a.db", Path("/tmp/x")).uri == "sqlite:////data/a.db"


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns", "file:/tmp/mlruns", "mlruns"])
def test_file_store_is_refused_with_the_way_out(uri, tmp_path):
    with pytest.raises(TrackingError, match=r"no longer keeps runs in a folder.*\n.*\n.*sqlite"):
        resolve_address(uri, tmp_path)
    with pytest.raises(TrackingError) as caught:
        resolve_address(uri, tmp_path)
    assert "file:" not in caught.value.todo


@pytest.mark.parametrize("uri", ["ftp://host/x", "databricks://profile"])
def test_unknown_scheme_is_refused(uri, tmp_path):
    with pytest.raises(TrackingError, match=r"unknown scheme '(ftp|databricks)'"):
        resolve_address(uri, tmp_path)


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:", "sqlite:///"])
def test_store_in_memory_is_refused(uri, tmp_path):
    with pytest.raises(TrackingError, match="must be a file"):
        resolve_address(uri, tmp_path)


def test_folder_as_sqlite_file_is_refused(tmp_path):
    with pytest.raises(TrackingError, match="is a folder"):
        resolve_address(f"sqlite:///{tmp_path}", tmp_path)


def test_password_is_not_shown(tmp_path):
    address = resolve_address("postgresql://me:secret@host:5432/runs", tmp_path)
    assert address.shown == "postgresql://me:***@host:5432/runs"
    assert address.uri.count("secret") == 1


@pytest.mark.parametrize("name", ["my%20leaves", "which?", "#1", "two words", "Blätter", "a%2Fb?c"])
@pytest.mark.parametrize("uri", [None, "sqlite:///{name}.db", "sqlite:///runs/{name}/m.db"])
def test_the_address_means_the_file_that_its_folder_and_name_say(name, uri, tmp_path):
    here = tmp_path / name
    (here / "runs" / name).mkdir(parents=True)
    (here / f"{name}.db").touch()
    given = uri and uri.format(name=name)
    address = resolve_address(given, here)
    wanted = here / (given or "sqlite:///mlflow.db").removeprefix("sqlite:///")
    assert address.database == wanted
    assert make_url(address.uri).database == str(wanted)
    assert resolve_address(address.uri, Path("/")) == address
    assert resolve_address(address.shown, Path("/")).database == wanted


def test_an_escaped_address_is_read_as_a_url(tmp_path):
    assert resolve_address("sqlite:///my%20leaves.db", tmp_path).database == (
        tmp_path / "my leaves.db"
    )
    assert resolve_address("sqlite:///m.db?timeout=5", tmp_path).database == tmp_path / "m.db"
