"""How many more photos? The report gives the command that asks, on the same images."""

import json
from types import SimpleNamespace

import pytest

from frostline.reporting.more_photos import more_photos_section
from frostline.tracking.records import RunRecord

RUN = RunRecord(
    "r",
    "n",
    "e",
    "FINISHED",
    {"backbone": "a"},
    {},
    {"mlflow.parentRunId": "sweep", "frostline.job_digest": "d"},
    0,
    1,
)


def row(backbone, standing="open"):
    cell = SimpleNamespace(run_ids={"0": "r"}, params={"backbone": backbone})
    return SimpleNamespace(cell=cell, standing=standing)


def section(overrides, *, data='{"splits": {"train": 1200}}', plan=True):
    jobs = {"jobs": [{"digest": "d", "overrides": overrides}]}
    texts = {"sweep": json.dumps(jobs) if plan else None, "r": data}
    source = SimpleNamespace(text=lambda run_id, _: texts[run_id])
    rows = [row("a"), row("b"), row("c", "worse")]
    verdict = SimpleNamespace(recommended=rows[0], rows=rows)
    return more_photos_section(verdict, SimpleNamespace(runs=[RUN]), source)


def test_the_command_asks_about_the_same_images_and_those_not_worse():
    (made,) = section(
        ["data=folder", "data.path=my photos", "freeze=4", "backbone=a", "seed=0", "image_size=96"]
    )
    (note,) = made.notes
    assert note.startswith("These runs trained on 1,200 images.")
    assert note.endswith(
        "advise data=folder 'data.path=my photos' image_size=96 backbone=a,b --more"
    )


@pytest.mark.parametrize("data", [None, "{}", "no json"])
def test_without_a_record_of_the_data_no_number_is_said(data):
    (made,) = section(["data.path=photos"], data=data)
    assert made.notes[0].startswith("The score with twice")


def test_what_cannot_be_asked_again_has_no_section():
    assert section(["data.path=photos"], plan=False) == []
    for own in ("--config-dir=own", "+data.own=1", "+experiments=study"):
        assert section([own, "data.path=photos"]) == []
