import json

from frostline.reporting.rerun_command import commands_for, merged
from frostline.reporting.select import select


class PlanSource:
    def __init__(self, plans):
        self.plans = plans

    def text(self, run_id, path):
        assert path == "plan.json"
        return self.plans.get(run_id)


def _one(**values):
    return {key: (value,) for key, value in values.items()}


def test_grids_that_differ_in_one_key_are_joined():
    cells = [_one(backbone=b, freeze=f) for b in "ab" for f in ("0", "2")]
    assert merged(cells) == [{"backbone": ("a", "b"), "freeze": ("0", "2")}]
    corner = merged([_one(backbone="a", freeze="0"), _one(backbone="b", freeze="2")])
    assert len(corner) == 2
    assert merged(cells[:3]) == [
        {"backbone": ("a",), "freeze": ("0", "2")},
        {"backbone": ("b",), "freeze": ("0",)},
    ]


def test_the_command_is_that_of_the_sweep_with_more_seeds(sweeps):
    cells = [({"backbone": "net", "freeze": f}, 0.9, 1.0, 1) for f in ("0", "2", "4")]
    records, _ = sweeps.make(cells, n_leaves=5, seeds=2)
    records = [
        sweeps.replace(run, tags={**run.tags, "mlflow.parentRunId": "parent"}) for run in records
    ]
    jobs = [
        {
            "digest": run.tags["frostline.job_digest"],
            "overrides": [
                "data.path=my photos",
                "backbone=net",
                f"freeze={run.params['freeze']}",
                f"seed={run.params['seed']}",
                "search=race",
                "budget=5m",
            ],
        }
        for run in records
    ]
    selection = select(records, "val_best/f1_macro")
    runs = {run.run_id: run for run in selection.runs}
    source = PlanSource({"parent": json.dumps({"jobs": jobs})})
    wanted = [cell for cell in selection.cells if cell.params["freeze"] != "2"]
    assert commands_for(wanted, ["0", "1", "2"], runs, source) == [
        "python -m src.train -m 'data.path=my photos' backbone=net freeze=0,4 seed=0,1,2"
    ]
    jobs[0]["overrides"].append("epochs=9")
    several = PlanSource({"parent": json.dumps({"jobs": jobs})})
    *commands, last = commands_for(wanted, ["0", "1"], runs, several)
    assert [command.split()[6:] for command in commands] == [
        ["backbone=net", "freeze=0", "epochs=9", "seed=0,1"],
        ["backbone=net", "freeze=4", "seed=0,1"],
    ]
    assert last == "python -m src.report --experiment plants"
    for plans in ({}, {"parent": "not json"}, {"parent": json.dumps({"jobs": jobs[:1]})}):
        assert commands_for(wanted, ["0"], runs, PlanSource(plans)) == []
