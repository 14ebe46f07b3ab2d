"""`register=NAME`: refused where it could not be done; otherwise the champion, once."""

from types import SimpleNamespace

import pytest

from frostline.errors import ConfigError
from frostline.inference.formats import needed_packages
from frostline.sweeps import registering
from frostline.tracking.mlflow_model import champion_run, make_champion
from frostline.tracking.store import open_store


def asked(*, name: str | None = "doctor", report: bool = True, offline: bool = False):
    tracking = SimpleNamespace(offline=offline)
    return SimpleNamespace(register_as=name, report=report, tracking=tracking)


def test_it_is_refused_before_the_first_job(monkeypatch):
    registering.check_register(asked(name=None, report=False))
    monkeypatch.setattr(needed_packages, "find_spec", lambda name: name)
    registering.check_register(asked())
    for wrong in (asked(report=False), asked(offline=True)):
        with pytest.raises(ConfigError, match="the registry is MLflow's"):
            registering.check_register(wrong)
    monkeypatch.setattr(needed_packages, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"onnx.*(?s:.*)frostline\[export\]"):
        registering.check_register(asked())


def test_the_champion_is_the_version_that_was_made_it_last(fresh_store_uri, tmp_path):
    store = open_store(fresh_store_uri, "leaves", folder=tmp_path)
    assert champion_run(store, "doctor") is None
    store.client.create_registered_model("doctor")
    runs = []
    for number in (1, 2):
        run = store.start_run(f"run{number}", {})
        run.finish("FINISHED")
        made = store.client.create_model_version("doctor", f"file://{tmp_path}", run_id=run.run_id)
        make_champion(store, "doctor", str(made.version))
        runs.append(run.run_id)
        assert champion_run(store, "doctor") == run.run_id
    make_champion(store, "doctor", "1")
    assert champion_run(store, "doctor") == runs[0]
