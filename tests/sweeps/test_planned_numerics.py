"""A job is computed on the kind of device and in the precision that it was planned for."""

from pathlib import Path

import pytest
import torch

from frostline.config.schema import Settings
from frostline.errors import ConfigError
from frostline.sweeps.job_record import open_run
from frostline.sweeps.preflight import check_jobs
from frostline.tracking.store import Store, open_store
from tests.composed import settings

HERE = "cpu 32-true"


def job(numerics: str | None) -> Settings:
    made = settings("trainer=cpu")
    update = {"job_digest": "d" * 64, "numerics": numerics}
    return made.model_copy(update={"sweep": made.sweep.model_copy(update=update)})


@pytest.fixture
def store(tmp_path: Path, fresh_store_uri: str) -> Store:
    return open_store(fresh_store_uri, "leaves", folder=tmp_path)


@pytest.mark.parametrize("planned", [None, HERE])
def test_a_run_records_how_it_is_computed(store: Store, planned: str | None) -> None:
    run, resumed = open_run(store, job(planned), [], work=None)
    run.finish("FINISHED")
    assert not resumed
    assert store.get_run(run.run_id).tags["frostline.numerics"] == HERE


def test_a_job_planned_for_another_device_is_refused_before_it_has_a_run(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"planned for cuda .*, but this machine .* cpu 32-true"):
        open_run(
            store, job("cuda bf16-mixed, TF32 off, deterministic where possible"), [], work=None
        )
    assert store.find_runs({}) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a card")
def test_a_device_that_this_machine_lacks_is_refused_in_the_plan() -> None:
    asked = settings("trainer.accelerator=cuda", "backbone=test_resnet", "weights=random")
    with pytest.raises(ConfigError, match="cuda: this machine has none that PyTorch can use"):
        check_jobs([asked], on_progress=lambda text: None)
    (facts,) = check_jobs([asked], True, on_progress=lambda text: None)
    assert facts.numerics == "cuda auto, TF32 off, deterministic where possible"
