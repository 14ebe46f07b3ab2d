"""The same figures on images and on stored features, twice, and after an interruption."""

import signal
from typing import Any

from benchmarks.gpu.checks import Checks
from benchmarks.gpu.jobs_here import Place, curve_gap, do_job, forced_reuse, net_of, weight_gap
from frostline.sweeps.signals import StopSignalError
from frostline.training.engine import STRICT

# The first epoch's loss on images and on stored features.
_FIRST_GAP = {"32-true": 1e-6, "bf16-mixed": 1e-3}


def part_reuse(found: Checks) -> None:
    """Training on stored features equals training on images."""
    net = net_of(found)
    cells = [(net, "2"), (net, "all")]
    if not found.tiny:
        cells.append(("vit_tiny_patch16_224", "2"))
    precisions = ("32-true", "bf16-mixed") if found.device == "cuda" else ("32-true",)
    for precision in precisions:
        for backbone, freeze in cells:
            name = f"reuse on = off/{precision}/{backbone}/freeze={freeze}"
            with found.tried(name):
                words = [
                    f"backbone={backbone}", f"freeze={freeze}", f"trainer.precision={precision}",
                    *(["image_size=null"] if backbone.startswith("vit") else []),
                ]  # fmt: skip
                place = Place.fresh(found, f"{name}/on")
                with forced_reuse():
                    on = do_job(found, place, *words, "reuse=auto")
                off = do_job(found, Place.fresh(found, f"{name}/off"), *words, "reuse=off")
                first = abs(on.curves["train/loss"][0] - off.curves["train/loss"][0])
                is_on = "reuse on" in on.tags["frostline.reuse"]
                found.check(
                    name, is_on and first <= _FIRST_GAP[precision],
                    first_epoch_gap=first, curve_gap=curve_gap(on, off),
                    weight_gap=weight_gap(on, off), reuse=on.tags["frostline.reuse"],
                )  # fmt: skip


def part_repeat(found: Checks) -> None:
    """The same job twice, and stopped in between: the same bits."""
    net = net_of(found)
    cells = {"convolutions": (net, ["freeze=0"]), "dihedral": (net, ["augment=dihedral"])}
    if not found.tiny:
        cells |= {
            "attention": ("vit_tiny_patch16_224", ["freeze=0", "image_size=null"]),
            "depthwise": ("tf_efficientnet_lite0", ["freeze=2"]),
            "max pooling": (net, ["freeze=4", "head.pool=max"]),
        }
    for name, (backbone, words) in cells.items():
        with found.tried(f"repeats to the bit/{name}"):
            one, other = (
                do_job(
                    found, Place.fresh(found, f"{name}-{turn}"), f"backbone={backbone}",
                    "reuse=off", *words,
                )
                for turn in range(2)
            )  # fmt: skip
            gaps = {"curve_gap": curve_gap(one, other), "weight_gap": weight_gap(one, other)}
            engine = one.tags["frostline.engine"]
            # Without kernels for it the run says so, and may differ.
            said = found.device == "cuda" and not engine.endswith(STRICT)
            found.check(
                f"repeats to the bit/{name}", said or not any(gaps.values()), **gaps, engine=engine
            )
    with found.tried("resumes to the bit"):
        words = [f"backbone={net}", "freeze=2", "augment=crop", "head=mlp", "head.dropout=0.3"]
        words.append("epochs=3")
        whole = do_job(found, Place.fresh(found, "whole"), *words)
        place, stopped = Place.fresh(found, "stopped"), False
        try:
            do_job(found, place, *words, on_progress=_stop)
        except StopSignalError:
            stopped = True
        again = do_job(found, place, *words)
        gaps = {"curve_gap": curve_gap(whole, again), "weight_gap": weight_gap(whole, again)}
        found.check(
            "resumes to the bit", stopped and not any(gaps.values()), stopped=stopped, **gaps
        )


def _stop(**values: Any) -> None:
    """End a job once its first epoch is over, as a signal would."""
    if values.get("epoch") == 2:
        raise StopSignalError(signal.SIGINT)
