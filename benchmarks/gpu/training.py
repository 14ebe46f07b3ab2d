"""Every depth, schedule and recipe trains; heads train together; jobs share a trunk."""

from typing import Any

from benchmarks.gpu.checks import Checks
from benchmarks.gpu.commands import runs_of, train
from benchmarks.gpu.jobs_here import Place, do_job, net_of

# Heads in one product and one by one differ by rounding: float32, and bfloat16's 8 bits.
_HEAD_GAP = {"32-true": 1e-3, "bf16-mixed": 5e-2}


def part_depths(found: Checks) -> None:
    """A sweep over depths as people give it, and its second call."""
    place = Place.fresh(found, "depths")
    words = ["augment=flip", f"backbone={net_of(found)}", "freeze=0,2,4,all"]
    with found.tried("every depth trains"):
        said = train(found, place, *words)
        finished = [run for run in runs_of(place) if run.status == "FINISHED"]
        engines = {run.params["freeze"]: run.tags["frostline.engine"] for run in finished}
        here = all(engine.startswith(found.device) for engine in engines.values())
        found.check(
            "every depth trains", said.code == 0 and len(finished) == 4 and here, engines=engines,
            reuse={run.params["freeze"]: run.tags["frostline.reuse"] for run in finished},
            **said.details,
        )  # fmt: skip
        warned = {line.strip()[:200] for line in said.err.splitlines() if "Warning" in line}
        found.figure("warnings", sorted(warned)[:8])
    with found.tried("finished jobs are not trained again"):
        said = train(found, place, *words)
        found.check(
            "finished jobs are not trained again",
            said.code == 0 and len(runs_of(place)) == 4, **said.details,
        )  # fmt: skip


def part_recipes(found: Checks) -> None:
    """Schedules that thaw, random augmentation, mixing, other heads, losses and precisions."""
    net = f"backbone={net_of(found)}"
    deep = ["freeze=2", "epochs=1"]
    busy = ["mix=cutmix", "head=mlp", "head.dropout=0.2", "loss=focal"]
    recipes = {
        "schedule=head_first": ["freeze=3", "schedule=head_first", "epochs=3"],
        "schedule=gradual": ["freeze=3", "schedule=gradual", "epochs=4"],
        "optimizer=sgd": [*deep, "optimizer=sgd"],
        "frozen_bn=train": [*deep, "frozen_bn=train"],
        "precision=fastest": [*deep, "trainer.precision=fastest"],
        **{f"augment={a}": [*deep, f"augment={a}", *busy] for a in ("dihedral", "crop", "trivial")},
    }
    if found.device == "cuda":
        recipes["precision=16-mixed"] = [*deep, "trainer.precision=16-mixed"]
    for name, words in recipes.items():
        with found.tried(name):
            job = do_job(found, Place.fresh(found, name), net, *words)
            engine = job.tags["frostline.engine"]
            found.check(name, engine.startswith(found.device), engine=engine)


def part_heads(found: Checks) -> None:
    """Heads on the same features train together, and each as if alone, in both precisions."""
    precisions = ("32-true", "bf16-mixed") if found.device == "cuda" else ("32-true",)
    words = [f"backbone={net_of(found)}", "freeze=all"]
    for precision in precisions:
        name = f"heads together/{precision}"
        with found.tried(name):
            place = Place.fresh(found, name)
            own = [*words, f"trainer.precision={precision}"]
            said = train(found, place, *own, "lr=1e-3,3e-3", "head.dropout=0,0.3")
            together = {
                (run.params["lr"], run.metrics["val_best/loss"])
                for run in runs_of(place)
                if "heads trained together" in run.tags.get("frostline.reuse", "")
            }
            alone = do_job(found, Place.fresh(found, f"{name}/alone"), *own, "lr=1e-3")
            gap = min(
                (abs(loss - alone.metrics["val_best/loss"]) for lr, loss in together
                 if float(lr) == 1e-3), default=float("inf"),
            )  # fmt: skip
            found.check(
                name, said.code == 0 and len(together) == 4 and gap < _HEAD_GAP[precision],
                together=len(together), val_loss_gap=gap, **said.details,
            )  # fmt: skip
    with found.tried("a head is solved or tuned with others"):
        place = Place.fresh(found, "tuned heads")
        said = train(found, place, *words, "lr=auto", "seed=0,1")
        tags = [run.tags for run in runs_of(place) if run.status == "FINISHED"]
        together = [tag for tag in tags if "heads trained together" in tag["frostline.reuse"]]
        found.check(
            "a head is solved or tuned with others", said.code == 0 and len(together) == 2,
            **said.details,
        )  # fmt: skip


def part_trunk(found: Checks) -> None:
    """Jobs of one sweep that see the same images: each as if it had been given alone."""
    cells: list[tuple[str, Any]] = [("2", 1e-3), ("4", 1e-3), ("4", 3e-3), ("all", 1e-3)]
    for augment in ("flip", "crop"):
        name = f"jobs of one sweep as each alone/{augment}"
        with found.tried(name):
            words = [f"backbone={net_of(found)}", f"augment={augment}"]
            place = Place.fresh(found, name)
            said = train(found, place, *words, "freeze=2,4,all", "lr=1e-3,3e-3")
            runs = {(r.params["freeze"], float(r.params["lr"])): r for r in runs_of(place)}
            gaps = {}
            for freeze, lr in cells:
                alone = do_job(
                    found, Place.fresh(found, f"{name}-{freeze}-{lr}"), *words,
                    f"freeze={freeze}", f"lr={lr}", "reuse=off",
                )  # fmt: skip
                both = (runs[freeze, lr].metrics["val_best/loss"], alone.metrics["val_best/loss"])
                gaps[f"freeze={freeze} lr={lr}"] = abs(both[0] - both[1])
            most = _HEAD_GAP["bf16-mixed" if found.device == "cuda" else "32-true"]
            found.check(
                name, said.code == 0 and max(gaps.values()) < most, val_loss_gaps=gaps,
                reuse={f: r.tags["frostline.reuse"] for (f, _), r in runs.items()}, **said.details,
            )  # fmt: skip
