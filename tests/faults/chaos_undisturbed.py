"""The same sweep in a folder of its own, where nothing happens: it must come to the same."""

from frostline.tracking.records import RunRecord
from frostline.tracking.store import Store
from tests.faults.chaos_sweep import LONGEST_S, ChaosSweep

CURVES = ("train/loss", "val/loss")
# Heads on the same features train together or alone, as faults have it: other orders of sums.
SAME_HEADS = 1e-3


def prove_same_as_undisturbed(sweep: ChaosSweep, store: Store, runs: list[RunRecord]) -> int:
    """Compare runs with those of a sweep that nobody disturbs; how many there are.

    What would go unseen elsewhere shows here: wrong pixels from a cache, damaged features, an epoch
    that was trained twice, a resumed run that had lost its state.

    Args:
        sweep: The one that was struck.
        store: Its store.
        runs: Its finished runs with the first photos.
    """
    from frostline.tracking.store import open_store

    alone = sweep.folder / "undisturbed"
    sweep.copy_undisturbed(alone)
    code = sweep.start(folder=alone).wait(3 * LONGEST_S)
    assert code == 0, (alone / sweep.log.name).read_text()[-3000:]
    there = open_store(None, "photos", folder=alone)
    others = {_job(run): run for run in there.find_runs({"frostline.kind": "job"})}
    assert others.keys() == {_job(run) for run in runs}
    for run in runs:
        other = others[_job(run)]
        for key in CURVES:
            ours = [point.value for point in store.metric_history(run.run_id, key)]
            theirs = [point.value for point in there.metric_history(other.run_id, key)]
            bound = SAME_HEADS if run.params["freeze"] == "all" else 0.0
            apart = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
            assert apart <= bound, (run.name, key, ours, theirs)
        if run.params["freeze"] != "all":
            assert _weights(store, run) == _weights(there, other), (run.name, "other weights")
    return len(runs)


def _job(run: RunRecord) -> tuple[str, str]:
    return run.params["freeze"], run.params["seed"]


def _weights(store: Store, run: RunRecord) -> dict[str, bytes]:
    from frostline.training.checkpoint import load_checkpoint

    state = load_checkpoint(store.fetch_artifact(run.run_id, "checkpoints/best.ckpt"))
    return {name: value.numpy().tobytes() for name, value in state["state_dict"].items()}
