"""What tests of several packages share: a tracking store of one's own, made in no time."""

import os
import shutil
from pathlib import Path

import pytest

# Before anything imports MLflow: tests say nothing to anybody.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget the store of the test before: mlflow.set_tracking_uri writes it into the environment,
    and the commands that tests start would take it over."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture(scope="session")
def empty_store_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of MLflow, migrated once a session (its 50 migrations take seconds)."""
    from frostline.tracking.address import resolve_address
    from frostline.tracking.connection import Connection

    folder = tmp_path_factory.mktemp("store_template")
    address = resolve_address("sqlite:///mlflow.db", folder)
    Connection(address).client.search_experiments(max_results=1)
    assert address.database is not None
    return address.database


@pytest.fixture
def fresh_store_uri(tmp_path: Path, empty_store_file: Path) -> str:
    """The address of an empty store of this test's own, at `tmp_path/mlflow.db`.

    Subprocesses may use it too: give them the address, or `MLFLOW_TRACKING_URI`.
    """
    database = tmp_path / "mlflow.db"
    shutil.copyfile(empty_store_file, database)
    return f"sqlite:///{database}"
