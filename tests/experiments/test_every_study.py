"""Every cell of every study composes at both scales, and each shape of recipe trains."""

import hashlib
import json
from functools import cache
from pathlib import Path

import pytest

from experiments.tools.study_jobs import Study, compose_study
from frostline.config.data_settings import LeavesData
from frostline.config.recipe import HeadFirst
from frostline.config.schema import Settings
from frostline.config.study_scale import STUDIES, scales_of
from frostline.config.tune_grid import is_tuned
from frostline.sweeps.execute import execute
from frostline.sweeps.job import Job

NAMES = sorted(file.stem for file in STUDIES.glob("*.yaml") if scales_of(file.stem))
# The keys that shape a recipe, apart from sizes and network.
SHAPE = ("freeze", "frozen_bn", "augment", "head", "schedule", "optimizer", "lr_schedule", "loss")
SWITCHES = ("split_by", "test_background", "shortcut", "imbalance", "variant")


@cache
def composed(name: str, scale: str) -> Study:
    """A study at one scale, with one seed; any folder will do for a path."""
    words = ["seed=0", f"scale={scale}"]
    if scale == "full" and name != "lab_to_field":
        words.append(f"data.path={STUDIES}")
    return compose_study(name, words)


LARGE = ("brahimi", "mohanty")  # their full scales: a quarter of a second for each cell
SCALED = [
    pytest.param(name, scale, marks=pytest.mark.slow)
    if scale == "full" and name in LARGE
    else (name, scale)
    for name in NAMES
    for scale in ("small", "full")
]


@pytest.mark.parametrize(("name", "scale"), SCALED)
def test_every_cell_composes(name: str, scale: str) -> None:
    study = composed(name, scale)
    keys = [job.key for job in study.jobs]
    assert len(keys) == len(set(keys)), "two cells ask for the same run"
    assert len(study.labels) > 2
    pairs = dict(study.table.get("compare") or {})
    named = {*pairs, *pairs.values()}
    for spec in (study.table.get("mistakes") or {}).values():
        named |= {spec["cell"], spec.get("against", spec["cell"])}
    assert named <= set(study.labels)
    assert f"<!-- tables: {scale} -->" in (STUDIES / f"{name}.md").read_text()
    assert f"[{name}]({name}.md)" in (STUDIES / "README.md").read_text()
    if scale == "small":
        assert all((job.settings.image_size or 999) <= 96 for job in study.jobs)
        assert all(isinstance(job.settings.data, LeavesData) for job in study.jobs)
        # Without the model hub: random weights, or those that come in a package.
        assert {
            job.settings.backbone for job in study.jobs if job.settings.weights != "random"
        } <= {"tf_efficientnet_lite0"}


def test_the_sizes_are_the_sources() -> None:
    assert {job.settings.image_size for job in composed("vgg16_features", "full").jobs} == {150}
    two_phases = [
        (job.settings.schedule.head_epochs, job.settings.epochs, job.settings.freeze)
        for job in composed("vgg16_two_phase", "full").jobs
        if isinstance(job.settings.schedule, HeadFirst)
    ]
    assert set(two_phases) == {(10, 30, 4)}


@pytest.mark.slow
def test_the_papers_tables_are_whole(tmp_path: Path) -> None:
    brahimi = composed("brahimi", "full")
    assert len(brahimi.labels) == 18
    assert set(brahimi.table["source"]) == set(brahimi.labels)
    folders = [f"{tmp_path}/{variant}" for variant in ("color", "grayscale", "segmented")]
    for folder in folders:
        Path(folder).mkdir()
    mohanty = compose_study("mohanty", ["scale=full", f"data.path={','.join(folders)}"])
    assert len(mohanty.labels) == 60
    assert set(mohanty.table["source"]) < set(mohanty.labels)


def shape_of(settings: Settings) -> str:
    values = settings.model_dump(mode="json", include={*SHAPE, "data"})
    values["data"] = {key: values["data"].get(key) for key in SWITCHES}
    return json.dumps(values, sort_keys=True)


def shapes() -> dict[str, tuple[str, str]]:
    """One cell of each shape of recipe: shape to study and cell."""
    shapes_found: dict[str, tuple[str, str]] = {}
    for name in NAMES:
        for job in composed(name, "small").jobs:
            shapes_found.setdefault(shape_of(job.settings), (name, job.label))
    return shapes_found


def tiny(settings: Settings, folder: Path, uri: str) -> Settings:
    """The same recipe on a tiny net and few images, one epoch a phase."""
    data = settings.data.model_copy(
        update={
            "n_images": 260 if settings.data.imbalance > 1 else 90,
            "test_images": min(settings.data.test_images, 20),
            "n_species": 2 if settings.data.n_conditions == 1 else 1,
            "photos_per_leaf": 2, "imbalance": min(settings.data.imbalance, 8.0),
        }
    )  # fmt: skip
    two = isinstance(settings.schedule, HeadFirst)
    schedule = settings.schedule.model_copy(update={"head_epochs": 1} if two else {})
    own = settings.backbone == "book_cnn"
    digest = hashlib.sha256(str(folder).encode()).hexdigest()
    return settings.model_copy(
        update={
            "backbone": "book_cnn" if own else "test_resnet", "weights": "random", "data": data,
            "schedule": schedule, "epochs": 2 if two else 1, "image_size": 64, "batch_size": 16,
            "evidence": settings.evidence.model_copy(update={"name": "off"}),
            "trainer": settings.trainer.model_copy(update={"threads": 1, "accelerator": "cpu"}),
            "tracking": settings.tracking.model_copy(update={"uri": uri}),
            "sweep": settings.sweep.model_copy(
                update={"job_digest": digest, "tuning": digest if is_tuned(settings) else None}
            ),
        }
    )  # fmt: skip


def train_cell(name: str, label: str, folder: Path, uri: str) -> dict[str, float]:
    job = next(job for job in composed(name, "small").jobs if job.label == label)
    outcome = execute(
        Job(tiny(job.settings, folder, uri), folder, env={}), on_progress=lambda **_: None
    )
    assert outcome.state == "done"
    return dict(outcome.metrics)


FAST = [
    ("vgg16_two_phase", "pretrained Lite0, two phases, plateau"),
    ("book_resnet50", "random crops at evaluation too"),
    ("lab_to_field", "planted shortcut, linear probe"),
]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(("name", "label"), FAST)
def test_a_cell_trains(name: str, label: str, tmp_path: Path, fresh_store_uri: str) -> None:
    metrics = train_cell(name, label, tmp_path, fresh_store_uri)
    assert 0 <= metrics["test/acc_micro"] <= 1
    logged = list(tmp_path.rglob("artifacts/logs/epochs.csv"))
    assert len(logged) == (name == "vgg16_two_phase")
    if logged:
        assert len(logged[0].read_text().splitlines()) == 3  # a header and two epochs


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_shape_of_recipe_trains(name: str, tmp_path: Path, fresh_store_uri: str) -> None:
    cells = [label for study, label in shapes().values() if study == name]
    for place, label in enumerate(cells):
        folder = tmp_path / str(place)
        folder.mkdir()
        metrics = train_cell(name, label, folder, fresh_store_uri)
        assert metrics["test/loss"] > 0
