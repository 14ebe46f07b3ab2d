"""How OpenMP waits is set before it is loaded, and only where nobody else has decided."""

import os

import pytest

from frostline.cores import share_cores
from frostline.sweeps import fork_server


@pytest.fixture(autouse=True)
def undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)


def test_waiting_threads_sleep_soon() -> None:
    share_cores()
    assert os.environ["GOMP_SPINCOUNT"] == "10000"


@pytest.mark.parametrize(
    ("name", "value"), [("OMP_WAIT_POLICY", "active"), ("GOMP_SPINCOUNT", "7")]
)
def test_a_person_decides(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    share_cores()
    assert os.environ[name] == value
    others = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} - {name}
    assert not others & set(os.environ)


def test_the_fork_server_starts_with_it() -> None:
    fork_server.warm_context()
    assert os.environ["GOMP_SPINCOUNT"] == "10000"
