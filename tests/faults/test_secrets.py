"""A password of the tracking server: a scan of all that a command leaves finds it nowhere."""

import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import NET, call
from tests.tracking.conftest import Server

PASSWORDS = (b"S3CRET", b"UzNDUkVU")  # as it is, and in a header


@pytest.fixture
def guarded(tmp_path: Path, empty_store_file: Path) -> Iterator[Server]:
    import mlflow.server  # noqa: F401

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "served").mkdir()
    server = Server(tmp_path / "served", port)
    server.database.write_bytes(empty_store_file.read_bytes())
    server.login = ("me", "S3CRET-1")
    server.start()
    yield server
    server.kill()


def _places_of_secrets(folder: Path) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        if not path.is_file() or path.name in {"mine.yaml"}:
            continue
        contents = {path.name: path.read_bytes()}
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as file:
                contents |= {name: file.read(name) for name in file.namelist()}
        found += [
            f"{path.relative_to(folder)}:{name}"
            for name, content in contents.items()
            if any(password in content for password in PASSWORDS)
        ]
    return found


def test_a_scan_of_all_that_a_sweep_and_a_run_leave_finds_no_password(
    here: Path, guarded: Server
) -> None:
    uri = f"http://me:S3CRET-1@127.0.0.1:{guarded.port}"
    swept = call(
        here,
        "-m",
        *NET,
        "report=true",
        "epochs=1",
        "freeze=all",
        "lr=0.01",
        "seed=0,1",
        "batch_size=8",
        f"tracking.uri={uri}",
        "+hydra.job.env_set.SOME_TOKEN=S3CRET-2",
        "tracking.experiment=leaves",
    )
    assert swept.returncode == 0, swept.stderr
    assert f"http://***@127.0.0.1:{guarded.port}" in swept.stdout
    assert list(here.glob("multirun/*/*/multirun.yaml"))
    # The other way in: a file of settings.
    group = here / "own" / "tracking"
    group.mkdir(parents=True)
    (group / "mine.yaml").write_text(f"uri: {uri}\nexperiment: null\noffline: false\n")
    single = call(
        here, "--config-dir", "own", *NET, "epochs=1", "lr=0.01", "tracking=mine", "freeze=0"
    )
    assert single.returncode == 0, single.stderr
    assert list(here.glob("outputs/*/*/.hydra/config.yaml"))
    guarded.kill()
    assert "S3CRET" not in swept.stdout + swept.stderr + single.stdout + single.stderr
    assert _places_of_secrets(here) == []
    assert b"lr=0.01" in guarded.database.read_bytes()  # the scan reads what it should
