"""Several processes: `trainer=ddp`, two commands and joblib's jobs on one card."""

import json
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import pairwise

from benchmarks.gpu.checks import Checks
from benchmarks.gpu.commands import Said, command, runs_of, train
from benchmarks.gpu.jobs_here import Place, net_of

_AS_LOGGED = 0.02  # between a run's figures and those of its checkpoint
_AS_ONE = 0.05  # nats of validation loss between one process and several


def part_ddp(found: Checks) -> None:
    """`trainer=ddp` on one card, and on two where there are two: the figures of one process."""
    import torch

    several = torch.cuda.device_count() if found.device == "cuda" else 2
    ways = {"one process": ["trainer.devices=1"], "ddp on 1": ["trainer=ddp", "trainer.devices=1"]}
    if several > 1:
        ways["ddp on 2"] = ["trainer=ddp", "trainer.devices=2"]
    nets = [net_of(found)] if found.tiny else ["resnet18", "tf_efficientnet_lite0"]
    for net in nets:
        losses: dict[str, float] = {}
        for way, words in ways.items():
            name = f"{net}/{way}"
            with found.tried(name):
                place = Place.fresh(found, name)
                said = train(found, place, f"backbone={net}", "freeze=2", *words, sweep=False)
                runs = runs_of(place)
                good = said.code == 0 and [run.status for run in runs] == ["FINISHED"]
                found.check(name, good, **said.details)
                if not good:
                    continue
                losses[way] = runs[0].metrics["val/loss"]
                words = ["evaluate", runs[0].run_id, "--uri", place.uri, "--json", "--no-log"]
                judged = command([*words, "--evidence", "off"], place.folder)
                gap = json.loads(judged.out)["largest_difference"]
                found.check(
                    f"{name}: its checkpoint says what it logged", gap < _AS_LOGGED, gap=gap
                )
        gaps = {way: abs(loss - losses["one process"]) for way, loss in losses.items()}
        # On a CPU processes cannot normalise together, so two may differ by more.
        compared = {way: gap for way, gap in gaps.items() if found.device == "cuda" or "1" in way}
        found.check(f"{net}: as one process", all(g < _AS_ONE for g in compared.values()), **gaps)


def part_shared(found: Checks) -> None:
    """Two commands at once, and the jobs of one side by side."""
    net = f"backbone={net_of(found)}"

    def go(freeze: str) -> Said:
        # Without Place.fresh, which names the store of this whole process.
        folder = found.folder / f"at-once-{freeze}"
        folder.mkdir()
        words = [net, f"freeze={freeze},all"]
        return train(found, Place(folder), *words)

    with found.tried("two commands on one card"), ThreadPoolExecutor(2) as pool:
        Place.fresh(found, "at-once")
        both = list(pool.map(go, ["0", "2"]))
        found.check(
            "two commands on one card", [said.code for said in both] == [0, 0],
            each=[said.details for said in both],
        )  # fmt: skip
    if find_spec("hydra_plugins.hydra_joblib_launcher") is None:
        found.figure("left out", "hydra-joblib-launcher is not installed")
        return
    with found.tried("joblib"):
        place = Place.fresh(found, "joblib")
        launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
        said = train(found, place, net, "freeze=0,2", *launcher)
        runs = sorted(runs_of(place), key=lambda run: run.start_ms)
        at_once = any(later.start_ms < (first.end_ms or 0) for first, later in pairwise(runs))
        done = [run.status for run in runs] == ["FINISHED"] * 2
        found.check("joblib", said.code == 0 and done, at_once=at_once, **said.details)
